//! One change. Requests are sent together where the kernel allows it.

use std::sync::Arc;
use std::time::Duration;

use super::base::Fabric;
use super::hosts;
use super::member::{Member, NodeInterface};
use super::node_factory::NodeFactory;
use super::request_queue::Owner;
use super::rules;
use crate::addr::{Prefix, Subnet};
use crate::error::Result;
use crate::netlink::link::{self, NewLink};
use crate::netlink::route::{self, RouteTarget};
use crate::netlink::{Mode, addr, neigh};
use crate::snapshot;
use crate::sysctl;
use crate::topology::changes::{Change, NodeRef};
use crate::topology::routing::RouteEntry;
use crate::topology::spec::{LinkEndId, NodeId};
use crate::topology::state::{LinkState, Medium, Wiring};

/// With more ports, a bridge gets new ones when their links have settled.
const MANY_PORTS: usize = 32;

/// How long a node's addresses may take until they can be used. On a machine that is not
/// overloaded it takes far less than a millisecond.
const SETTLING: Duration = Duration::from_secs(10);

impl Fabric {
    pub(super) fn perform(&mut self, change: &Change, factory: &NodeFactory<'_>) -> Result<()> {
        match change {
            Change::AddNode { at, .. } => self.add_node(at, factory),
            Change::DelNode { at } => self.del_node(at),
            Change::SetSysctls { at, settings } => {
                let unwritten = match self.written.remove(&at.id) {
                    Some(unwritten) => unwritten,
                    None => self.member(at)?.set(settings)?,
                };
                if self.member(at)?.forwards {
                    self.may_be_asking.insert(at.id);
                }
                self.note(&unwritten);
                Ok(())
            }
            Change::SetRules { at, rules } => {
                self.flush()?;
                let unwritten = rules::replace(self.member(at)?, rules)?;
                self.note(&unwritten);
                Ok(())
            }
            Change::AddLink { at, slot, link } => self.add_link(at, *slot, link),
            Change::DelLink { at, slot, end, .. } => {
                let member = self.member(at)?;
                member.forget_addresses(*slot);
                member.links.remove(slot);
                self.delete_link_end(*end)
            }
            Change::SetMtu { at, slot, device, end, mtu } => {
                let far = link::set(end.ifindex()).mtu(*mtu).request();
                let what = format!("set the MTU of node {at}'s interface {device} to {mtu}");
                self.queue(Owner::Fabric, far.described(what))?;
                let index = self.member(at)?.index_at(*slot)?;
                self.queue(Owner::Node(at.id), link::set(index).mtu(*mtu).request())?;
                self.adapt_to_mtu(*end)
            }
            Change::SetIpv6 { at, slot, device, on } => {
                self.flush()?;
                let member = self.member(at)?;
                let key = format!("ipv6/conf/{device}/disable_ipv6");
                let setting = [(key.as_str(), if *on { "0" } else { "1" })];
                let write = || sysctl::write_all(setting);
                let unwritten = member.executor.namespace().enter(write)??;
                if !*on {
                    member.forget_addresses(*slot);
                }
                self.note(&unwritten);
                Ok(())
            }
            Change::SetOffloads { at, slot, end, on, .. } => {
                self.set_offloads(at, *slot, *end, *on)
            }
            Change::Wire { segment, wiring } => {
                if matches!(wiring.medium, Medium::Bridge(_)) {
                    self.keep_netfilter_off_bridges()?;
                    if self.forwarding.ports_of_bridge(*segment) > MANY_PORTS {
                        self.settle_links_to(wiring)?;
                    }
                }
                let requests = self.forwarding.join(*segment, wiring);
                self.update_fast_paths();
                requests.into_iter().try_for_each(|request| self.queue(Owner::Fabric, request))
            }
            Change::Unwire { segment, .. } => {
                let requests = self.forwarding.separate(*segment);
                self.update_fast_paths();
                requests.into_iter().try_for_each(|request| self.queue(Owner::Fabric, request))
            }
            Change::AddAddr { at, slot, addr: ip, len, .. } => {
                self.awaiting.insert(at.id);
                let member = self.member(at)?;
                member.expect(*slot, *ip)?;
                let on = member.device_at(*slot)?;
                // A program of the test may have added it. So with routes.
                let request = addr::add(on, Prefix::new(*ip, *len), Mode::Replace);
                self.queue(Owner::Node(at.id), request)
            }
            Change::DelAddr { at, slot, addr: ip, len, .. } => {
                let member = self.member(at)?;
                member.forget_address(*slot, *ip);
                let request = addr::delete(member.device_at(*slot)?, Prefix::new(*ip, *len));
                self.queue(Owner::Node(at.id), request)
            }
            Change::AddNeighbour { at, slot, addr, mac, .. } => {
                let request = neigh::add(self.member(at)?.device_at(*slot)?, *addr, *mac);
                self.queue(Owner::Node(at.id), request)
            }
            Change::DelNeighbour { at, slot, addr, .. } => {
                let request = neigh::delete(self.member(at)?.device_at(*slot)?, *addr);
                self.queue(Owner::Node(at.id), request)
            }
            Change::AddRoute { at, route } => {
                let route = self.member(at)?.kernel_route(route);
                self.queue(Owner::Node(at.id), route::add(&route, Mode::Replace))
            }
            Change::DelRoute { at, route } => {
                let route = self.member(at)?.kernel_route(route);
                self.queue(Owner::Node(at.id), route::delete(&route))
            }
            Change::SetHosts { hosts } => {
                // If it fails, the file has an unknown content.
                let written = std::mem::take(&mut self.hosts);
                hosts::set(&written, hosts)?;
                self.hosts.clone_from(hosts);
                Ok(())
            }
            Change::SetNameServers { addrs } => hosts::resolv_conf::set(addrs),
            Change::FlushConntrack { at } => {
                self.flush()?;
                rules::flush_conntrack(self.member(at)?)
            }
            Change::Settle { links } => self.settle(links),
        }
    }

