//! What is to be done, in order.
//!
//! The order is part of the plan: what is taken down goes first, from routes
//! to links; then comes node after node: its namespace, its settings (IPv6's before
//! any device exists, or duplicate address detection delays it by a second), rules
//! before the links that they guard, links; then, for all of them, wiring, addresses,
//! neighbours, routes, names; and last, [`Change::Settle`], behind which no first packet is
//! lost.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::routing::RouteEntry;
use super::settings::Sysctl;
use super::spec::{LinkEndId, NodeId, SegmentId};
use super::state::{Hosts, LinkState, Medium, NodeState, Ruleset, Wiring};
use super::translate::closed;
use crate::addr::MacAddr;

/// A list of operations, to be carried out one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) list: Vec<Change>,
}

/// A node, for whoever acts and for whoever reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeRef {
    pub(crate) id: NodeId,
    pub(crate) name: String,
}

impl NodeRef {
    pub(super) fn new(id: NodeId, node: &NodeState) -> Self {
        Self { id, name: node.name.clone() }
    }
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A namespace with `lo` up. The test's own exists: it is only named.
    AddNode {
        at: NodeRef,
        hostname: String,
    },
    DelNode {
        at: NodeRef,
    },
    SetSysctls {
        at: NodeRef,
        settings: Vec<Sysctl>,
    },
    /// Replaces our tables in one transaction; an empty ruleset removes them.
    SetRules {
        at: NodeRef,
        rules: Ruleset,
    },
    /// A veth pair, the port in the fabric and its peer born in the node, both
    /// up; addresses and neighbours follow as operations of their own.
    AddLink {
        at: NodeRef,
        slot: u8,
        link: LinkState,
    },
    DelLink {
        at: NodeRef,
        slot: u8,
        device: String,
        port: LinkEndId,
    },
    SetMtu {
        at: NodeRef,
        slot: u8,
        device: String,
        port: LinkEndId,
        mtu: u32,
    },
    /// Whether the device has IPv6 at all, link-local addresses included. It has
    /// when it is born.
    SetIpv6 {
        at: NodeRef,
        slot: u8,
        device: String,
        on: bool,
    },
    /// Joins these ports, and no others, whatever joined them before.
    Wire {
        segment: SegmentId,
        wiring: Arc<Wiring>,
    },
    Unwire {
        segment: SegmentId,
        title: String,
    },
    AddAddr {
        at: NodeRef,
        slot: u8,
        device: String,
        addr: IpAddr,
        len: u8,
    },
    DelAddr {
        at: NodeRef,
        slot: u8,
        device: String,
        addr: IpAddr,
        len: u8,
    },
    AddNeighbour {
        at: NodeRef,
        slot: u8,
        device: String,
        addr: IpAddr,
        mac: MacAddr,
    },
    DelNeighbour {
        at: NodeRef,
        slot: u8,
        device: String,
        addr: IpAddr,
    },
    AddRoute {
        at: NodeRef,
        route: RouteEntry,
    },
    DelRoute {
        at: NodeRef,
        route: RouteEntry,
    },
    SetHosts {
        hosts: Hosts,
    },
    /// In the order in which they are asked; none: as the test began.
    SetNameServers {
        addrs: Vec<IpAddr>,
    },
    /// Forgets every conversation that a router tracks, and with it every
    /// mapping that has no map of ours.
    FlushConntrack {
        at: NodeRef,
    },
    /// Waits until these ports, and the devices at their other ends, are
    /// running: an RTM_GETLINK of each flushes the kernel's link watch.
    Settle {
        links: Vec<(NodeRef, String, LinkEndId)>,
    },
}

