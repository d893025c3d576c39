//! Puts a node back to its state in the topology, after programs of the test have changed it.
//!
//! The kernel is asked what there is. What is missing is made, and what the topology does not
//! have is removed: addresses, routes, permanent neighbours and queueing disciplines of the
//! node's own interfaces. `lo` and the rules of policy routing become those of a new namespace.
//! Interfaces that a program has made stay, with what is on them.
//!
//! The order matters. A route through a gateway needs the rules, by which the kernel looks the
//! gateway up. An interface needs its settings before its addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::base::Fabric;
use super::member::{Member, path_of};
use super::rules;
use crate::addr::{Family, Prefix, Subnet};
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::link::{self, Interface, LOOPBACK, LOOPBACK_MTU};
use crate::netlink::route::{self, Route, RouteTarget};
use crate::netlink::{Mode, Request, addr, neigh, qdisc, rule};
use crate::sysctl;
use crate::topology::changes::{Change, Changes, NodeRef};
use crate::topology::spec::LinkEndId;
use crate::topology::state::{LinkState, NetworkState, NodeState};

/// The prefix length of link-local addresses (RFC 4291).
const LINK_LOCAL: u8 = 64;

impl Fabric {
    /// Restores a node. Returns the link ends that had to be made again.
    pub(crate) fn restore(
        &mut self,
        at: &NodeRef,
        node: &NodeState,
        network: &NetworkState,
    ) -> Result<Vec<LinkEndId>> {
        self.flush()?;
        let member = self.member(at)?;
        rule::restore(&mut member.route)?;
        let before = addr::list(&mut member.route)?;
        let missing = self.restore_interfaces(at, node)?;
        for slot in &missing {
            self.make_again(at, *slot, &node.links[slot], network)?;
        }
        for (slot, link) in node.links.iter().filter(|(_, link)| !link.offloads) {
            self.set_offloads(at, *slot, link.end, false)?;
        }
        let member = self.member(at)?;
        let unwritten = member.restore_settings(node)?;
        member.remove_other_routes()?;
        member.restore_loopback()?;
        member.restore_addresses(node, &before)?;
        member.restore_neighbours(node)?;
        member.restore_routes(node)?;
        self.note(&unwritten);
        if !node.rules.tables.is_empty() {
            let unwritten = rules::replace(self.member(at)?, &node.rules)?;
            self.note(&unwritten);
        }
        self.note_unwritten();
        let links = node.links.values().map(|link| (at.clone(), link.name.clone(), link.end));
        self.awaiting.insert(at.id);
        self.settle(&links.collect::<Vec<_>>())?;
        self.ask_again(node.links.values().map(|link| link.end))?;
        Ok(missing.iter().map(|slot| node.links[slot].end).collect())
    }

    /// Restores the interfaces that there are, and returns the slots of those that are gone.
    fn restore_interfaces(&mut self, at: &NodeRef, node: &NodeState) -> Result<Vec<u8>> {
        let member = self.member(at)?;
        let present = link::list(&mut member.route)?;
        let (mut missing, mut requests) = (Vec::new(), Vec::new());
        for (slot, wanted) in &node.links {
            let index = member.index_at(*slot)?;
            let namesake = |other: &&Interface| other.name == wanted.name && other.index != index;
            if present.iter().any(|other| namesake(&other)) {
                return Err(name_is_taken(at, &wanted.name));
            }
            if let Some(thief) = present.iter().find(|other| other.takes_all_of == Some(index)) {
                return Err(frames_are_taken(at, &wanted.name, &thief.name));
            }
            match present.iter().find(|interface| interface.index == index) {
                Some(interface) => requests.extend(restored(interface, wanted)),
                None => missing.push(*slot),
            }
        }
        member.route.batch(&requests)?;
        for (_, link) in node.links.iter().filter(|(slot, _)| !missing.contains(slot)) {
            let index = member.index(&link.name)?;
            link::flush_carrier(&mut member.route, index)?;
        }
        member.note_foreign(&present);
        Ok(missing)
    }

