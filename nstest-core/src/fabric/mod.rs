//! Carrying plans out: from operations to the kernel.
//!
//! The fabric is a hidden network namespace where all cables end. Nodes see
//! their own ends only, so whatever is done to a cable later is done here, and
//! no node notices our devices, filters or rules.
//!
//! - this file: one operation after the other, batched where the kernel allows;
//! - [`hosts`]: what names resolve to;
//! - [`member`]: what is held of each node;
//! - [`wiring`], [`taps`]: which port's frames go where, and past which stage;
//! - [`rules`]: nftables for routers.
//!
//! Requests wait in a queue as long as they go to one socket: a node's addresses
//! take one system call, whatever their number.

mod hosts;
mod member;
mod rules;
mod taps;
mod wiring;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::layout::NODE;
use crate::netlink::link::{self, End};
use crate::netlink::route::{self, Target};
use crate::netlink::{Mac, Mode, Prefix, Protocol, Request, Socket, addr, neigh};
use crate::netns::Namespace;
use crate::node::{Panics, Place};
use crate::sysctl;
pub(crate) use crate::sysctl::has_ipv6;
use crate::topology::plan::{At, Op, Plan};
use crate::topology::spec::{NodeId, PortId};
use crate::topology::state::{LinkState, Route};
use crate::topology::{MacAddr, Subnet, Sysctl};
use member::Member;
use wiring::Joints;

/// How long a node's addresses may take to come into force; it is far below a
/// millisecond on a machine that is not overloaded.
const SETTLING: Duration = Duration::from_secs(10);

/// What is there in the kernel.
#[derive(Debug)]
pub(crate) struct Fabric {
    namespace: Namespace,
    route: Socket,
    members: BTreeMap<NodeId, Member>,
    joints: Joints,
    taps: taps::Taps,
    queue: Queue,
    panics: Arc<Panics>,
    /// Settings that the machine did not let us write, each once.
    notes: Vec<String>,
}

/// A plan that came to a stop.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// How many of its operations were carried out, the last perhaps in part.
    pub(crate) done: usize,
    pub(crate) error: Error,
}

/// Requests that go to one socket.
#[derive(Debug, Default)]
struct Queue {
    to: Option<Owner>,
    requests: Vec<Request>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Fabric,
    Node(NodeId),
}

impl Fabric {
    pub(crate) fn new(panics: Arc<Panics>) -> Result<Self> {
        let (namespace, (route, unwritten)) = Namespace::create("the fabric", || {
            // It forwards nothing and says nothing.
            let unwritten = sysctl::write_all([
                ("ipv6/conf/all/disable_ipv6", "1"),
                ("ipv6/conf/default/disable_ipv6", "1"),
                ("ipv4/ip_forward", "0"),
            ]);
            Ok((Socket::open(Protocol::Route, "the fabric")?, unwritten))
        })?;
        let mut fabric = Self {
            namespace,
            route,
            members: BTreeMap::new(),
            joints: Joints::default(),
            taps: taps::Taps::default(),
            queue: Queue::default(),
            panics,
            notes: Vec::new(),
        };
        fabric.note(&unwritten);
        Ok(fabric)
    }

    /// Takes the namespace that the test is in as its node, and changes nothing in it.
    pub(crate) fn adopt(&mut self) -> Result<()> {
        let at = At { id: NodeId::TEST, name: NODE.to_owned() };
        let member = Member::of_test(&at, NODE, &self.panics)?;
        self.members.insert(at.id, member);
        Ok(())
    }

    /// The inside of a node.
    pub(crate) fn place(&self, id: NodeId) -> Option<&Arc<Place>> {
        Some(&self.members.get(&id)?.place)
    }

    /// What could not be set on this machine, and was left as it is.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Carries out a plan.
    pub(crate) fn carry_out(&mut self, plan: &Plan) -> Result<(), Stopped> {
        let mut ops = plan.ops.iter().enumerate();
        let result =
            ops.try_for_each(|(index, op)| self.perform(op).map_err(|error| (index, error)));
        let result = result.and_then(|()| {
            self.flush()
                .and_then(|()| self.await_addresses())
                .map_err(|error| (plan.ops.len(), error))
        });
        result.map_err(|(done, error)| {
            self.queue = Queue::default();
            Stopped { done, error }
        })
    }

    /// Takes back what was done of a plan. What is gone already is as it should
    /// be, so refusals are no errors here: the first error is the one to report.
    pub(crate) fn take_back(&mut self, plan: &Plan) {
        for op in &plan.ops {
            if self.perform(op).and_then(|()| self.flush()).is_err() {
                self.queue = Queue::default();
            }
        }
        let _ = self.await_addresses();
    }

