//! Corrupted copies: one bit is inverted.

use std::ops::Range;

use crate::frame::view::{PacketView, TransportHeader};

/// A copy with one inverted bit and unchanged checksums, as netem makes it (`netem_enqueue`
/// in `net/sched/sch_netem.c`). netem inverts any bit of the packet. This inverts one of the
/// transport header or its data, so that the checksum at the receiver fails and the packet
/// reaches it. Without an IP header, it is any bit after the Ethernet header.
///
/// `draw` is a random number that selects the bit.
pub(crate) fn corrupted(of: &PacketView<'_>, draw: u64) -> Vec<u8> {
    let range = place(of);
    let bits = range.len() as u128 * 8;
    // The product is below `bits << 64`.
    let bit = ((u128::from(draw) * bits) >> 64) as usize;
    let inverted = |bit: usize| {
        let mut frame = of.frame.to_vec();
        if let Some(octet) = frame.get_mut(range.start + bit / 8).filter(|_| bits > 0) {
            *octet ^= 1 << (bit % 8);
        }
        frame
    };
    let frame = inverted(bit);
    // If the UDP checksum becomes 0, the receiver accepts the datagram.
    if is_unsummed(of, &frame[range.start..]) { inverted(bit ^ 1) } else { frame }
}

/// Whether this is UDP without a checksum: the field is 0 (RFC 768).
fn is_unsummed(of: &PacketView<'_>, transport: &[u8]) -> bool {
    matches!(of.transport, TransportHeader::Udp { .. }) && transport.get(6..8) == Some(&[0, 0])
}

fn place(of: &PacketView<'_>) -> Range<usize> {
    let payload = of.ip.as_ref().map(|ip| ip.payload.clone()).filter(|range| !range.is_empty());
    payload.unwrap_or(of.frame.len().min(14)..of.frame.len())
}