    /// Makes a link again whose interface was deleted, or moved out of the node.
    fn make_again(
        &mut self,
        at: &NodeRef,
        slot: u8,
        link: &LinkState,
        network: &NetworkState,
    ) -> Result<()> {
        let segments = || network.segments.iter();
        let Some((segment, wiring)) = segments().find(|(_, w)| w.ends.contains_key(&link.end))
        else {
            return Ok(());
        };
        let mut without = (**wiring).clone();
        without.ends.remove(&link.end);
        let wire = |wiring| Change::Wire { segment: *segment, wiring };
        let (at, device) = (at.clone(), link.name.clone());
        let list = vec![
            wire(without.into()),
            Change::DelLink { at: at.clone(), slot, device, end: link.end },
            Change::AddLink { at, slot, link: link.bare() },
            wire(wiring.clone()),
        ];
        self.carry_out_restoring(&Changes { list }).map_err(|stopped| stopped.error)
    }
}

/// The requests that give an interface its name, MAC address and MTU again, and set it up.
fn restored(interface: &Interface, wanted: &LinkState) -> Vec<Request> {
    let on = (interface.index, wanted.name.as_str());
    let mut requests = Vec::new();
    if interface.controller.is_some() {
        requests.push(link::set(on).controller(None).request());
    }
    if interface.name != wanted.name {
        requests.push(link::set(on).down().request());
        requests.push(link::set(on).name(&wanted.name).request());
    }
    if interface.mac != Some(wanted.mac) {
        requests.push(link::set(on).mac(wanted.mac).request());
    }
    if interface.mtu != wanted.mtu {
        requests.push(link::set(on).mtu(wanted.mtu).request());
    }
    requests.push(link::set(on).defaults().up().request());
    requests.extend(qdisc::delete_all(on));
    requests
}

fn name_is_taken(at: &NodeRef, name: &str) -> Error {
    Error::new(ErrorCode::NameTaken, format!("give node `{at}` its interface `{name}` again"))
        .source("a program of the test has made an interface with this name in the node")
        .help("delete or rename that interface first")
}

fn frames_are_taken(at: &NodeRef, name: &str, thief: &str) -> Error {
    Error::new(ErrorCode::InUse, format!("give node `{at}` its interface `{name}` again"))
        .source(format!(
            "a program of the test has made the interface `{thief}`, a macvlan in the mode \
             `passthru`, which takes all frames of `{name}`"
        ))
        .help("delete that interface first")
}

