//! Ethernet frames as values, and the interface between the wire and faults.
//!
//! Frames pass a link end in one of two directions, seen from its node:
//! [`Direction::Egress`] leaves the node, [`Direction::Ingress`] comes to it. For each frame
//! a [`Stage`] decides whether and when it is sent, and which other frames are. The wire
//! carries frames and knows no faults; `fault` implements `Stage` and knows no sockets. So
//! decisions are tested without a kernel.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use crate::addr::MacAddr;

pub(crate) mod build;
pub(crate) mod checksum;
mod display;
pub(crate) mod flow;
pub(crate) mod kind;
pub(crate) mod parse;
#[cfg(test)]
mod tests;
pub(crate) mod view;

/// The direction of a packet at a link end, seen from the node there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the node into the network.
    Egress,
    /// From the network to the node.
    Ingress,
}

impl Direction {
    /// Both of them.
    pub(crate) const BOTH: [Self; 2] = [Self::Egress, Self::Ingress];

    /// The other one.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::Egress => Self::Ingress,
            Self::Ingress => Self::Egress,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

/// A frame on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// From the Ethernet header on.
    pub(crate) bytes: &'a [u8],
    /// If segmentation offload will cut it: the bytes of data in each segment.
    pub(crate) segment_len: Option<u16>,
}

/// Decides about the frames at one link end, in both directions.
pub(crate) trait Stage: Send {
    /// Decides about one frame. Unless it is put into `out`, it is dropped.
    fn pass(&mut self, direction: Direction, frame: Frame<'_>, now: Instant, out: &mut Outlet);

    /// Which neighbour discovery must come to it. The kernel forwards the rest as on a link
    /// without a stage, so that a node has found its neighbour before its first packet leaves.
    fn discovery(&self) -> Discovery;

    /// Whether frames must be as on a physical link: within the MTU, with complete
    /// checksums. Otherwise they may be frames of up to 64 KiB that segmentation offload
    /// has not cut yet.
    fn needs_segments(&self) -> bool;
}

/// Neighbour discovery: ARP, and ICMPv6 messages of RFC 4861 §4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Discovery {
    All,
    /// From and to these hosts.
    Of(BTreeSet<MacAddr>),
}

impl Discovery {
    pub(crate) const NONE: Self = Self::Of(BTreeSet::new());

    /// What is in either.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(some), Self::Of(others)) => Self::Of(some.union(&others).copied().collect()),
            _ => Self::All,
        }
    }
}

/// The result of a stage for one frame.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// When the frame itself is sent in its direction, once for each copy.
    pub(crate) forward: Vec<Instant>,
    /// Other frames that are sent.
    pub(crate) emissions: Vec<Emission>,
    /// What was done to the frame, if anything was.
    pub(crate) affected: Vec<Affected>,
}

/// What a fault has done to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Affected {
    pub(crate) effect: PacketEffect,
    /// The number of the fault, if it has one.
    pub(crate) fault: Option<u32>,
    /// How much later the frame is sent for it.
    pub(crate) delay: Duration,
}

/// A kind of effect on a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketEffect {
    Dropped,
    Delayed,
    /// It was not delayed as the others were.
    Reordered,
    Duplicated,
    Changed,
    /// The frame was made by the fault.
    Made,
    /// Its sender got an answer that the fault has made.
    Answered,
}

impl Affected {
    /// By an effect that does not delay.
    pub(crate) const fn by(fault: Option<u32>, effect: PacketEffect) -> Self {
        Self { effect, fault, delay: Duration::ZERO }
    }
}

/// A frame that a stage has made, with complete checksums: a changed copy, or an answer in
/// the name of another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emission {
    pub(crate) at: Instant,
    pub(crate) direction: Direction,
    pub(crate) frame: Vec<u8>,
    /// Whether it is a changed copy, and of which fault it is.
    pub(crate) affected: Affected,
}

impl Outlet {
    /// Notes what a fault has done to the frame, without a delay.
    pub(crate) fn note(&mut self, fault: Option<u32>, effect: PacketEffect) {
        self.affected.push(Affected::by(fault, effect));
    }

    /// Notes that a fault has delayed the frame.
    pub(crate) fn note_delay(&mut self, fault: Option<u32>, delay: Duration) {
        self.affected.push(Affected { effect: PacketEffect::Delayed, fault, delay });
    }

    /// Empties it, for the next frame.
    pub(crate) fn clear(&mut self) {
        self.forward.clear();
        self.emissions.clear();
        self.affected.clear();
    }
}