    fn perform(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::AddNode { at, hostname } => self.add_node(at, hostname),
            Op::DelNode { at } => self.del_node(at),
            Op::SetSysctls { at, settings } => {
                let member = self.member(at)?;
                let off = |s: &Sysctl| s.key.ends_with(".disable_ipv6") && s.value == "1";
                if settings.iter().any(off) {
                    member.forgo_ipv6();
                }
                let unwritten = write_settings(member, settings)?;
                self.note(&unwritten);
                Ok(())
            }
            Op::SetRules { at, rules } => {
                self.flush()?;
                let unwritten = rules::replace(self.member(at)?, rules)?;
                self.note(&unwritten);
                Ok(())
            }
            Op::AddLink { at, slot, link } => self.add_link(at, *slot, link),
            Op::DelLink { at, slot, port, .. } => {
                let member = self.member(at)?;
                member.links.remove(slot);
                member.forget_addresses(*slot);
                self.delete_port(*port)
            }
            Op::SetMtu { at, slot, port, mtu, .. } => {
                self.queue(Owner::Fabric, link::set(port.ifindex()).mtu(*mtu).request())?;
                self.queue(Owner::Node(at.id), link::set(index_of(*slot)).mtu(*mtu).request())?;
                self.refresh(*port)
            }
            Op::SetIpv6 { at, slot, device, on } => {
                self.flush()?;
                let member = self.member(at)?;
                let key = format!("ipv6/conf/{device}/disable_ipv6");
                let setting = [(key.as_str(), if *on { "0" } else { "1" })];
                let unwritten = member.place.namespace().enter(|| sysctl::write_all(setting))?;
                if !*on {
                    member.forget_addresses(*slot);
                }
                self.note(&unwritten);
                Ok(())
            }
            Op::Wire { segment, wiring } => {
                let requests = self.joints.join(*segment, wiring);
                requests.into_iter().try_for_each(|request| self.queue(Owner::Fabric, request))
            }
            Op::Unwire { segment, .. } => {
                let requests = self.joints.part(*segment);
                requests.into_iter().try_for_each(|request| self.queue(Owner::Fabric, request))
            }
            Op::AddAddr { at, slot, addr: ip, len, .. } => {
                self.member(at)?.expect(*slot, *ip);
                self.queue(Owner::Node(at.id), addr::add(index_of(*slot), Prefix::new(*ip, *len)))
            }
            Op::DelAddr { at, slot, addr: ip, len, .. } => {
                self.member(at)?.forget_address(*slot, *ip);
                let address = Prefix::new(*ip, *len);
                self.queue(Owner::Node(at.id), addr::delete(index_of(*slot), address))
            }
            Op::AddNeighbour { at, slot, addr, mac, .. } => {
                self.queue(Owner::Node(at.id), neigh::add(index_of(*slot), *addr, hardware(*mac)))
            }
            Op::DelNeighbour { at, slot, addr, .. } => {
                self.queue(Owner::Node(at.id), neigh::delete(index_of(*slot), *addr))
            }
            Op::AddRoute { at, route } => {
                let route = self.member(at)?.kernel_route(route);
                self.queue(Owner::Node(at.id), route::add(&route, Mode::Create))
            }
            Op::DelRoute { at, route } => {
                let route = self.member(at)?.kernel_route(route);
                self.queue(Owner::Node(at.id), route::delete(&route))
            }
            Op::SetHosts { entries } => hosts::set(entries),
            Op::FlushConntrack { at } => {
                self.flush()?;
                rules::flush_conntrack(self.member(at)?)
            }
            Op::Settle { links } => self.settle(links),
        }
    }

    fn add_node(&mut self, at: &At, hostname: &str) -> Result<()> {
        let member = if at.id == NodeId::TEST {
            Member::of_test(at, hostname, &self.panics)?
        } else {
            Member::create(at, hostname, &self.panics)?
        };
        self.members.insert(at.id, member);
        if at.id != NodeId::TEST {
            self.queue(Owner::Node(at.id), link::set(link::LOOPBACK).up().request())?;
        }
        Ok(())
    }

    /// The namespace lives on as long as somebody holds a socket in it; its
    /// links do not.
    fn del_node(&mut self, at: &At) -> Result<()> {
        self.flush()?;
        let member = self.members.remove(&at.id);
        let ports: Vec<PortId> =
            member.iter().flat_map(|member| member.links.values().copied()).collect();
        for port in ports {
            self.delete_port(port)?;
        }
        Ok(())
    }

    fn add_link(&mut self, at: &At, slot: u8, state: &LinkState) -> Result<()> {
        // The namespace must be there, and what is asked of it done.
        self.flush()?;
        let member = self.member(at)?;
        member.links.insert(slot, state.port);
        member.devices.insert(state.name.clone(), index_of(slot));
        member.expect_link_local(slot, hardware(state.mac));
        let place = Arc::clone(&member.place);
        let name = state.port.to_string();
        let near = End {
            index: Some(state.index),
            mac: Some(hardware(state.mac)),
            mtu: Some(state.mtu),
            netns: Some(std::os::fd::AsFd::as_fd(place.namespace())),
            ..End::named(&state.name)
        };
        let far =
            End { index: Some(state.port.ifindex()), mtu: Some(state.mtu), ..End::named(&name) };
        let what = format!(
            "make interface {} (index {}) of node {at}, and its port {name}",
            state.name, state.index
        );
        self.queue(Owner::Fabric, link::veth(&near, &far).described(what))?;
        self.queue(Owner::Fabric, link::set(state.port.ifindex()).up().request())
    }

    /// Nothing is handed out before its first packet would pass.
    fn settle(&mut self, links: &[(At, String, PortId)]) -> Result<()> {
        self.flush()?;
        for (at, device, port) in links {
            flush_carrier(&mut self.route, port.ifindex())?;
            let member = self.member(at)?;
            let index = member.index(device)?;
            flush_carrier(&mut member.route, index)?;
        }
        self.await_addresses()
    }

    /// An address that is handed out can be used.
    fn await_addresses(&mut self) -> Result<()> {
        self.members.values_mut().try_for_each(|member| member.await_addresses(SETTLING))
    }

    /// Pulls or plugs the ports at which these interfaces' cables end: the
    /// interfaces follow, and the kernel is made to notice at once.
    pub(crate) fn set_carrier(&mut self, ends: &[(NodeId, u8, PortId)], up: bool) -> Result<()> {
        for (.., port) in ends {
            let set = link::set(port.ifindex());
            self.route.request(&if up { set.up() } else { set.down() }.request())?;
        }
        for (node, slot, _) in ends {
            if let Some(member) = self.members.get_mut(node) {
                flush_carrier(&mut member.route, index_of(*slot))?;
            }
        }
        Ok(())
    }

    pub(crate) fn member(&mut self, at: &At) -> Result<&mut Member> {
        self.members.get_mut(&at.id).ok_or_else(|| {
            Error::new(Code::Namespace, format!("reach node {at}, which has been removed"))
        })
    }

    fn queue(&mut self, to: Owner, request: Request) -> Result<()> {
        if self.queue.to != Some(to) {
            self.flush()?;
            self.queue.to = Some(to);
        }
        self.queue.requests.push(request);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let Queue { to, requests } = std::mem::take(&mut self.queue);
        match to {
            None => Ok(()),
            Some(Owner::Fabric) => self.route.batch(&requests),
            // A node that is gone needs nothing any more.
            Some(Owner::Node(id)) => {
                self.members.get_mut(&id).map_or(Ok(()), |member| member.route.batch(&requests))
            }
        }
    }

    fn note(&mut self, unwritten: &[sysctl::Unwritten]) {
        for sysctl::Unwritten { key, value, cause } in unwritten {
            let note = format!("could not set net/{key} to {value}: {cause}");
            self.add_note(note);
        }
    }

    /// Each is told once.
    pub(crate) fn add_note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            eprintln!("nstest: note: {note}");
            self.notes.push(note);
        }
    }
}

