//! Talking to the kernel's network tables: one noun a file.
//!
//! Start at [`socket`]: a blocking socket that carries out requests, alone or
//! in a batch. The other files make requests ([`message::Request`]) and read
//! answers; none of them sends anything on its own, so that a plan can be
//! turned into as few system calls as it needs.
//!
//! - [`prefix`]: what the nouns have in common;
//! - [`ready`]: when an IPv6 address answers, which is later than it is there;
//! - NETLINK_ROUTE, on the types of `netlink-packet-route`: [`link`], [`addr`],
//!   [`route`], [`neigh`], [`qdisc`], [`filter`];
//! - formats that no crate carries completely, encoded by [`attr`] and proven by
//!   the bytes of iproute2 and nft: [`nftables`], [`conntrack`], [`sock_diag`];
//! - encoded alike, and proven by the kernel that carries it out: [`classic`].
//!
//! Everything that makes an object is `Request`-valued and pure; everything
//! that reads takes a socket. Why no rtnetlink and no tokio on this path:
//! docs/src/design/netlink.md.

use std::fmt;
use std::net::Ipv6Addr;

pub(crate) mod addr;
mod attr;
pub(crate) mod classic;
pub(crate) mod conntrack;
pub(crate) mod filter;
pub(crate) mod link;
mod message;
pub(crate) mod neigh;
#[cfg_attr(not(test), expect(dead_code, reason = "counters and rejections are for faults"))]
pub(crate) mod nftables;
mod prefix;
pub(crate) mod qdisc;
mod ready;
pub(crate) mod route;
pub(crate) mod sock_diag;
mod socket;

#[cfg(test)]
mod tests;

pub(crate) use message::refusal;
pub(crate) use message::{Mode, Request};
pub(crate) use prefix::{Family, Prefix};
pub(crate) use ready::Watch;
pub(crate) use socket::{Protocol, Socket};

use crate::error::{Code, Error};

/// A device, by its index. Its name, where the caller knows it, is for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device<'a> {
    index: u32,
    name: Option<&'a str>,
}

impl From<u32> for Device<'_> {
    fn from(index: u32) -> Self {
        Self { index, name: None }
    }
}

impl<'a> From<(u32, &'a str)> for Device<'a> {
    fn from((index, name): (u32, &'a str)) -> Self {
        let name = Some(name);
        Self { index, name }
    }
}

impl fmt::Display for Device<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "link #{}", self.index),
        }
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Mac(pub(crate) [u8; 6]);

impl Mac {
    /// The address that the kernel gives to a device of this one (EUI-64, RFC
    /// 4291 appendix A), unless it is told not to.
    pub(crate) fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let word = |high, low| u16::from_be_bytes([high, low]);
        Ipv6Addr::new(0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An answer of the kernel that does not have the form that it should.
fn malformed(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::Netlink, format!("read {what} as the kernel shows it")).source(source)
}
