//! The operations that lead from one state to another.
//!
//! The kernel removes dependent objects by itself: with the last IPv4 address of a device,
//! all its IPv4 routes (fib_disable_ip() in net/ipv4/fib_frontend.c); with an IPv6 address,
//! the routes that need it; with a device, everything on it. Such routes are deleted
//! explicitly before, and added again if they are still wanted. So the model and the kernel
//! agree after every operation.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::changes::{Change, Changes, NodeRef};
use super::routing::RouteEntry;
use super::spec::{LinkEndId, NodeId};
use super::state::{LinkState, NetworkState, NodeState, Wiring};
use super::translate::ForwardedPort;
use crate::addr::Family;

impl Changes {
    /// The operations that lead from `old` to `new`; none if they are equal.
    pub(crate) fn between(old: &NetworkState, new: &NetworkState) -> Self {
        let mut down = Vec::new();
        let mut up = Phases::default();
        let mut moved: BTreeSet<LinkEndId> = BTreeSet::new();

        let changed = old.nodes.differences(&new.nodes);
        for id in &changed {
            if let Some(node) = old.nodes.get(id) {
                tear_down(&mut down, *id, node, new.nodes.get(id).map(|now| &**now));
            }
        }
        let rewired = old.segments.differences(&new.segments);
        let mut unwired = Vec::new();
        for id in &rewired {
            let Some(wiring) = old.segments.get(id) else { continue };
            match new.segments.get(id) {
                None => unwired.push(Change::Unwire { segment: *id, title: wiring.title.clone() }),
                Some(now) => {
                    let kept = remaining(wiring, now);
                    if !Arc::ptr_eq(&kept, wiring) {
                        unwired.push(Change::Wire { segment: *id, wiring: kept });
                    }
                }
            }
        }
        // A link is unwired before it is deleted: wiring comes after routes, before links.
        let links = down
            .iter()
            .position(|change| matches!(change, Change::DelLink { .. } | Change::DelNode { .. }));
        let at = links.unwrap_or(down.len());
        down.splice(at..at, unwired);

        for id in &changed {
            if let Some(node) = new.nodes.get(id) {
                build_up(&mut up, *id, old.nodes.get(id).map(|before| &**before), node);
            }
        }
        for id in &rewired {
            let Some(wiring) = new.segments.get(id) else { continue };
            let before = old.segments.get(id);
            if before.map(|before| remaining(before, wiring)).as_ref() != Some(wiring) {
                let known = before.map(|before| before.ends.clone()).unwrap_or_default();
                let others = known.differences(&wiring.ends).into_iter();
                moved.extend(others.filter(|end| !known.contains_key(end)));
                up.wiring.push(Change::Wire { segment: *id, wiring: Arc::clone(wiring) });
            }
        }
        let mut list = down;
        list.extend(up.into_ops());
        if old.hosts != new.hosts {
            list.push(Change::SetHosts { hosts: new.hosts.clone() });
        }
        if old.name_servers != new.name_servers {
            list.push(Change::SetNameServers { addrs: new.name_servers.clone() });
        }
        // Mostly their nodes have changed, too. When changes are undone, others are looked for.
        let in_changed = changed.iter().filter_map(|id| Some((id, new.nodes.get(id)?)));
        let mut links = links_at(&moved, in_changed);
        if links.len() < moved.len() {
            links = links_at(&moved, new.nodes.iter());
        }
        if !links.is_empty() {
            list.push(Change::Settle { links });
        }
        Changes { list }
    }
}

/// The links of these nodes that have one of these link ends.
fn links_at<'a>(
    ends: &BTreeSet<LinkEndId>,
    nodes: impl Iterator<Item = (&'a NodeId, &'a Arc<NodeState>)>,
) -> Vec<(NodeRef, String, LinkEndId)> {
    nodes
        .flat_map(|(id, node)| node.links.values().map(move |link| (id, node, link)))
        .filter(|(.., link)| ends.contains(&link.end))
        .map(|(id, node, link)| (NodeRef::new(*id, node), link.name.clone(), link.end))
        .collect()
}

