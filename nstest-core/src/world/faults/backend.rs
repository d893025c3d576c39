//! Which mechanism carries a fault out.

use std::fmt;

/// The mechanism that carries a fault out:
/// [`Injection::backends`](crate::Injection::backends).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Backend {
    /// The wire, in user space. It decides by the seed of the test.
    Wire,
    /// The carrier of the interfaces at the ends of a link.
    Carrier,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire => "wire",
            Self::Carrier => "carrier",
        })
    }
}
