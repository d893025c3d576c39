//! Ethernet frames, and the stage that they pass on their way: values only.
//!
//! A *port* is where a node's cable ends in the fabric. What passes it goes in
//! one of two directions, which are the node's own: [`Direction::Egress`] leaves
//! the node, [`Direction::Ingress`] comes to it. A [`Stage`] says of each frame
//! when it goes on, if at all, and what goes with it; who carries frames (the
//! wire) knows nothing of why, and who decides (faults) nothing of sockets. So
//! decisions are tested without a kernel.

use std::fmt;
use std::time::Instant;

pub(crate) mod build;
pub(crate) mod checksum;
mod display;
pub(crate) mod flow;
pub(crate) mod kind;
pub(crate) mod parse;
#[cfg(test)]
mod tests;
pub(crate) mod view;

/// Which way a packet goes past the end of a link, seen from the node there.
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

/// What becomes of the frames at one port, in both directions.
pub(crate) trait Stage: Send {
    /// Decides about one frame, which begins with its Ethernet header. What is
    /// not put into `out` is dropped.
    fn pass(&mut self, direction: Direction, frame: &[u8], now: Instant, out: &mut Outlet);

    /// Whether frames must come as they would be on a cable: cut to the MTU, with
    /// finished checksums. Otherwise they may be what segmentation offload has
    /// not cut yet, of up to 64 KiB.
    fn needs_segments(&self) -> bool;
}

/// What a stage lets out.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    /// When the frame itself goes on in its direction: once for each copy.
    pub(crate) forward: Vec<Instant>,
    /// Frames that it did not come with.
    pub(crate) emissions: Vec<Emission>,
}

/// A frame of a stage's own making: a changed copy, an answer in somebody's name.
/// It is complete, with its checksums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Emission {
    pub(crate) at: Instant,
    pub(crate) direction: Direction,
    pub(crate) frame: Vec<u8>,
}

impl Outlet {
    /// Empties it, for the next frame.
    pub(crate) fn clear(&mut self) {
        self.forward.clear();
        self.emissions.clear();
    }
}
