//! What a test asked for: nodes, LANs, links and routers, as data.
//!
//! Invariant: the spec holds everything that must stay the same while the network changes,
//! and assigns it once (numbers, addresses, link ends). What follows from it (routes, rules,
//! lines of /etc/hosts) is not in the spec: `state` derives it.

mod addresses;
mod default_route;
mod edit;
mod hostnames;
mod initial;
mod links;
mod lookup;
mod name_servers;
mod outdated;
mod remove;
mod requests;
mod router;

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use litemap::LiteMap;

use super::names::NodeName;
use super::nat::{Firewall, Nat, Nat6, Protocol};
use super::shared_map::{Key, SharedMap};
use crate::addr::{Family, MacAddr, Subnet};
use crate::netlink::nftables::L4Proto;

pub use default_route::DefaultRoute;
pub(crate) use default_route::DefaultVia;
use hostnames::Hostnames;
pub(crate) use initial::Parameters;
pub(crate) use links::LinkEnd;
pub(crate) use outdated::Outdated;
pub(crate) use requests::{Join, NewLan, NewNode, NewRouter};
pub(super) use router::wan_of;

/// A node, by the order of creation; the test's own is [`NodeId::TEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u16);

impl NodeId {
    pub(crate) const TEST: NodeId = NodeId(1);
}

/// A LAN or a link, by the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentId(pub(crate) u16);

/// A device of the fabric, by the order of creation: `p7`, with index 8 there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LinkEndId(pub(crate) u32);

impl LinkEndId {
    /// Its index in the fabric's namespace, where `lo` is 1.
    pub(crate) fn ifindex(self) -> u32 {
        self.0 + 1
    }
}

impl fmt::Display for LinkEndId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl Key for NodeId {
    fn number(self) -> u32 {
        self.0.into()
    }
}

impl Key for SegmentId {
    fn number(self) -> u32 {
        self.0.into()
    }
}

/// The addresses of one network, which differ in their last bits.
impl Key for IpAddr {
    fn number(self) -> u32 {
        match self {
            IpAddr::V4(addr) => addr.to_bits(),
            IpAddr::V6(addr) => addr.to_bits() as u32,
        }
    }
}

impl Key for LinkEndId {
    fn number(self) -> u32 {
        self.0
    }
}

/// The kernel's index of a node's interface: `lo` is 1, and slot 0 comes next.
pub(crate) const fn interface_index(slot: u8) -> u32 {
    slot as u32 + 2
}

/// The names of interfaces that programs of the test have made, by node.
pub(crate) type ForeignNames = LiteMap<NodeId, BTreeSet<String>>;

/// The addresses of one interface.
pub(super) type InterfaceAddrs = (Option<Ipv4Addr>, Option<Ipv6Addr>);

/// The whole network that a test asked for. An edit copies it, and of its nodes and
/// segments only those that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(super) nodes: SharedMap<NodeId, Arc<NodeSpec>>,
    pub(super) segments: SharedMap<SegmentId, Arc<SegmentSpec>>,
    hostnames: Hostnames,
    /// The nodes that are routers.
    pub(super) routers: BTreeSet<NodeId>,
    /// The nodes to which the test gave routes.
    pub(super) routed: BTreeSet<NodeId>,
    /// Whether the test gave an interface its MAC address. Others are unique by themselves.
    pub(super) gives_macs: bool,
    /// Whether LANs are bridges of any size, because the kernel has no mirred or u32.
    pub(super) bridges_only: bool,
    pub(super) ipv6: bool,
    /// Whether new nodes have segmentation and checksum offload.
    pub(super) offloads: bool,
    /// Whether programs run as root.
    pub(super) root: bool,
    /// The named namespace that the test joined: not ours to configure.
    pub(super) netns: Option<String>,
    /// The networks that the test's own node reaches through its uplink.
    pub(super) outside: Vec<Outside>,
    /// Nodes in which a resolver runs, in the order in which they are queried.
    pub(super) name_servers: Vec<NodeId>,
    /// The names of the nodes that were removed, for errors.
    pub(super) removed: LiteMap<NodeId, String>,
    /// The names of interfaces that programs have made in nodes, while an edit is made.
    pub(super) foreign: ForeignNames,
    next_node: u16,
    next_segment: u16,
    next_end: u32,
    next_subnet: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeSpec {
    pub(super) name: NodeName,
    pub(super) aliases: Vec<String>,
    /// By slot, which decides name, index and MAC.
    pub(super) interfaces: LiteMap<u8, InterfaceSpec>,
    pub(super) router: Option<RouterSpec>,
    /// Whether its links have segmentation and checksum offload.
    pub(super) offloads: bool,
    pub(super) default: DefaultVia,
    pub(super) routes: Vec<(Subnet, IpAddr)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceSpec {
    pub(super) name: String,
    pub(super) mac: MacAddr,
    pub(super) segment: SegmentId,
    pub(super) end: LinkEndId,
    pub(super) side: InterfaceRole,
    pub(super) v4: Option<Ipv4Addr>,
    pub(super) v6: Option<Ipv6Addr>,
}

/// A network of the machine, which is reached through an uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outside {
    pub(crate) subnet: Subnet,
    /// The machine's interface that leads there.
    pub(crate) device: String,
}

