//! What every node and every network is to look like.
//!
//! A state follows from a spec: equal specs have equal states, whatever edits led to them.
//! Nodes and wirings that an edit does not affect are shared between the states before and
//! after it, so that planning costs what changes and not the whole network.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use litemap::LiteMap;

use super::nat::{Firewall, Nat, Nat6};
use super::routing::{RouteEntry, Routing};
use super::settings::{self, NodeRole, Sysctl};
use super::shared_map::SharedMap;
use super::spec::{
    InterfaceSpec, LinkEndId, NodeId, NodeSpec, SegmentId, SegmentKind, Spec, interface_index,
    wan_of,
};
use super::translate::{ForwardedPort, Translation, TranslationMode};
use crate::addr::{Family, MacAddr};
use crate::error::Result;
use crate::netlink::nftables::Table;

/// The most link ends of a hub. Each has a filter for every other one, and a filter that
/// floods takes at most 32 actions (TCA_ACT_MAX_PRIO). With more than about twenty, a bridge
/// takes less time to set up than the filters.
pub(super) const HUB_MAX: usize = 20;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NetworkState {
    pub(crate) nodes: SharedMap<NodeId, Arc<NodeState>>,
    pub(crate) segments: SharedMap<SegmentId, Arc<Wiring>>,
    pub(crate) hosts: Hosts,
    /// The addresses in /etc/resolv.conf, which all nodes share. If there are none, the
    /// file is as it was when the test began.
    pub(crate) name_servers: Vec<IpAddr>,
}

/// The lines of each node in /etc/hosts, as text. All nodes share the file.
pub(crate) type Hosts = SharedMap<NodeId, Arc<str>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeState {
    pub(crate) name: String,
    pub(crate) hostname: String,
    pub(crate) settings: Arc<Vec<Sysctl>>,
    pub(crate) links: LiteMap<u8, LinkState>,
    pub(crate) routes: BTreeSet<RouteEntry>,
    pub(crate) rules: Ruleset,
}

/// All of our tables in one node. They are replaced together, in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    pub(crate) tables: Vec<Table>,
    /// The timeouts of connection tracking, written after the tables.
    pub(crate) timeouts: Vec<Sysctl>,
    /// The ports that are forwarded, of both IP versions.
    pub(crate) forwards: Vec<ForwardedPort>,
    /// The name of the interface on the WAN, and what the tables do there, for readers.
    pub(crate) wan: String,
    pub(crate) described: Vec<String>,
}

/// A veth pair: the interface in the node, and the link end in the fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkState {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) mac: MacAddr,
    pub(crate) mtu: u32,
    pub(crate) ipv6: bool,
    pub(crate) offloads: bool,
    pub(crate) end: LinkEndId,
    pub(crate) addrs: BTreeSet<(IpAddr, u8)>,
    pub(crate) neighbours: BTreeSet<(IpAddr, MacAddr)>,
}

/// How the link ends of a LAN or link are joined in the fabric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// "LAN `home`".
    pub(crate) title: String,
    pub(crate) medium: Medium,
    pub(crate) ends: SharedMap<LinkEndId, MacAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Two link ends, each redirected to the other.
    Cable,
    /// Filters by MAC address, and one that floods all other frames.
    Hub,
    /// A bridge device of this number.
    Bridge(LinkEndId),
}

impl NetworkState {
    /// The state that follows from a spec.
    ///
    /// # Errors
    /// What only shows in the whole: routes that no node can have, default routes that
    /// lead in a circle, overlapping networks that one node sees.
    pub(crate) fn of(spec: &Spec) -> Result<Self> {
        Derivation { spec, before: None }.state()
    }

    /// [`of`](Self::of) `spec`, given that this is the state of `before`. What `before`
    /// and `spec` have in common is taken over, without being derived again.
    pub(crate) fn after(&self, before: &Spec, spec: &Spec) -> Result<Self> {
        Derivation { spec, before: Some((before, self)) }.state()
    }
}