fn flush_carrier(socket: &mut Socket, index: u32) -> Result<()> {
    link::get(socket, index).map(drop)
}

fn write_settings(member: &Member, settings: &[Sysctl]) -> Result<Vec<sysctl::Unwritten>> {
    let pairs: Vec<(String, &str)> = settings.iter().map(|s| (path_of(s.key), &*s.value)).collect();
    let pairs = pairs.iter().map(|(key, value)| (key.as_str(), *value));
    member.place.namespace().enter(|| sysctl::write_all(pairs))
}

/// `net.ipv4.ip_forward` is a file below /proc/sys/net.
fn path_of(key: &str) -> String {
    key.strip_prefix("net.").unwrap_or(key).replace('.', "/")
}

/// `lo` is 1, and slot 0 the first behind it.
pub(crate) fn index_of(slot: u8) -> u32 {
    u32::from(slot) + 2
}

fn hardware(mac: MacAddr) -> Mac {
    Mac(mac.octets())
}

fn prefix(subnet: Subnet) -> Prefix {
    Prefix::new(subnet.network(), subnet.prefix_len())
}

impl Member {
    fn kernel_route(&self, route: &Route) -> route::Route {
        let target = Target::Via {
            gateway: Some(route.via),
            device: self.devices.get(&route.device).copied(),
        };
        let mut kernel = route::Route::to(prefix(route.destination), target);
        kernel.onlink = route.onlink;
        kernel
    }
}