impl Member {
    /// Makes `lo` what it is in a new namespace, once it is up. The kernel gives it its
    /// addresses and their routes when it is set up without an address (`inetdev_event`,
    /// net/ipv4/devinet.c; `init_loopback`, net/ipv6/addrconf.c).
    fn restore_loopback(&mut self) -> Result<()> {
        let lo = (LOOPBACK, "lo");
        let interface = link::get(&mut self.route, LOOPBACK)?;
        let mut present = addr::list(&mut self.route)?;
        present.retain(|address| address.index == LOOPBACK);
        let routes = route::list_others(&mut self.route)?;
        let (ipv4, ipv6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let mut wanted = vec![Prefix::new(ipv4, 8)];
        let mut leads_to = vec![Prefix::new(Ipv4Addr::new(127, 0, 0, 0), 8), Prefix::new(ipv4, 32)];
        let disabled = || sysctl::read("ipv6/conf/lo/disable_ipv6");
        if self.executor.namespace().enter(disabled)?.is_ok_and(|disabled| disabled == "0") {
            wanted.push(Prefix::new(ipv6, 128));
            leads_to.push(Prefix::new(ipv6, 128));
        }
        let is_whole = interface.up
            && interface.mtu == LOOPBACK_MTU
            && present.len() == wanted.len()
            && present.iter().all(|address| wanted.contains(&address.prefix))
            && leads_to.iter().all(|to| routes.iter().any(|route| route.is_to(*to, LOOPBACK)));
        let mut requests = qdisc::delete_all(lo).to_vec();
        if !is_whole {
            requests.extend(present.iter().map(|address| addr::delete(lo, address.prefix)));
            requests.push(link::set(lo).mtu(LOOPBACK_MTU).request());
            requests.push(link::set(lo).down().request());
            requests.push(link::set(lo).up().request());
        }
        self.route.batch(&requests)
    }

    /// Removes routes of the tables `local` and `default` that the kernel has not added itself,
    /// except those through interfaces of programs.
    fn remove_other_routes(&mut self) -> Result<()> {
        let present = route::list_others(&mut self.route)?;
        let is_ours = |index| index == LOOPBACK || self.is_ours(index);
        let extra =
            present.iter().filter(|route| !route.of_kernel && route.device.is_none_or(is_ours));
        let requests: Vec<Request> = extra.map(route::OtherRoute::delete).collect();
        self.route.batch(&requests)
    }

    /// Writes the settings that have another value, also those of single interfaces.
    fn restore_settings(&mut self, node: &NodeState) -> Result<Vec<sysctl::Unwritten>> {
        let mut all: Vec<(String, String)> =
            node.settings.iter().map(|s| (path_of(s.key), s.value.to_string())).collect();
        let value = |key: &str| all.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone());
        let forwarding = [
            ("ipv4/conf/default/forwarding", value("ipv4/ip_forward")),
            ("ipv6/conf/default/forwarding", value("ipv6/conf/all/forwarding")),
        ];
        let forwarding = forwarding.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?)));
        let defaults = all.iter().filter(|(key, _)| key.contains("/conf/default/")).cloned();
        let defaults: Vec<(String, String)> = defaults.chain(forwarding).collect();
        let ipv6 = value("ipv6/conf/all/disable_ipv6").as_deref() == Some("0");
        // The other settings of `lo` are not of use.
        let off = value("ipv6/conf/all/disable_ipv6").unwrap_or_else(|| "0".to_owned());
        all.push(("ipv6/conf/lo/disable_ipv6".to_owned(), off));
        for link in node.links.values() {
            let of_link = |key: &str| key.replace("/default/", &format!("/{}/", link.name));
            let off = if ipv6 && link.ipv6 { "0" } else { "1" };
            all.push((of_link("ipv6/conf/default/disable_ipv6"), off.to_owned()));
            all.extend(defaults.iter().map(|(key, value)| (of_link(key), value.clone())));
        }
        let write = || {
            let differs = |(key, value): &&(String, String)| {
                sysctl::read(key).is_ok_and(|present| present != *value)
            };
            let changed = all.iter().filter(differs);
            sysctl::write_all(changed.map(|(key, value)| (key.as_str(), value.as_str())))
        };
        self.executor.namespace().enter(write)?
    }

    /// Removes addresses that the node's own interfaces must not have, and adds those that
    /// they lack. The route to a subnet comes with its address. An address that was not there
    /// `before` is added again, too: it cannot be waited for otherwise.
    fn restore_addresses(&mut self, node: &NodeState, before: &[addr::Address]) -> Result<()> {
        let present = addr::list(&mut self.route)?;
        let routes = route::list(&mut self.route)?;
        let others = route::list_others(&mut self.route)?;
        let mut extra = Vec::new();
        for link in node.links.values() {
            let on = (self.index(&link.name)?, link.name.as_str());
            let wanted = self.wanted_addresses(link);
            let is_on = |address: &&addr::Address| address.index == on.0;
            for address in present.iter().filter(is_on) {
                let Prefix { ip, length } = address.prefix;
                let host = Prefix::new(ip, Family::of(ip).bits());
                let is_routed = || {
                    routes.iter().any(|route| leads_to(route, on.0, ip, length))
                        && others.iter().any(|route| route.is_to(host, on.0))
                        && (ip.is_ipv4()
                            || others.iter().any(|r| r.is_multicast && r.device == Some(on.0)))
                };
                if !wanted.contains(&(ip, length)) || !before.contains(address) || !is_routed() {
                    extra.push(addr::delete(on, address.prefix));
                }
            }
        }
        self.route.batch(&extra)?;
        // With the first address of a subnet, the kernel may have removed others.
        let present = addr::list(&mut self.route)?;
        let mut missing = Vec::new();
        for (slot, link) in &node.links {
            let index = self.index(&link.name)?;
            for (ip, length) in self.wanted_addresses(link) {
                let prefix = Prefix::new(ip, length);
                let is_there = present.iter().any(|a| a.index == index && a.prefix == prefix);
                if !is_there {
                    self.expect(*slot, ip)?;
                    missing.push(addr::add((index, &*link.name), prefix, Mode::Replace));
                }
            }
        }
        self.route.batch(&missing)
    }

    /// The addresses of an interface, with the one that the kernel gives it.
    fn wanted_addresses(&self, link: &LinkState) -> BTreeSet<(IpAddr, u8)> {
        let mut wanted = link.addrs.clone();
        if self.has_ipv6() && link.ipv6 {
            wanted.insert((link.mac.link_local().into(), LINK_LOCAL));
        } else {
            wanted.retain(|(ip, _)| ip.is_ipv4());
        }
        wanted
    }

    /// Removes permanent entries that the topology does not have, and sets those that it has.
    /// Forgets the others, which may be of a program.
    fn restore_neighbours(&mut self, node: &NodeState) -> Result<()> {
        let present = neigh::list(&mut self.route)?;
        let mut requests = Vec::new();
        for link in node.links.values() {
            let on = (self.index(&link.name)?, link.name.as_str());
            for entry in present.iter().filter(|entry| entry.index == on.0) {
                if entry.permanent || entry.noarp && !entry.ip.is_multicast() {
                    requests.push(neigh::delete(on, entry.ip));
                } else if entry.learnt {
                    requests.push(neigh::forget(on, entry.ip));
                }
            }
            requests.extend(link.neighbours.iter().map(|(ip, mac)| neigh::add(on, *ip, *mac)));
        }
        self.route.batch(&requests)
    }

    /// Removes routes through the node's own interfaces, or into nothing, that the topology
    /// does not have, and adds those that it has.
    fn restore_routes(&mut self, node: &NodeState) -> Result<()> {
        let mut requests = Vec::new();
        let present = route::list(&mut self.route)?;
        let wanted: Vec<Route> = node.routes.iter().map(|route| self.kernel_route(route)).collect();
        let ours = |route: &&Route| match route.target {
            RouteTarget::Via { device: Some(index), .. } => self.is_ours(index),
            _ => true,
        };
        let is_wanted = |route: &&Route| wanted.iter().any(|wanted| is_same(wanted, route));
        let extra = present.iter().filter(|route| !route.of_kernel).filter(ours);
        requests.extend(extra.filter(|route| !is_wanted(route)).map(route::delete));
        requests.extend(wanted.iter().map(|route| route::add(route, Mode::Replace)));
        self.route.batch(&requests)
    }
}

/// Whether this is the route to the subnet of an address, or the address has none.
fn leads_to(route: &Route, index: u32, ip: IpAddr, length: u8) -> bool {
    let on_link = RouteTarget::Via { gateway: None, device: Some(index) };
    let subnet = Subnet::of(ip, length);
    let destination = Prefix::new(subnet.network(), length);
    let is_kernels = route.of_kernel && route.target == on_link;
    length == Family::of(ip).bits() || is_kernels && route.destination == destination
}

/// Whether a route of the kernel is one of ours, which have the default metric.
fn is_same(wanted: &Route, present: &Route) -> bool {
    let by_default = match present.destination.ip {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 1024, // IP6_RT_PRIO_USER
    };
    present.destination == wanted.destination
        && present.target == wanted.target
        && present.metric.is_none_or(|metric| metric == by_default)
}
