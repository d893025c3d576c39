//! Which mechanism carries a fault out.

use std::fmt;

use crate::fault::shape::Shape;

/// The mechanism that carries a fault out:
/// [`Injection::backends`](crate::Injection::backends).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Backend {
    /// The wire, in user space. It decides by the seed of the test.
    Wire,
    /// The kernel's token bucket filter: tc-tbf(8).
    Tbf,
    /// The kernel's network emulator: tc-netem(8).
    Netem,
    /// The carrier of the interfaces at the ends of a link.
    Carrier,
}

impl Backend {
    /// The qdisc that implements a shape.
    pub(super) fn of(shape: Shape) -> Self {
        match shape {
            Shape::Rate { .. } => Self::Tbf,
            Shape::Delay { .. } => Self::Netem,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire => "wire",
            Self::Tbf => "tbf",
            Self::Netem => "netem",
            Self::Carrier => "carrier",
        })
    }
}
