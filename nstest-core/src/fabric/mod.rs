//! Carries out changes of the network: from changes as data to requests to the kernel.
//!
//! The fabric is a hidden network namespace in which every link of a node ends. Nodes see
//! their own interfaces only. What is done to a link is done to its device in the fabric,
//! so that nodes have no devices, filters or rules of ours.
//!
//! In dependency order, each file uses only those before it:
//!
//! - [`hosts`], [`member`], [`rules`]: files with names; what there is of each node; its
//!   packet filter;
//! - [`node_factory`]: nodes created by several threads;
//! - [`forwarding`]: the filters and bridges between link ends;
//! - [`splice_state`], [`request_queue`]: the wire and its filters; requests that are sent
//!   together;
//! - [`base`]: the fabric itself;
//! - [`splicing`], [`carrier`]: the wire, and links that are down;
//! - [`earlier`]: what passed a link before the wire;
//! - [`foreign`]: interfaces that programs have made;
//! - [`logging`]: the record of changes;
//! - [`perform`], [`carry_out`]: one change; a list of changes;
//! - [`restoring`]: a node that programs have changed.

mod base;
mod carrier;
mod carry_out;
mod earlier;
mod foreign;
mod forwarding;
mod hosts;
mod logging;
mod member;
mod node_factory;
mod perform;
mod request_queue;
mod restoring;
mod rules;
mod splice_state;
mod splicing;

use std::error::Error as _;

use nix::errno::Errno;

use crate::preflight;
pub(crate) use crate::sysctl::has_ipv6;
pub(crate) use base::{Fabric, Stopped, remove_remains};

/// Why [`has_ipv6`] says no, and what helps.
pub(crate) fn why_no_ipv6() -> String {
    let step = "give the nodes IPv6";
    let error = &preflight::no_ipv6(step, "socket(AF_INET6)", Errno::EAFNOSUPPORT);
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    format!("{cause}; help: {}", error.next_step().unwrap_or_default())
}
