//! What the builders of LANs, nodes and routers collect: the input of edits.

use std::net::IpAddr;

use super::{DefaultVia, SegmentId};
use crate::addr::{MacAddr, Subnet};
use crate::topology::nat::{Firewall, Nat, Nat6};

/// What `net.add_lan(..)` collects.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewLan<'a> {
    pub(crate) name: &'a str,
    /// At most one for each IP version. Others are assigned.
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) without_ipv4: bool,
    pub(crate) without_ipv6: bool,
    pub(crate) mtu: Option<u32>,
    pub(crate) may_overlap: bool,
}

/// What `net.add_node(..)` collects.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewNode<'a> {
    pub(crate) name: &'a str,
    pub(crate) aliases: Vec<String>,
    pub(crate) joins: Vec<Join<'a>>,
    pub(crate) default: DefaultVia,
    pub(crate) without_offloads: bool,
    pub(crate) routes: Vec<(Subnet, IpAddr)>,
}

/// How a node joins a LAN.
#[derive(Debug, Clone)]
pub(crate) struct Join<'a> {
    pub(crate) segment: SegmentId,
    /// At most one for each IP version. Others are assigned.
    pub(crate) addrs: Vec<IpAddr>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) interface: Option<&'a str>,
}

impl Join<'_> {
    pub(crate) fn of(segment: SegmentId) -> Self {
        Self { segment, addrs: Vec::new(), mac: None, interface: None }
    }
}

/// What `net.add_router(..)` collects.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewRouter<'a> {
    pub(crate) name: &'a str,
    /// In the order of the builder's calls, which is that of the interfaces. The `bool` says
    /// whether it is the WAN.
    pub(crate) joins: Vec<(Join<'a>, bool)>,
    pub(crate) nat: Option<Nat>,
    pub(crate) nat6: Nat6,
    pub(crate) firewall: Firewall,
    pub(crate) without_offloads: bool,
}
