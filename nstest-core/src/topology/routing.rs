//! The routes of nodes, which follow from the LANs and routers.
//!
//! - A node's default route leads to the router that serves (`lan`) its first network, by
//!   interface, that has one. Of several routers, the one that was made first is used. The
//!   default route of a router leads out of its WAN only.
//! - A network that only another router leads to gets a static route, by the fewest hops, then
//!   by the router that was made first.
//! - Networks behind a NAT have no route from outside. Those behind a prefix translation have
//!   one to the external prefix.
//! - Multicast and the limited broadcast (IPv4) take the default route. A node that has none
//!   gets routes for them on its first interface.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use litemap::LiteMap;

use super::errors;
use super::nat::Nat6;
use super::spec::{DefaultVia, InterfaceRole, InterfaceSpec, NodeId, NodeSpec, SegmentId, Spec};
use crate::addr::{Family, MacAddr, Subnet};
use crate::error::Result;

/// The next hops of a default route that is a blackhole: addresses that no interface has,
/// link-local ones, with a neighbour entry that leads to [`MacAddr::UNASSIGNED`].
const VOID_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);
const VOID_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xdead);

/// Multicast (RFC 5771), and the limited broadcast (RFC 919).
const MULTICAST: [(Ipv4Addr, u8); 2] =
    [(Ipv4Addr::new(224, 0, 0, 0), 4), (Ipv4Addr::BROADCAST, 32)];

/// A route of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RouteEntry {
    pub(crate) destination: Subnet,
    /// The next hop; `None` for destinations that are on the link.
    pub(crate) via: Option<IpAddr>,
    pub(crate) device: String,
    /// Whether `via` counts as being on the link, even if no subnet of the device has it.
    pub(crate) onlink: bool,
}

/// The next hop of a route.
#[derive(Debug, Clone)]
struct NextHop {
    router: NodeId,
    via: IpAddr,
    device: String,
}

pub(super) struct Routing<'a> {
    spec: &'a Spec,
    routers: LiteMap<SegmentId, Vec<(NodeId, &'a NodeSpec, &'a InterfaceSpec)>>,
    may_overlap: bool,
}

/// A permanent neighbour entry, and its device.
pub(super) type Neighbour = (String, IpAddr, MacAddr);

impl<'a> Routing<'a> {
    pub(super) fn new(spec: &'a Spec) -> Result<Self> {
        let mut routers: LiteMap<_, Vec<_>> = LiteMap::new();
        for (id, node) in spec.routers() {
            for interface in node.interfaces.values() {
                routers.entry(interface.segment).or_default().push((id, node, interface));
            }
        }
        let may_overlap = spec.segments.values().any(|s| s.may_overlap);
        let routing = Self { spec, routers, may_overlap };
        for family in Family::BOTH {
            routing.check_cycles(family)?;
        }
        Ok(routing)
    }

    /// The routes and permanent neighbours of a node.
    pub(super) fn of(&self, id: NodeId) -> Result<(BTreeSet<RouteEntry>, Vec<Neighbour>)> {
        let node = self.spec.node(id)?;
        let mut routes = BTreeSet::new();
        let mut neighbours = Vec::new();
        for (destination, gateway) in &node.routes {
            routes.insert(self.explicit(id, node, *destination, *gateway)?);
        }
        if let DefaultVia::Router(router) = node.default {
            self.check_via(node, router)?;
        }
        if node.default == DefaultVia::Blackhole && node.interfaces.is_empty() {
            return Err(errors::blackhole_nowhere(&node.title()));
        }
        for family in Family::BOTH {
            let mut derived = Vec::new();
            match node.default {
                DefaultVia::Auto | DefaultVia::Router(_) => {
                    derived = self.derived(id, node, family)?;
                }
                DefaultVia::None => {}
                DefaultVia::Blackhole => {
                    let first = node.interfaces.values().find(|i| i.addr(family).is_some());
                    if let Some(interface) = first {
                        let via = match family {
                            Family::V4 => VOID_V4.into(),
                            Family::V6 => VOID_V6.into(),
                        };
                        let device = interface.name.clone();
                        neighbours.push((device.clone(), via, MacAddr::UNASSIGNED));
                        derived.push(RouteEntry {
                            destination: everything(family),
                            via: Some(via),
                            device,
                            onlink: true,
                        });
                    }
                }
            }
            let is_default = |route: &RouteEntry| route.destination == everything(family);
            if family == Family::V4 && !derived.iter().chain(&routes).any(is_default) {
                derived.extend(multicast(node));
            }
            for route in derived {
                if node.routes.iter().all(|(d, _)| *d != route.destination) {
                    routes.insert(route);
                }
            }
        }
        Ok((routes, neighbours))
    }