impl Changes {
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A router that forgets its mappings, as one that was rebooted. Closed
    /// meanwhile: connection tracking remembers what the maps have forgotten, so a
    /// packet that came between the two would be learned from again.
    pub(crate) fn flush_nat(id: NodeId, node: &NodeState) -> Self {
        let (at, rules) = (NodeRef::new(id, node), node.rules.clone());
        let closed = Ruleset { tables: closed(&rules.tables), ..rules.clone() };
        Self {
            list: vec![
                Change::SetRules { at: at.clone(), rules: closed },
                Change::FlushConntrack { at: at.clone() },
                Change::SetRules { at, rules },
            ],
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.iter().try_for_each(|change| writeln!(f, "{change}"))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::AddNode { at, hostname } => write!(f, "{at}: netns add, hostname {hostname}"),
            Change::DelNode { at } => write!(f, "{at}: netns del"),
            Change::SetSysctls { at, settings } => write!(f, "{at}: sysctl {}", joined(settings)),
            Change::SetRules { at, rules } if rules.tables.is_empty() => {
                write!(f, "{at}: nft delete our tables")
            }
            Change::SetRules { at, rules } => {
                write!(f, "{at}: nft replace")?;
                for table in &rules.tables {
                    let rules: usize = table.chains.iter().map(|chain| chain.rules.len()).sum();
                    write!(f, " {} (chains {}, rules {rules})", table.name, table.chains.len())?;
                }
                if rules.timeouts.is_empty() {
                    return Ok(());
                }
                write!(f, ", sysctl {}", joined(&rules.timeouts))
            }
            Change::AddLink { at, link, .. } => write!(
                f,
                "{at}: link add {} index {} address {} mtu {} port {}",
                link.name, link.index, link.mac, link.mtu, link.port
            ),
            Change::DelLink { at, device, port, .. } => {
                write!(f, "{at}: link del {device} port {port}")
            }
            Change::SetMtu { at, device, mtu, .. } => {
                write!(f, "{at}: link set {device} mtu {mtu}")
            }
            Change::SetIpv6 { at, device, on, .. } => {
                write!(f, "{at}: link set {device} ipv6 {}", if *on { "on" } else { "off" })
            }
            Change::Wire { wiring, .. } => {
                write!(f, "{}: {}", wiring.title, wiring.medium)?;
                if wiring.ports.is_empty() {
                    f.write_str(" of no ports")?;
                }
                wiring.ports.keys().try_for_each(|port| write!(f, " {port}"))
            }
            Change::Unwire { title, .. } => write!(f, "{title}: removed"),
            Change::AddAddr { at, device, addr, len, .. } => {
                write!(f, "{at}: address add {addr}/{len} dev {device}")
            }
            Change::DelAddr { at, device, addr, len, .. } => {
                write!(f, "{at}: address del {addr}/{len} dev {device}")
            }
            Change::AddNeighbour { at, device, addr, mac, .. } => {
                write!(f, "{at}: neigh add {addr} lladdr {mac} dev {device} nud permanent")
            }
            Change::DelNeighbour { at, device, addr, .. } => {
                write!(f, "{at}: neigh del {addr} dev {device}")
            }
            Change::AddRoute { at, route } => write!(f, "{at}: route add {route}"),
            Change::DelRoute { at, route } => write!(f, "{at}: route del {route}"),
            Change::SetHosts { hosts } => {
                let lines: Vec<&str> = hosts.values().flat_map(|lines| lines.lines()).collect();
                write!(f, "hosts: {}", lines.join(", "))
            }
            Change::SetNameServers { addrs } => {
                f.write_str("name servers:")?;
                addrs.iter().try_for_each(|addr| write!(f, " {addr}"))
            }
            Change::FlushConntrack { at } => write!(f, "{at}: conntrack flush"),
            Change::Settle { links } => {
                f.write_str("settle:")?;
                links.iter().try_for_each(|(at, device, port)| write!(f, " {at}.{device}={port}"))
            }
        }
    }
}

impl fmt::Display for RouteEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RouteEntry { destination, via, device, onlink } = self;
        if destination.prefix_len() == 0 {
            write!(f, "default via {via} dev {device}")?;
        } else {
            write!(f, "{destination} via {via} dev {device}")?;
        }
        f.write_str(if *onlink { " onlink" } else { "" })
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Medium::Cable => f.write_str("cable"),
            Medium::Hub => f.write_str("hub"),
            Medium::Bridge(device) => write!(f, "bridge br{}", device.0),
        }
    }
}

fn joined(settings: &[Sysctl]) -> String {
    let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
    settings.join(" ")
}
