//! What every node and every network is to look like.
//!
//! Derived from a spec, wholly and anew each time: two equal specs have equal
//! states, however they came about.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::nat::{Nat, Nat6};
use super::routing::Routing;
use super::settings::{self, NodeRole, Sysctl};
use super::spec::{
    InterfaceSpec, LinkEndId, NodeId, NodeSpec, SegmentId, SegmentKind, Spec, interface_index,
    wan_of,
};
use super::translate::{ForwardedPort, Translation, TranslationMode};
use crate::addr::{Family, MacAddr, Subnet};
use crate::error::Result;
use crate::netlink::nftables::Table;

/// The most ports that a hub has: each holds a filter for every other port, and
/// a filter that floods takes 32 actions at most (TCA_ACT_MAX_PRIO). Above some
/// twenty, a bridge is set up sooner than the filters.
pub(super) const HUB_MAX: usize = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NetworkState {
    pub(crate) nodes: BTreeMap<NodeId, NodeState>,
    pub(crate) segments: BTreeMap<SegmentId, Wiring>,
    /// Of /etc/hosts, the same for every node.
    pub(crate) hosts: Vec<HostEntry>,
    /// Of /etc/resolv.conf, the same for every node; none: as the test began.
    pub(crate) name_servers: Vec<IpAddr>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeState {
    pub(crate) name: String,
    pub(crate) hostname: String,
    pub(crate) settings: Arc<Vec<Sysctl>>,
    pub(crate) links: BTreeMap<u8, LinkState>,
    pub(crate) routes: BTreeSet<RouteEntry>,
    pub(crate) rules: Ruleset,
}

/// All of our tables in one node. Replaced as a whole, in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    pub(crate) tables: Vec<Table>,
    /// Connection tracking's timeouts, written behind the tables.
    pub(crate) timeouts: Vec<Sysctl>,
}

/// A veth pair: the interface in the node, the port in the fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkState {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) mac: MacAddr,
    pub(crate) mtu: u32,
    pub(crate) ipv6: bool,
    pub(crate) port: LinkEndId,
    pub(crate) addrs: BTreeSet<(IpAddr, u8)>,
    pub(crate) neighbours: BTreeSet<(IpAddr, MacAddr)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RouteEntry {
    pub(crate) destination: Subnet,
    pub(crate) via: IpAddr,
    pub(crate) device: String,
    /// Whether `via` is taken to be on the link, whatever the addresses say.
    pub(crate) onlink: bool,
}

