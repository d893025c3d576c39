//! RST segments that both ends of a connection accept.
//!
//! Since RFC 5961 §3.2 (RFC 9293 §3.10.7.4), a receiver accepts an RST only if its sequence
//! number is exactly the next one that it expects. For another number in the window, it
//! sends a *challenge ACK*. The sender of a segment expects the number that the segment
//! acknowledges. The receiver expects the number of the segment itself, unless an earlier
//! segment was lost or is on the link. In that case its challenge ACK contains the number,
//! and a second [`reset_answer`] to it resets the connection.

use super::{answer, onward};
use crate::frame::view::{PacketView, flag, protocol};

/// An RST to the sender of a segment: the answer of a host that has no such connection
/// (RFC 9293 §3.10.7.1). `None` for an RST, which is never answered, and without TCP.
pub(crate) fn reset_answer(of: &PacketView<'_>) -> Option<Vec<u8>> {
    let tcp = of.tcp().filter(|tcp| !tcp.has(flag::RST))?;
    let (seq, ack, flags) = if tcp.has(flag::ACK) {
        (tcp.ack, 0, flag::RST)
    } else {
        (0, tcp.end(), flag::RST | flag::ACK)
    };
    answer(of, protocol::TCP, segment((tcp.dport, tcp.sport), seq, ack, flags))
}

/// An RST to the receiver of a segment, in place of the segment. `None` for an RST, for a
/// first SYN, because its receiver has no connection yet, and without TCP.
pub(crate) fn reset_onward(of: &PacketView<'_>) -> Option<Vec<u8>> {
    let tcp = of.tcp().filter(|tcp| !tcp.has(flag::RST) && tcp.has(flag::ACK))?;
    // A client accepts an RST to its SYN only with an acknowledgement (§3.10.7.3).
    let flags = flag::RST | flag::ACK;
    onward(of, protocol::TCP, segment((tcp.sport, tcp.dport), tcp.seq, tcp.ack, flags))
}

/// An RST to the receiver of a segment that has passed, with the next sequence number.
/// After a first SYN, the receiver has a connection.
pub(crate) fn reset_after(of: &PacketView<'_>) -> Option<Vec<u8>> {
    let tcp = of.tcp().filter(|tcp| !tcp.has(flag::RST))?;
    let next = tcp.end();
    let flags = flag::RST | (tcp.flags & flag::ACK);
    onward(of, protocol::TCP, segment((tcp.sport, tcp.dport), next, tcp.ack, flags))
}

fn segment((sport, dport): (u16, u16), seq: u32, ack: u32, flags: u8) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20);
    segment.extend(sport.to_be_bytes());
    segment.extend(dport.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(ack.to_be_bytes());
    segment.extend([0x50, flags]);
    segment.extend([0; 6]);
    segment
}
