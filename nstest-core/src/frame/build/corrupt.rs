//! A copy with one bit turned over.

use std::ops::Range;

use crate::frame::view::{PacketView, Transport};

/// One bit of what the packet carries is inverted, and no checksum put right, as
/// netem does (`netem_enqueue` in `net/sched/sch_netem.c`: one random bit of the
/// data). netem may hit any header; here it is the transport's or what follows
/// it, so that it is the receiver's checksum that fails, and no packet goes
/// astray. Without an IP header, any bit behind the Ethernet header.
///
/// `draw` chooses the bit: uniformly, if it is uniform.
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
    // The only bit of its checksum: the receiver would take it for good.
    if is_unsummed(of, &frame[range.start..]) { inverted(bit ^ 1) } else { frame }
}

/// Whether this is UDP that says to have no checksum: 0 (RFC 768).
fn is_unsummed(of: &PacketView<'_>, transport: &[u8]) -> bool {
    matches!(of.transport, Transport::Udp { .. }) && transport.get(6..8) == Some(&[0, 0])
}

fn place(of: &PacketView<'_>) -> Range<usize> {
    let payload = of.ip.as_ref().map(|ip| ip.payload.clone()).filter(|range| !range.is_empty());
    payload.unwrap_or(of.frame.len().min(14)..of.frame.len())
}
