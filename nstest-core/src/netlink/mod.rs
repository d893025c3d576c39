//! Reading and writing the kernel's network tables. Each kind of object has its own file.
//!
//! Start at `socket`: a blocking netlink socket that carries out requests, alone or in a
//! batch. The functions that make or change an object return a `Request`, which is pure data.
//! They send nothing, so that a plan can be carried out with few system calls. The functions
//! that read take a socket.
//!
//! In dependency order:
//!
//! - `device`, `attr`, `message`: parts of messages; a request, and the refusal of one;
//! - `socket`: sends requests and reads replies;
//! - messages of NETLINK_ROUTE with the types of `netlink-packet-route`: `addr`, `link`,
//!   `route`, `rule`, `neigh`, `qdisc`, `kernel_qdisc`, `u32_filter`;
//! - `bpf_filter`: filters that are programs, encoded by `attr`;
//! - `address_monitor`: waits until an IPv6 address is usable;
//! - formats that no crate has completely, encoded by `attr`: `nftables`, `conntrack`,
//!   `sock_diag`.
//!
//! docs/src/design/netlink.md says why this uses neither rtnetlink nor tokio.

pub(crate) mod addr;
mod address_monitor;
mod attr;
pub(crate) mod bpf_filter;
pub(crate) mod conntrack;
mod device;
#[cfg(feature = "cli")]
pub(crate) mod kernel_qdisc;
pub(crate) mod link;
mod message;
pub(crate) mod neigh;
pub(crate) mod nftables;
pub(crate) mod qdisc;
pub(crate) mod route;
pub(crate) mod rule;
pub(crate) mod sock_diag;
mod socket;
pub(crate) mod u32_filter;

#[cfg(test)]
mod tests;

pub(crate) use address_monitor::AddressMonitor;
pub(crate) use message::{Mode, Request, refusal};
pub(crate) use socket::{NetlinkFamily, Socket};
