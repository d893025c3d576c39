//! The connections that rules have reset.
//!
//! `reset` resets a connection at once. `then reset` lets its packet pass, and waits for the
//! next packet of the connection: that one is lost, and resets it. An RST right behind the
//! first packet would race with the program that receives the packet.

use std::collections::HashMap;
use std::time::Duration;

use super::flows::Flows;
use crate::fault::receipt::Receipt;
use crate::frame::Direction;
use crate::frame::flow::Flow;
use crate::frame::view::{PacketView, flag, is_not_after};

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
struct PassedSegment {
    direction: Direction,
    /// The sequence number after it.
    end: u32,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResetDecision {
    /// It passes.
    Pass,
    /// It is lost by this fault, and its sender gets an RST.
    ResetSender(Option<u32>),
    /// It is lost by this fault, and both ends get an RST.
    ResetBoth(Option<u32>),
}

impl Resets {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Resets the connection of a packet: at once, or, if the packet `passes`, at the next one.
    pub(super) fn insert(
        &mut self,
        (direction, view): (Direction, &PacketView<'_>),
        passes: bool,
        flows: &Flows,
        receipt: Receipt,
    ) {
        let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) else { return };
        let opened = if tcp.opens() { Some(tcp.seq) } else { flows.opened(flow) };
        let passed = passes.then(|| PassedSegment { direction, end: tcp.end() });
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
        if tcp.opens() && connection.opened != Some(tcp.seq) {
            self.0.remove(&flow);
            return Pass;
        }
        let Some(passed) = connection.passed else {
            connection.receipt.count(view);
            return ResetSender(connection.receipt.number());
        };
        let is_copy = direction == passed.direction && is_not_after(tcp.end(), passed.end);
        if tcp.has(flag::RST) || tcp.sequence_len() == 0 || is_copy {
            return Pass;
        }
        connection.passed = None;
        connection.receipt.count(view);
        ResetBoth(connection.receipt.number())
    }
}
