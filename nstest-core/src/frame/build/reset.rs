//! RST segments that the ends accept.
//!
//! Since RFC 5961 §3.2 (RFC 9293 §3.10.7.4) a receiver takes a reset only whose
//! sequence number is exactly the next that it expects; for any other in the
//! window it sends a *challenge ACK*. The next number that the sender of a
//! segment expects is the one that the segment acknowledges; its receiver's is
//! the segment's own, where nothing before it was lost. Where something was, or
//! is still on its way, the challenge ACK says the number: who answers that with
//! [`reset_answer`] again has reset both ends for certain.

use super::{answer, onward};
use crate::frame::view::{PacketView, flag, protocol};

/// To the sender of a segment, as from its receiver: what a host answers that
/// knows of no such connection (RFC 9293 §3.10.7.1). `None` for what is no
/// segment, and for a reset, which is never answered.
pub(crate) fn reset_answer(of: &PacketView<'_>) -> Option<Vec<u8>> {
    let tcp = of.tcp().filter(|tcp| !tcp.has(flag::RST))?;
    let (seq, ack, flags) = if tcp.has(flag::ACK) {
        (tcp.ack, 0, flag::RST)
    } else {
        (0, tcp.seq.wrapping_add(tcp.sequence_len()), flag::RST | flag::ACK)
    };
    answer(of, protocol::TCP, segment((tcp.dport, tcp.sport), seq, ack, flags))
}

/// To the receiver of a segment, in its place, as from its sender. `None` for
/// what is no segment, and for a first SYN: its receiver knows of no connection.
pub(crate) fn reset_onward(of: &PacketView<'_>) -> Option<Vec<u8>> {
    let tcp = of.tcp().filter(|tcp| !tcp.has(flag::RST) && tcp.has(flag::ACK))?;
    // A client that has sent its SYN wants it acknowledged (§3.10.7.3).
    let flags = flag::RST | flag::ACK;
    onward(of, protocol::TCP, segment((tcp.sport, tcp.dport), tcp.seq, tcp.ack, flags))
}

/// To the receiver of a segment that has passed, as from its sender: with the number
/// that comes next. A first SYN has made a connection by now.
pub(crate) fn reset_after(of: &PacketView<'_>) -> Option<Vec<u8>> {
    let tcp = of.tcp().filter(|tcp| !tcp.has(flag::RST))?;
    let next = tcp.seq.wrapping_add(tcp.sequence_len());
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