    fn derived(&self, id: NodeId, node: &'a NodeSpec, family: Family) -> Result<Vec<RouteEntry>> {
        let hops = self.hops(id, node, family);
        if hops.is_empty() && !self.may_overlap {
            return Ok(vec![]);
        }
        let default = self.default_hop(id, node, family);
        let (by_default, others): (Vec<NextHop>, Vec<NextHop>) =
            (hops.into_iter()).partition(|hop| {
                default.as_ref().is_some_and(|d| (d.router, d.via) == (hop.router, hop.via))
            });
        let covered = self.probe(id, node, family, &by_default);
        let beside = self.probe(id, node, family, &others);
        if self.may_overlap {
            self.check_seen(node, family, covered.iter().chain(&beside))?;
        }
        let reached: BTreeSet<Subnet> = covered.iter().map(|(subnet, ..)| *subnet).collect();
        let route = |destination, hop: &NextHop| RouteEntry {
            destination,
            via: Some(hop.via),
            device: hop.device.clone(),
            onlink: false,
        };
        let mut routes: Vec<RouteEntry> =
            default.iter().map(|hop| route(everything(family), hop)).collect();
        routes.extend(
            beside
                .iter()
                .filter(|(subnet, ..)| !reached.contains(subnet))
                .map(|(subnet, _, hop)| route(*subnet, hop)),
        );
        Ok(routes)
    }

    /// The routers that share a network with a node, on which both have an address.
    fn hops(&self, id: NodeId, node: &NodeSpec, family: Family) -> Vec<NextHop> {
        let mut hops = Vec::new();
        for own in node.interfaces.values().filter(|i| i.addr(family).is_some()) {
            for (router, _, interface) in self.routers.get(&own.segment).into_iter().flatten() {
                if let (true, Some(via)) = (*router != id, interface.addr(family)) {
                    hops.push(NextHop { router: *router, via, device: own.name.clone() });
                }
            }
        }
        hops
    }

    fn default_hop(&self, id: NodeId, node: &NodeSpec, family: Family) -> Option<NextHop> {
        let chosen = match node.default {
            DefaultVia::Router(router) => Some(router),
            DefaultVia::Auto => None,
            DefaultVia::None | DefaultVia::Blackhole => return None,
        };
        let mut own = node.interfaces.values().filter(|i| i.addr(family).is_some());
        own.find_map(|own| {
            let serving =
                self.routers.get(&own.segment).into_iter().flatten().find(|(router, _, there)| {
                    *router != id
                        && there.addr(family).is_some()
                        && match chosen {
                            Some(chosen) => *router == chosen,
                            None => {
                                there.side == InterfaceRole::Lan
                                    && (node.router.is_none() || own.side == InterfaceRole::Wan)
                            }
                        }
                });
            let (router, _, there) = serving?;
            Some(NextHop { router: *router, via: there.addr(family)?, device: own.name.clone() })
        })
    }

    /// The subnets beyond these next hops, the nearest first.
    fn probe(
        &self,
        id: NodeId,
        node: &NodeSpec,
        family: Family,
        hops: &[NextHop],
    ) -> Vec<(Subnet, String, NextHop)> {
        let mut seen: BTreeSet<SegmentId> = node.interfaces.values().map(|i| i.segment).collect();
        let mut prefixes: BTreeSet<Subnet> = BTreeSet::new();
        let mut found = Vec::new();
        let mut queue: VecDeque<(NodeId, SegmentId, &NextHop)> = VecDeque::new();
        for hop in hops {
            let own = node.interfaces.values().find(|i| i.name == hop.device);
            queue.extend(own.map(|own| (hop.router, own.segment, hop)));
        }
        while let Some((router, from, hop)) = queue.pop_front() {
            let Some(node) = self.spec.nodes.get(&router) else {
                continue;
            };
            let Some((_, entry)) = node.on(from) else {
                continue;
            };
            let nat6 = node.router.as_ref().map(|r| r.nat6);
            let inwards = entry.side == InterfaceRole::Wan;
            if let (Family::V6, true, Some(Nat6::Prefix(external))) = (family, inwards, nat6) {
                if prefixes.insert(external) {
                    found.push((external, node.title(), hop.clone()));
                }
            }
            for exit in node.interfaces.values().filter(|i| i.addr(family).is_some()) {
                let hidden = inwards && exit.side == InterfaceRole::Lan && translates(node, family);
                if hidden || !seen.insert(exit.segment) {
                    continue;
                }
                if let Some(segment) = self.spec.segments.get(&exit.segment) {
                    found.extend(
                        segment.subnet(family).map(|s| (s, segment.to_string(), hop.clone())),
                    );
                }
                for (next, _, there) in self.routers.get(&exit.segment).into_iter().flatten() {
                    if *next != router && *next != id && there.addr(family).is_some() {
                        queue.push_back((*next, exit.segment, hop));
                    }
                }
            }
        }
        found
    }

