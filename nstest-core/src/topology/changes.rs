//! Operations on the network, in the order in which they are carried out.
//!
//! Removals come first, from routes to links. Then each node is built: its namespace, its
//! settings (those of IPv6 before any device exists, or duplicate address detection delays
//! it by a second), its rules before the links that they guard, its links. Then follow, for
//! all nodes, wiring, addresses, neighbours, routes and names. After the last one,
//! [`Change::Settle`], no first packet is lost.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::routing::RouteEntry;
use super::settings::Sysctl;
use super::spec::{LinkEndId, NodeId, SegmentId};
use super::state::{Hosts, LinkState, Medium, NodeState, Ruleset, Wiring};
use super::translate::closed;
use crate::addr::MacAddr;

/// Operations that are carried out one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) list: Vec<Change>,
}

/// A node: its number for code, and its name for readers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeRef {
    pub(crate) id: NodeId,
    pub(crate) name: String,
}

impl NodeRef {
    pub(crate) fn new(id: NodeId, node: &NodeState) -> Self {
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
    /// Makes a namespace with `lo` up. That of the test exists already, and is only named.
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
    /// Replaces our tables in one transaction. An empty ruleset removes them.
    SetRules {
        at: NodeRef,
        rules: Ruleset,
    },
    /// Makes a veth pair, one end in the fabric and one in the node, both up. Addresses and
    /// neighbours are operations of their own.
    AddLink {
        at: NodeRef,
        slot: u8,
        link: LinkState,
    },
    DelLink {
        at: NodeRef,
        slot: u8,
        device: String,
        end: LinkEndId,
    },
    SetMtu {
        at: NodeRef,
        slot: u8,
        device: String,
        end: LinkEndId,
        mtu: u32,
    },
    /// Switches IPv6 of a device on or off, link-local addresses included. It is on at first.
    SetIpv6 {
        at: NodeRef,
        slot: u8,
        device: String,
        on: bool,
    },
    /// Switches segmentation and checksum offload of a device and of its link end on or off.
    /// They are on at first.
    SetOffloads {
        at: NodeRef,
        slot: u8,
        device: String,
        end: LinkEndId,
        on: bool,
    },
    /// Joins these link ends and no others, in place of what joined them before.
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
    /// In the order in which they are queried. If there are none, resolv.conf is as the test
    /// began.
    SetNameServers {
        addrs: Vec<IpAddr>,
    },
    /// Removes all entries of a router's connection tracking, and with them the mappings that
    /// are in no map of ours.
    FlushConntrack {
        at: NodeRef,
    },
    /// Waits until these link ends, and the devices at their other ends, are running: an
    /// RTM_GETLINK of each flushes the kernel's link watch.
    Settle {
        links: Vec<(NodeRef, String, LinkEndId)>,
    },
}

impl Changes {
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Lets no packet of TCP or UDP pass a router.
    pub(crate) fn close_router(id: NodeId, node: &NodeState) -> Self {
        let rules = Ruleset { tables: closed(&node.rules.tables), ..node.rules.clone() };
        Self { list: vec![Change::SetRules { at: NodeRef::new(id, node), rules }] }
    }

    /// Lets packets pass again.
    pub(crate) fn open_router(id: NodeId, node: &NodeState) -> Self {
        let rules = node.rules.clone();
        Self { list: vec![Change::SetRules { at: NodeRef::new(id, node), rules }] }
    }

    /// Removes all mappings of a router, as a reboot would. Until both the maps and connection
    /// tracking are empty, the router drops packets. Otherwise a packet in between would put an
    /// old mapping from connection tracking into the maps again.
    pub(crate) fn flush_nat(id: NodeId, node: &NodeState) -> Self {
        let mut list = Self::close_router(id, node).list;
        list.push(Change::FlushConntrack { at: NodeRef::new(id, node) });
        list.extend(Self::open_router(id, node).list);
        Self { list }
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
                "{at}: link add {} index {} address {} mtu {} end {}",
                link.name, link.index, link.mac, link.mtu, link.end
            ),
            Change::DelLink { at, device, end, .. } => {
                write!(f, "{at}: link del {device} end {end}")
            }
            Change::SetMtu { at, device, mtu, .. } => {
                write!(f, "{at}: link set {device} mtu {mtu}")
            }
            Change::SetIpv6 { at, device, on, .. } => {
                write!(f, "{at}: link set {device} ipv6 {}", if *on { "on" } else { "off" })
            }
            Change::SetOffloads { at, device, on, .. } => {
                write!(f, "{at}: link set {device} offloads {}", if *on { "on" } else { "off" })
            }
            Change::Wire { wiring, .. } => {
                write!(f, "{}: {}", wiring.title, wiring.medium)?;
                if wiring.ends.is_empty() {
                    f.write_str(" of no ends")?;
                }
                wiring.ends.keys().try_for_each(|end| write!(f, " {end}"))
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
                links.iter().try_for_each(|(at, device, end)| write!(f, " {at}.{device}={end}"))
            }
        }
    }
}

impl fmt::Display for RouteEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RouteEntry { destination, via, device, onlink } = self;
        if destination.prefix_len() == 0 {
            f.write_str("default")?;
        } else {
            write!(f, "{destination}")?;
        }
        if let Some(via) = via {
            write!(f, " via {via}")?;
        }
        write!(f, " dev {device}")?;
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
