//! Talking to the kernel's network tables: one noun a file.
//!
//! Start at [`socket`]: a blocking socket that carries out requests, alone or
//! in a batch. The other files make requests ([`message::Request`]) and read
//! answers; none of them sends anything on its own, so that a plan can be
//! turned into as few system calls as it needs.
//!
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
pub(crate) mod qdisc;
mod ready;
pub(crate) mod route;
pub(crate) mod sock_diag;
mod socket;

#[cfg(test)]
mod tests;

pub(crate) use message::refusal;
pub(crate) use message::{Mode, Request};
pub(crate) use ready::AddressMonitor;
pub(crate) use socket::{NetlinkFamily, Socket};

use crate::error::{Error, ErrorCode};

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

/// An answer of the kernel that does not have the form that it should.
fn malformed(what: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorCode::Netlink, format!("read {what} as the kernel shows it")).source(source)
}