/// What is added, in this order across all nodes. A node's links belong to its phase: they
/// need no other node, and are made while other nodes are being made.
#[derive(Default)]
struct Phases {
    nodes: Vec<Change>,
    wiring: Vec<Change>,
    addrs: Vec<Change>,
    routes: Vec<Change>,
}

impl Phases {
    fn into_ops(self) -> impl Iterator<Item = Change> {
        [self.nodes, self.wiring, self.addrs, self.routes].into_iter().flatten()
    }
}

/// `old` without the link ends that do not stay; `old` itself if all stay.
fn remaining(old: &Arc<Wiring>, new: &Arc<Wiring>) -> Arc<Wiring> {
    let mut left = old.ends.differences(&new.ends);
    left.retain(|end| old.ends.contains_key(end));
    if left.is_empty() {
        return Arc::clone(old);
    }
    let mut kept = Wiring::clone(old);
    left.iter().for_each(|end| kept.ends.remove(end));
    Arc::new(kept)
}

/// Whether both are one device: all but the MTU, IPv6 and offloads is fixed when it is made.
fn same_device(old: &LinkState, new: &LinkState) -> bool {
    (&old.name, old.index, old.mac, old.end) == (&new.name, new.index, new.mac, new.end)
}

/// The link at `slot` after the change, if it is still the same device.
fn survivor<'a>(slot: u8, old: &LinkState, new: Option<&'a NodeState>) -> Option<&'a LinkState> {
    new?.links.get(&slot).filter(|new| same_device(old, new))
}

/// Whether a route stays in the kernel through the change.
fn route_stays(route: &RouteEntry, old: &NodeState, new: Option<&NodeState>) -> bool {
    let Some((slot, link)) = old.links.iter().find(|(_, link)| link.name == route.device) else {
        return false;
    };
    let family = route.destination.family();
    let addrs = |link: &LinkState| -> Vec<_> {
        link.addrs.iter().filter(|(addr, _)| Family::of(*addr) == family).copied().collect()
    };
    let undisturbed = survivor(*slot, link, new).is_some_and(|now| {
        let now = addrs(now);
        addrs(link).iter().all(|addr| now.contains(addr))
    });
    undisturbed && new.is_some_and(|new| new.routes.contains(route))
}

fn tear_down(list: &mut Vec<Change>, id: NodeId, node: &NodeState, new: Option<&NodeState>) {
    let at = || NodeRef::new(id, node);
    let mut early = Vec::new();
    let mut late = Vec::new();
    for route in node.routes.iter().filter(|route| !route_stays(route, node, new)) {
        early.push(Change::DelRoute { at: at(), route: route.clone() });
    }
    for (slot, link) in &node.links {
        let device = link.name.clone();
        let Some(now) = survivor(*slot, link, new) else {
            late.push(Change::DelLink { at: at(), slot: *slot, device, end: link.end });
            continue;
        };
        for (addr, _) in link.neighbours.difference(&now.neighbours) {
            early.push(Change::DelNeighbour {
                at: at(),
                slot: *slot,
                device: device.clone(),
                addr: *addr,
            });
        }
        for (addr, len) in link.addrs.difference(&now.addrs) {
            early.push(Change::DelAddr {
                at: at(),
                slot: *slot,
                device: device.clone(),
                addr: *addr,
                len: *len,
            });
        }
    }
    if new.is_none() {
        // The namespace removes its links with it, which takes less than one by one.
        early.clear();
        late = vec![Change::DelNode { at: at() }];
    }
    let first_late = list
        .iter()
        .position(|change| matches!(change, Change::DelLink { .. } | Change::DelNode { .. }));
    let split = first_late.unwrap_or(list.len());
    list.splice(split..split, early);
    list.extend(late);
}