/// What a node does on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InterfaceRole {
    /// It is a host, and does not forward.
    Host,
    /// It is a router that serves the segment.
    Lan,
    /// It is a router with its WAN here: its default route leads here, and it translates towards
    /// here.
    Wan,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentSpec {
    pub(super) name: String,
    pub(super) kind: SegmentKind,
    pub(super) v4: Option<Subnet>,
    pub(super) v6: Option<Subnet>,
    pub(super) mtu: u32,
    /// Whether its subnets may be those of another LAN that no node sees as well.
    pub(super) may_overlap: bool,
    /// The number that its bridge has in the fabric, if it needs one.
    pub(super) bridge: LinkEndId,
    /// Which node has or had an address.
    pub(super) leases: SharedMap<IpAddr, NodeId>,
    /// The addresses that each node has or had: if it joins again, it gets them again.
    pub(super) known: SharedMap<NodeId, InterfaceAddrs>,
    /// All lower host numbers have been assigned.
    pub(super) next_host: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SegmentKind {
    Lan,
    Link,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RouterSpec {
    /// Whether it is made with a WAN, which it may have left.
    pub(super) has_wan: bool,
    /// What it does on each LAN that it is or was on. It does the same when it joins again.
    pub(super) roles: LiteMap<SegmentId, InterfaceRole>,
    pub(super) nat: Option<Nat>,
    pub(super) nat6: Nat6,
    pub(super) firewall: Firewall,
    pub(super) forwards: Vec<PortForward>,
    pub(super) rebound: Vec<Rebound>,
}

/// The endpoints of a connection on both sides of a router. They are the same if it does not
/// translate the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Translated {
    pub(crate) protocol: L4Proto,
    pub(crate) internal: SocketAddr,
    pub(crate) external: SocketAddr,
}

/// An endpoint behind a router that has lost its external ports, and gets others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rebound {
    pub(crate) protocol: L4Proto,
    pub(crate) internal: SocketAddr,
    /// The external ports that it had.
    pub(crate) ports: BTreeSet<u16>,
}

/// External port → a node's port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortForward {
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) node: NodeId,
    pub(crate) node_port: u16,
}

impl SegmentSpec {
    pub(super) fn subnet(&self, family: Family) -> Option<Subnet> {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    pub(crate) fn subnets(&self) -> impl Iterator<Item = Subnet> + '_ {
        [self.v4, self.v6].into_iter().flatten()
    }
}

impl fmt::Display for SegmentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            SegmentKind::Lan => "LAN",
            SegmentKind::Link => "link",
        };
        write!(f, "{kind} `{}`", self.name)
    }
}

impl InterfaceSpec {
    pub(super) fn addr(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.map(IpAddr::V4),
            Family::V6 => self.v6.map(IpAddr::V6),
        }
    }

    pub(super) fn ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        Family::BOTH.into_iter().filter_map(|family| self.addr(family))
    }

    /// Its addresses, with the link-local one that the kernel adds.
    fn all_ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.ips().chain([self.mac.link_local().into()])
    }
}

impl NodeSpec {
    /// Its lowest interface on this segment.
    pub(super) fn on(&self, segment: SegmentId) -> Option<(u8, &InterfaceSpec)> {
        self.interfaces
            .iter()
            .find(|(_, interface)| interface.segment == segment)
            .map(|(slot, interface)| (*slot, interface))
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// "node `a`" or "router `r`".
    pub(super) fn title(&self) -> String {
        let kind = if self.router.is_some() { "router" } else { "node" };
        format!("{kind} `{}`", self.name)
    }
}
