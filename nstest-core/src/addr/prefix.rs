//! An address and the length of its network's prefix.

use std::fmt;
use std::net::IpAddr;

/// An address of an interface, with the length of its network's prefix: `10.0.2.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Prefix {
    pub(crate) ip: IpAddr,
    pub(crate) length: u8,
}

impl Prefix {
    pub(crate) fn new(ip: impl Into<IpAddr>, length: u8) -> Self {
        Self { ip: ip.into(), length }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.length)
    }
}