/// How the state of a spec is derived, if need be from an earlier spec and its state.
struct Derivation<'a> {
    spec: &'a Spec,
    before: Option<(&'a Spec, &'a NetworkState)>,
}

impl Derivation<'_> {
    fn state(&self) -> Result<NetworkState> {
        let Self { spec, .. } = self;
        if spec.netns.is_some() {
            let name_servers = spec.name_server_addrs();
            return Ok(NetworkState { name_servers, ..NetworkState::default() });
        }
        let (nothing, nowhere) = (Spec::nothing(), NetworkState::default());
        let (before, known) = self.before.unwrap_or((&nothing, &nowhere));
        let changed = before.nodes.differences(&spec.nodes);
        let routing = Routing::new(spec)?;
        let mut state = known.clone();
        state.name_servers = spec.name_server_addrs();
        state.segments = self.wirings(&changed);
        for id in changed.iter().filter(|id| !spec.nodes.contains_key(id)) {
            state.nodes.remove(id);
            state.hosts.remove(id);
        }
        for id in affected(before, spec, changed) {
            let Some(node) = spec.nodes.get(&id) else { continue };
            let node_state = node_state(spec, &routing, id, node)?;
            if state.nodes.get(&id).is_none_or(|known| **known != node_state) {
                state.nodes.insert(id, Arc::new(node_state));
            }
            match host_entries(node) {
                none if none.is_empty() => state.hosts.remove(&id),
                lines if state.hosts.get(&id).is_some_and(|known| **known == *lines) => {}
                lines => state.hosts.insert(id, lines.into()),
            }
        }
        Ok(state)
    }

    /// Of a segment on which no node has changed, the wiring stays as it was.
    fn wirings(&self, changed: &[NodeId]) -> SharedMap<SegmentId, Arc<Wiring>> {
        let spec = self.spec;
        let mut left: LiteMap<SegmentId, Vec<LinkEndId>> = LiteMap::new();
        let mut joined: LiteMap<SegmentId, Vec<&InterfaceSpec>> = LiteMap::new();
        let mut wirings = SharedMap::default();
        let mut segments: BTreeSet<SegmentId> = BTreeSet::new();
        match self.before {
            Some((before, known)) => {
                wirings = known.segments.clone();
                segments.extend(before.segments.differences(&spec.segments));
                let nodes = changed.iter().filter_map(|id| before.nodes.get(id));
                for interface in nodes.flat_map(|node| node.interfaces.values()) {
                    left.entry(interface.segment).or_default().push(interface.end);
                }
            }
            None => segments.extend(spec.segments.keys()),
        }
        let nodes = changed.iter().filter_map(|id| spec.nodes.get(id));
        for interface in nodes.flat_map(|node| node.interfaces.values()) {
            joined.entry(interface.segment).or_default().push(interface);
        }
        segments.extend(left.keys().chain(joined.keys()));
        for id in segments {
            let Some(segment) = spec.segments.get(&id) else {
                wirings.remove(&id);
                continue;
            };
            let known = wirings.get(&id);
            let mut ends = known.map(|known| known.ends.clone()).unwrap_or_default();
            left.get(&id).into_iter().flatten().for_each(|end| ends.remove(end));
            ends.extend(joined.get(&id).into_iter().flatten().map(|i| (i.end, i.mac)));
            let medium = match segment.kind {
                SegmentKind::Link => Medium::Cable,
                SegmentKind::Lan if spec.bridges_only || ends.len() > HUB_MAX => {
                    Medium::Bridge(segment.bridge)
                }
                SegmentKind::Lan => Medium::Hub,
            };
            let wiring = Wiring { title: segment.to_string(), medium, ends };
            if known.is_none_or(|known| **known != wiring) {
                wirings.insert(id, Arc::new(wiring));
            }
        }
        wirings
    }
}

