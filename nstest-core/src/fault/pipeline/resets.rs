//! The connections that rules have reset.
//!
//! `reset` resets a connection at once. `then reset` lets its packet pass, and waits for the
//! next packet of the connection: that one is lost, and resets it. An RST right behind the
//! first packet would race with the program that receives the packet.

use std::collections::HashMap;
use std::time::Duration;

use crate::fault::receipt::Receipt;
use crate::frame::Direction;
use crate::frame::flow::Flow;
use crate::frame::view::{PacketView, flag};

/// How long `then reset` waits for the next packet, before it resets the connection without
/// one. A program that answers at once does so in less time, also on a loaded machine.
pub(super) const PATIENCE: Duration = Duration::from_millis(500);

/// The connections that are reset whenever one of their ends sends.
#[derive(Debug, Default)]
pub(super) struct Resets(HashMap<Flow, ResetConnection>);

#[derive(Debug)]
struct ResetConnection {
    /// The sequence number of its SYN, if the SYN passed here.
    opened: Option<u32>,
    receipt: Receipt,
    /// The packet that still passed, until the next one comes.
    passed: Option<PassedSegment>,
}

/// A segment that passed before the reset.
#[derive(Debug, Clone, Copy)]
pub(super) struct PassedSegment {
    pub(super) direction: Direction,
    /// The sequence number after it.
    pub(super) end: u32,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResetDecision {
    /// It passes.
    Pass,
    /// It is lost, and its sender gets an RST.
    ResetSender,
    /// It is lost, and both ends get an RST.
    ResetBoth,
}

impl Resets {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Resets a connection: at once, or at the next packet after the one that `passed`.
    pub(super) fn insert(
        &mut self,
        flow: Flow,
        opened: Option<u32>,
        receipt: Receipt,
        passed: Option<PassedSegment>,
    ) {
        self.0.insert(flow, ResetConnection { opened, receipt, passed });
    }

    /// Decides about a packet. A new connection with the same addresses and ports is not
    /// reset.
    pub(super) fn decide(&mut self, direction: Direction, view: &PacketView<'_>) -> ResetDecision {
        use ResetDecision::{Pass, ResetBoth, ResetSender};
        if self.0.is_empty() {
            return Pass;
        }
        let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) else { return Pass };
        let Some(connection) = self.0.get_mut(&flow) else { return Pass };
        let is_first = tcp.has(flag::SYN) && !tcp.has(flag::ACK);
        if is_first && connection.opened != Some(tcp.seq) {
            self.0.remove(&flow);
            return Pass;
        }
        let Some(passed) = connection.passed else {
            connection.receipt.count_one();
            return ResetSender;
        };
        let end = tcp.seq.wrapping_add(tcp.sequence_len());
        // RFC 9293 §3.4: numbers are compared modulo 2^32.
        let is_copy = direction == passed.direction && passed.end.wrapping_sub(end) < 1 << 31;
        if tcp.has(flag::RST) || tcp.sequence_len() == 0 || is_copy {
            return Pass;
        }
        connection.passed = None;
        connection.receipt.count_one();
        ResetBoth
    }
}