/// Whether known conversations of a router are translated by an address that is not the one any
/// more: one that the router has lost, or that a node had to which a port is forwarded. They
/// would keep their translation, and refresh its mappings.
fn translated_by_a_lost_address(old: &NodeState, new: &NodeState) -> bool {
    let moved = |forward: &ForwardedPort| {
        let mut now = new.rules.forwards.iter();
        let same = |now: &ForwardedPort| {
            (now.protocol, now.port, now.to.is_ipv4())
                == (forward.protocol, forward.port, forward.to.is_ipv4())
        };
        now.any(|now| same(now) && now.to != forward.to)
    };
    if old.rules.forwards.iter().any(moved) {
        return true;
    }
    let lost = |(slot, link): (&u8, &LinkState)| match survivor(*slot, link, Some(new)) {
        Some(now) => !link.addrs.is_subset(&now.addrs),
        None => true,
    };
    !old.rules.tables.is_empty() && old.links.iter().any(lost)
}

fn build_up(up: &mut Phases, id: NodeId, old: Option<&NodeState>, node: &NodeState) {
    let at = || NodeRef::new(id, node);
    if old.is_none() {
        up.nodes.push(Change::AddNode { at: at(), hostname: node.hostname.clone() });
    }
    if old.is_none_or(|old| !Arc::ptr_eq(&old.settings, &node.settings)) {
        let known = |setting| old.is_some_and(|old| old.settings.contains(setting));
        let settings: Vec<_> = node.settings.iter().filter(|s| !known(s)).cloned().collect();
        if !settings.is_empty() {
            up.nodes.push(Change::SetSysctls { at: at(), settings });
        }
    }
    if old.map_or(!node.rules.tables.is_empty(), |old| old.rules != node.rules) {
        if old.is_some_and(|old| translated_by_a_lost_address(old, node)) {
            up.nodes.extend(Changes::flush_nat(id, node).list);
        } else {
            up.nodes.push(Change::SetRules { at: at(), rules: node.rules.clone() });
        }
    }
    let nothing = (BTreeSet::new(), BTreeSet::new());
    for (slot, link) in &node.links {
        let before = old.and_then(|old| old.links.get(slot)).filter(|old| same_device(old, link));
        let device = link.name.clone();
        match before {
            None => up.nodes.push(Change::AddLink { at: at(), slot: *slot, link: link.bare() }),
            Some(before) if before.mtu != link.mtu => {
                up.nodes.push(Change::SetMtu {
                    at: at(),
                    slot: *slot,
                    device: device.clone(),
                    end: link.end,
                    mtu: link.mtu,
                });
            }
            Some(_) => {}
        }
        if before.is_none_or(|before| before.ipv6) != link.ipv6 {
            let device = device.clone();
            up.nodes.push(Change::SetIpv6 { at: at(), slot: *slot, device, on: link.ipv6 });
        }
        if before.is_none_or(|before| before.offloads) != link.offloads {
            up.nodes.push(Change::SetOffloads {
                at: at(),
                slot: *slot,
                device: device.clone(),
                end: link.end,
                on: link.offloads,
            });
        }
        let (addrs, neighbours) =
            before.map_or((&nothing.0, &nothing.1), |b| (&b.addrs, &b.neighbours));
        for (addr, len) in link.addrs.difference(addrs) {
            up.addrs.push(Change::AddAddr {
                at: at(),
                slot: *slot,
                device: device.clone(),
                addr: *addr,
                len: *len,
            });
        }
        for (addr, mac) in link.neighbours.difference(neighbours) {
            up.addrs.push(Change::AddNeighbour {
                at: at(),
                slot: *slot,
                device: device.clone(),
                addr: *addr,
                mac: *mac,
            });
        }
    }
    for route in &node.routes {
        let stays = old
            .is_some_and(|old| old.routes.contains(route) && route_stays(route, old, Some(node)));
        if !stays {
            up.routes.push(Change::AddRoute { at: at(), route: route.clone() });
        }
    }
}

impl LinkState {
    /// The device before it has addresses.
    pub(crate) fn bare(&self) -> Self {
        Self {
            ipv6: true,
            offloads: true,
            addrs: BTreeSet::new(),
            neighbours: BTreeSet::new(),
            ..self.clone()
        }
    }
}