    /// Waits until the new links to a bridge have their link-local addresses. A node sends MLD
    /// reports then, and the kernel holds RTNL at this time (addrconf_dad_work). A bridge with
    /// hundreds of ports would flood them to each. The node sends them again within a second.
    fn settle_links_to(&mut self, wiring: &Wiring) -> Result<()> {
        let awaiting = self.awaiting.iter().filter_map(|id| Some((*id, self.members.get(id)?)));
        let links = awaiting.flat_map(|(id, member)| {
            let on_bridge = member.links.values().filter(|i| wiring.ends.contains_key(&i.end));
            on_bridge.map(move |interface| (id, interface.index, interface.end))
        });
        let links: Vec<_> = links.collect();
        self.settle_interfaces(&links)
    }

    /// Bridges do not show their frames to iptables and nftables. Where br_netfilter is loaded,
    /// they would: for each port to which a frame is flooded, and malformed packets are dropped
    /// then (net/bridge/br_netfilter_hooks.c).
    fn keep_netfilter_off_bridges(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.bridges_unfiltered, true) {
            let keys = ["iptables", "ip6tables", "arptables"]
                .map(|which| format!("bridge/bridge-nf-call-{which}"));
            let settings = keys.iter().map(|key| (key.as_str(), "0"));
            // The settings do not exist where br_netfilter is not loaded. There is no rule in the
            // fabric, so that it works if they are refused.
            let _ = self.namespace.enter(|| sysctl::write_all(settings))?;
        }
        Ok(())
    }

    fn add_node(&mut self, at: &NodeRef, factory: &NodeFactory<'_>) -> Result<()> {
        let made = match factory.made(at.id) {
            Some(made) => made?,
            None => {
                // Another thread may be creating it.
                self.flush()?;
                factory.wait_for(at.id)?
            }
        };
        self.insert(at.id, made.member);
        self.awaiting.insert(at.id);
        if let Some(unwritten) = made.unwritten {
            self.written.insert(at.id, unwritten);
        }
        Ok(())
    }

    /// A namespace exists as long as a process has a socket in it, but the node's links are
    /// deleted now.
    fn del_node(&mut self, at: &NodeRef) -> Result<()> {
        self.flush()?;
        let member = self.members.remove(&at.id);
        snapshot::nodes::remove(at.id);
        self.may_be_asking.remove(&at.id);
        let ends: Vec<LinkEndId> =
            member.iter().flat_map(|member| member.links.values().map(|known| known.end)).collect();
        for end in ends {
            self.delete_link_end(end)?;
        }
        Ok(())
    }

    fn add_link(&mut self, at: &NodeRef, slot: u8, state: &LinkState) -> Result<()> {
        self.awaiting.insert(at.id);
        self.new_link_ends.insert(state.end);
        let member = self.member(at)?;
        let index = member.free_index(state.index);
        let interface = NodeInterface { name: state.name.clone(), index, end: state.end };
        member.links.insert(slot, interface);
        member.expect_link_local(slot, state.mac)?;
        let executor = Arc::clone(&member.executor);
        let name = state.end.to_string();
        let near = NewLink {
            index: Some(index),
            mac: Some(state.mac),
            mtu: Some(state.mtu),
            netns: Some(std::os::fd::AsFd::as_fd(executor.namespace())),
            ..NewLink::named(&state.name)
        };
        let far = NewLink {
            index: Some(state.end.ifindex()),
            mtu: Some(state.mtu),
            ..NewLink::named(&name)
        };
        let what = format!(
            "make interface {} (index {index}) of node {at}, and its link end {name}",
            state.name
        );
        self.queue(Owner::Fabric, link::veth(&near, &far).described(what))?;
        self.queue(Owner::Fabric, link::set(state.end.ifindex()).up().request())
    }

    /// Switches the offloads of a link at both ends of its veth pair: the node's for what the
    /// node sends, the fabric's for what it receives. The kernel cuts and completes frames as
    /// it sends them (validate_xmit_skb).
    pub(super) fn set_offloads(
        &mut self,
        at: &NodeRef,
        slot: u8,
        end: LinkEndId,
        on: bool,
    ) -> Result<()> {
        self.flush()?;
        link::set_offloads(&self.route, &end.to_string(), on)?;
        let member = self.member(at)?;
        let index = member.index_at(slot)?;
        // A program may have renamed it.
        let interface = link::get(&mut member.route, index)?;
        link::set_offloads(&member.route, &interface.name, on)
    }

    /// Waits until the first packet would pass these links.
    pub(super) fn settle(&mut self, links: &[(NodeRef, String, LinkEndId)]) -> Result<()> {
        let known = links.iter().map(|(at, device, end)| {
            let index = self.member(at)?.index(device)?;
            Ok((at.id, index, *end))
        });
        let known = known.collect::<Result<Vec<_>>>()?;
        self.settle_interfaces(&known)
    }

    /// Makes the kernel act on the carrier of these interfaces and of their link ends, and
    /// waits for their addresses.
    fn settle_interfaces(&mut self, links: &[(NodeId, u32, LinkEndId)]) -> Result<()> {
        self.flush()?;
        for (id, index, end) in links {
            link::flush_carrier(&mut self.route, end.ifindex())?;
            if let Some(member) = self.members.get_mut(id) {
                link::flush_carrier(&mut member.route, *index)?;
            }
        }
        self.await_addresses()
    }

    /// Waits until all addresses that were added can be used.
    pub(super) fn await_addresses(&mut self) -> Result<()> {
        let awaiting = std::mem::take(&mut self.awaiting);
        awaiting.iter().try_for_each(|id| match self.members.get_mut(id) {
            Some(member) => member.await_addresses(SETTLING),
            None => Ok(()),
        })
    }
}

impl Member {
    pub(super) fn kernel_route(&self, route: &RouteEntry) -> route::Route {
        let target =
            RouteTarget::Via { gateway: route.via, device: self.known_index(&route.device) };
        let mut kernel = route::Route::to(prefix(route.destination), target);
        kernel.onlink = route.onlink;
        kernel
    }
}

fn prefix(subnet: Subnet) -> Prefix {
    Prefix::new(subnet.network(), subnet.prefix_len())
}