/// The nodes with another state in `now` than in `before`, and perhaps others. `changed` are
/// those with another spec.
fn affected(before: &Spec, now: &Spec, changed: Vec<NodeId>) -> BTreeSet<NodeId> {
    let flags = |spec: &Spec| (spec.ipv6, spec.root, spec.bridges_only, spec.netns.is_some());
    let overlap = |spec: &Spec| spec.segments.values().any(|segment| segment.may_overlap);
    let moved: BTreeSet<SegmentId> = before
        .segments
        .differences(&now.segments)
        .into_iter()
        .filter(|id| match (before.segments.get(id), now.segments.get(id)) {
            (Some(old), Some(new)) => (old.v4, old.v6, old.mtu) != (new.v4, new.v6, new.mtu),
            _ => true,
        })
        .collect();
    let on_moved = |node: &NodeSpec| node.interfaces.values().any(|i| moved.contains(&i.segment));
    // The routes of all nodes depend on the routers and on what these are on.
    let router_changed =
        changed.iter().any(|id| [before, now].iter().any(|spec| spec.routers.contains(id)));
    if router_changed
        || flags(before) != flags(now)
        || overlap(before) != overlap(now)
        || now.routers().any(|(_, router)| on_moved(router))
    {
        return now.nodes.keys().copied().collect();
    }
    let mut affected: BTreeSet<NodeId> = changed.into_iter().collect();
    // These depend on addresses of other nodes.
    affected.extend(&now.routed);
    let forwards = |node: &NodeSpec| node.router.iter().any(|router| !router.forwards.is_empty());
    affected.extend(now.routers().filter(|(_, router)| forwards(router)).map(|(id, _)| id));
    if moved.iter().any(|id| before.segments.contains_key(id)) {
        affected.extend(now.nodes().filter(|(_, node)| on_moved(node)).map(|(id, _)| id));
    }
    affected
}

fn node_state(
    spec: &Spec,
    routing: &Routing<'_>,
    id: NodeId,
    node: &NodeSpec,
) -> Result<NodeState> {
    let (routes, neighbours) = routing.of(id)?;
    let mut links = LiteMap::new();
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
                index: interface_index(*slot),
                mac: interface.mac,
                mtu: segment.mtu,
                ipv6: segment.v6.is_some(),
                offloads: node.offloads,
                end: interface.end,
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
    if router.firewall == Firewall::BlockInbound {
        rules.described.push("firewall block-inbound".to_owned());
    }
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
        if let TranslationMode::Nat(nat) = kind {
            rules.described.push(nat.to_string());
        }
        let translation = Translation {
            family,
            wan: wan.name.clone(),
            wan_addr,
            lans,
            kind,
            firewall: router.firewall,
            forwards: forwards.collect(),
            rebound: router.rebound.clone(),
        };
        rules.tables.extend(translation.table());
        rules.described.extend(translation.forwards.iter().map(|forward| {
            let ForwardedPort { protocol, port, to, to_port } = forward;
            format!("forward {protocol} {port} to {}", SocketAddr::new(*to, *to_port))
        }));
        rules.forwards.extend(translation.forwards);
    }
    if !rules.described.is_empty() {
        rules.wan.clone_from(&wan.name);
    }
    // A namespace has one set of timeouts. Of two NATs, the longer ones are used.
    if let (Some(udp), Some(tcp)) =
        (nats.iter().map(|nat| nat.udp_timeout).max(), nats.iter().map(|nat| nat.tcp_timeout).max())
    {
        rules.timeouts = settings::conntrack(udp, tcp);
    }
    rules
}

/// The lines of a node in /etc/hosts. The hostname is the first of the names: it is what
/// a look-up of the address returns.
fn host_entries(node: &NodeSpec) -> String {
    let mut names = node.name.hostname().to_owned();
    let other = Some(node.name.as_str()).filter(|name| *name != node.name.hostname());
    for name in other.into_iter().chain(node.aliases.iter().map(String::as_str)) {
        names.extend([" ", name]);
    }
    let addrs = node.interfaces.values().flat_map(InterfaceSpec::ips);
    addrs.map(|addr| format!("{addr} {names}\n")).collect()
}