    /// No two networks that a node sees may share an address.
    fn check_seen<'b>(
        &self,
        node: &NodeSpec,
        family: Family,
        reached: impl Iterator<Item = &'b (Subnet, String, NextHop)>,
    ) -> Result<()> {
        let own = node.interfaces.values().filter_map(|i| {
            let segment = self.spec.segments.get(&i.segment)?;
            Some((segment.to_string(), segment.subnet(family)?))
        });
        let mut all: Vec<(String, Subnet)> = own.collect();
        for (subnet, title, _) in reached {
            let entry = (title.clone(), *subnet);
            if !all.contains(&entry) {
                all.push(entry);
            }
        }
        for (i, (title, subnet)) in all.iter().enumerate() {
            if let Some((other, others)) = all[..i].iter().find(|(_, other)| other.overlaps(subnet))
            {
                return Err(errors::seen_twice(
                    &node.title(),
                    family,
                    (other, *others),
                    (title, *subnet),
                ));
            }
        }
        Ok(())
    }

    fn explicit(
        &self,
        id: NodeId,
        node: &NodeSpec,
        destination: Subnet,
        gateway: IpAddr,
    ) -> Result<RouteEntry> {
        let family = Family::of(gateway);
        let has_it = |interface: &InterfaceSpec| {
            interface.ips().any(|addr| addr == gateway)
                || (interface.v6.is_some() && gateway == IpAddr::V6(interface.mac.link_local()))
        };
        let (title, text) = (node.title(), destination.to_string());
        if node.interfaces.values().any(has_it) {
            return Err(errors::gateway_itself(&title, &text, gateway));
        }
        let others = || self.spec.nodes.iter().filter(|(other, _)| **other != id);
        let leads_there = |own: &&InterfaceSpec| {
            own.addr(family).is_some()
                && others().filter_map(|(_, n)| n.on(own.segment)).any(|(_, there)| has_it(there))
        };
        match node.interfaces.values().find(leads_there) {
            Some(interface) => Ok(RouteEntry {
                destination,
                via: Some(gateway),
                device: interface.name.clone(),
                onlink: false,
            }),
            None => Err(errors::gateway_off_link(&title, &text, gateway)),
        }
    }

    fn check_via(&self, node: &NodeSpec, router: NodeId) -> Result<()> {
        let other = self.spec.node(router)?;
        if other.router.is_none() {
            return Err(errors::not_a_router(&node.title(), &other.title()));
        }
        let shared = node.interfaces.values().any(|own| {
            other.on(own.segment).is_some_and(|(_, there)| {
                Family::BOTH.into_iter().any(|f| own.addr(f).is_some() && there.addr(f).is_some())
            })
        });
        if shared { Ok(()) } else { Err(errors::no_shared_lan(&node.title(), &other.title())) }
    }

    /// Default routes that lead in a circle carry every stray packet until its TTL ends.
    fn check_cycles(&self, family: Family) -> Result<()> {
        for (start, node) in self.spec.routers() {
            let mut path = vec![node.name.to_string()];
            let mut at = start;
            for _ in 0..self.spec.nodes.len() {
                let Some(hop) =
                    self.spec.nodes.get(&at).and_then(|n| self.default_hop(at, n, family))
                else {
                    break;
                };
                at = hop.router;
                path.extend(self.spec.nodes.get(&at).map(|n| n.name.to_string()));
                if at == start {
                    return Err(errors::default_cycle(family, &path));
                }
            }
        }
        Ok(())
    }
}

/// The routes for multicast and the limited broadcast out of a node without an IPv4 default
/// route. IPv6 needs none: the kernel has `ff00::/8` for each interface.
fn multicast(node: &NodeSpec) -> impl Iterator<Item = RouteEntry> {
    let first = node.interfaces.values().find(|i| i.v4.is_some());
    first.into_iter().flat_map(|interface| {
        MULTICAST.map(|(network, len)| RouteEntry {
            destination: Subnet::of(network.into(), len),
            via: None,
            device: interface.name.clone(),
            onlink: false,
        })
    })
}

/// Whether the networks behind this router cannot be addressed from outside.
fn translates(router: &NodeSpec, family: Family) -> bool {
    let Some(router) = &router.router else {
        return false;
    };
    match family {
        Family::V4 => router.nat.is_some(),
        Family::V6 => router.nat6 != Nat6::Routed,
    }
}

fn everything(family: Family) -> Subnet {
    match family {
        Family::V4 => Subnet::of(Ipv4Addr::UNSPECIFIED.into(), 0),
        Family::V6 => Subnet::of(Ipv6Addr::UNSPECIFIED.into(), 0),
    }
}