/// How the ports of a LAN or link are joined in the fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// "LAN `home`".
    pub(crate) title: String,
    pub(crate) medium: Medium,
    pub(crate) ports: BTreeMap<LinkEndId, MacAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Two ports, each redirected to the other.
    Cable,
    /// Filters by MAC address, and one that floods the rest.
    Hub,
    /// A bridge device of this number.
    Bridge(LinkEndId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostEntry {
    pub(crate) addr: IpAddr,
    /// The hostname first, which look-ups of the address answer.
    pub(crate) names: Vec<String>,
}

impl NetworkState {
    /// # Errors
    /// What only shows in the whole: routes that nobody can have, circles,
    /// overlapping networks that one node sees.
    pub(crate) fn of(spec: &Spec) -> Result<Self> {
        let mut state =
            NetworkState { name_servers: spec.name_server_addrs(), ..NetworkState::default() };
        if spec.netns.is_some() {
            return Ok(state);
        }
        let routing = Routing::new(spec)?;
        for (id, segment) in &spec.segments {
            let wiring =
                Wiring { title: segment.to_string(), medium: Medium::Hub, ports: BTreeMap::new() };
            state.segments.insert(*id, wiring);
        }
        for (id, node) in &spec.nodes {
            for interface in node.interfaces.values() {
                if let Some(wiring) = state.segments.get_mut(&interface.segment) {
                    wiring.ports.insert(interface.port, interface.mac);
                }
            }
            state.nodes.insert(*id, node_state(spec, &routing, *id, node)?);
            state.hosts.extend(host_entries(node));
        }
        for (id, wiring) in &mut state.segments {
            let segment = spec.segment(*id)?;
            wiring.medium = match segment.kind {
                SegmentKind::Link => Medium::Cable,
                SegmentKind::Lan if spec.bridges_only || wiring.ports.len() > HUB_MAX => {
                    Medium::Bridge(segment.bridge)
                }
                SegmentKind::Lan => Medium::Hub,
            };
        }
        Ok(state)
    }
}

fn node_state(
    spec: &Spec,
    routing: &Routing<'_>,
    id: NodeId,
    node: &NodeSpec,
) -> Result<NodeState> {
    let (routes, neighbours) = routing.of(id)?;
    let mut links = BTreeMap::new();
    for (slot, interface) in &node.interfaces {
        let segment = spec.segment(interface.segment)?;
        let addrs = Family::BOTH.into_iter().filter_map(|family| {
            Some((interface.addr(family)?, segment.subnet(family)?.prefix_len()))
        });
        let here = neighbours.iter().filter(|(device, ..)| *device == interface.name);
        links.insert(
            *slot,
            LinkState {
                name: interface.name.clone(),
                // `lo` is 1, in every namespace.
                index: interface_index(*slot),
                mac: interface.mac,
                mtu: segment.mtu,
                ipv6: segment.v6.is_some(),
                port: interface.port,
                addrs: addrs.collect(),
                neighbours: here.map(|(_, addr, mac)| (*addr, *mac)).collect(),
            },
        );
    }
    Ok(NodeState {
        name: node.name.to_string(),
        hostname: node.name.hostname().to_owned(),
        settings: settings::settings(NodeRole {
            forwards: node.router.is_some(),
            ipv6: spec.ipv6,
            root: spec.root,
        }),
        links,
        routes,
        rules: rules(spec, node),
    })
}

fn rules(spec: &Spec, node: &NodeSpec) -> Ruleset {
    let mut rules = Ruleset::default();
    let (Some(router), Some(wan)) = (&node.router, wan_of(node)) else {
        return rules;
    };
    let mut nats: Vec<Nat> = router.nat.into_iter().collect();
    if let Nat6::Nat(nat) = router.nat6 {
        nats.push(nat);
    }
    for family in Family::BOTH {
        let Some(wan_addr) = wan.addr(family) else {
            continue;
        };
        let lans = spec.lan_subnets(node, family);
        let kind = match (family, router.nat, router.nat6) {
            (Family::V4, Some(nat), _) | (Family::V6, _, Nat6::Nat(nat)) => {
                TranslationMode::Nat(nat)
            }
            (Family::V6, _, Nat6::Prefix(external)) => match lans.first() {
                Some(internal) => TranslationMode::Prefix { internal: *internal, external },
                None => TranslationMode::Routed,
            },
            (Family::V4, None, _) | (Family::V6, _, Nat6::Routed) => TranslationMode::Routed,
        };
        let forwards = router.forwards.iter().filter_map(|forward| {
            Some(ForwardedPort {
                protocol: forward.protocol,
                port: forward.port,
                to: spec.behind(node, spec.nodes.get(&forward.node)?, family)?,
                to_port: forward.node_port,
            })
        });
        let translation = Translation {
            family,
            wan: wan.name.clone(),
            wan_addr,
            lans,
            kind,
            firewall: router.firewall,
            forwards: forwards.collect(),
        };
        rules.tables.extend(translation.table());
    }
    // One set of timers in a namespace; of two NATs, the longer ones.
    if let (Some(udp), Some(tcp)) =
        (nats.iter().map(|nat| nat.udp_timeout).max(), nats.iter().map(|nat| nat.tcp_timeout).max())
    {
        rules.timeouts = settings::conntrack(udp, tcp);
    }
    rules
}

fn host_entries(node: &NodeSpec) -> impl Iterator<Item = HostEntry> + '_ {
    let mut names = vec![node.name.hostname().to_owned()];
    if node.name.as_str() != node.name.hostname() {
        names.push(node.name.to_string());
    }
    names.extend(node.aliases.iter().cloned());
    let addrs = node.interfaces.values().flat_map(InterfaceSpec::addrs);
    addrs.map(move |addr| HostEntry { addr, names: names.clone() })
}
