//! What happened in a test, as values: reduced from its events and its recorded packets, for
//! cards and hints.
//!
//! - [`headers`]: the headers of a packet, and what hints need of its payload;
//! - [`trace`]: a packet on its way from node to node;
//! - [`machine`]: whether the machine was too slow;
//! - [`panics`]: its panics;
//! - [`failure`]: when it failed;
//! - [`errors`]: what its verdict says of errors;
//! - [`names`]: how cards and hints name nodes, addresses and packets;
//! - [`replies`]: datagrams that answer from another address or port than was asked;
//! - [`in_force`]: when faults were in force, and where;
//! - [`conversations`]: the TCP connections, and what became of them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::packets::TracedPacket;
use super::timeline::{Entry, TimelineEvent, start_of};
use crate::addr::MacAddr;
use crate::fault::Fault;

pub(crate) mod conversations;
pub(crate) mod errors;
mod failure;
pub(crate) mod headers;
mod in_force;
mod machine;
pub(crate) mod names;
pub(crate) mod panics;
mod replies;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod trace;

use panics::ThreadPanic;
use trace::PacketTrace;

/// What happened in a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Story {
    pub(crate) test: String,
    pub(crate) seed: String,
    pub(crate) plan: Option<String>,
    /// A command that runs the test again.
    pub(crate) rerun: String,
    /// Where the files about this test are.
    pub(crate) folder: Option<String>,
    /// When the test was started, since the Unix epoch, as all times.
    pub(crate) start: Duration,
    /// When the test failed, as far as is known. What happened later is how it ended, and not
    /// why it failed.
    pub(crate) failed_at: Duration,
    pub(crate) passed: bool,
    pub(crate) verdict: String,
    /// Also those that were removed.
    pub(crate) nodes: BTreeMap<u32, KnownNode>,
    pub(crate) networks: BTreeMap<u32, KnownNetwork>,
    /// In the order in which they were injected.
    pub(crate) faults: Vec<KnownFault>,
    /// Until the test failed, in the order in which they were sent.
    pub(crate) packets: Vec<PacketTrace>,
    pub(crate) sockets: Vec<OpenSocket>,
    pub(crate) threads: Vec<WaitingThread>,
    pub(crate) steps: Vec<(Duration, String)>,
    pub(crate) output: Vec<(Duration, String)>,
    /// Those of the test's own process, in their order.
    pub(crate) panics: Vec<ThreadPanic>,
    pub(crate) notes: Vec<String>,
    /// When the test printed the error that it returned.
    pub(crate) reported_at: Option<Duration>,
}

/// The bytes of a verdict, and of a line of output, that are looked at. Programs put whole
/// documents into messages.
const LOOKED_AT: usize = 4 << 10;

/// A node of the test's network.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownNode {
    pub(crate) name: String,
    pub(crate) removed: bool,
    /// By link end. Those that were removed are kept.
    pub(crate) interfaces: BTreeMap<u32, KnownInterface>,
    /// As ip(8) prints them: those that it had when the test failed.
    pub(crate) routes: Vec<String>,
    /// Those that it had before, and when they were removed.
    pub(crate) removed_routes: Vec<(Duration, String)>,
    /// The name of its interface on the WAN and its rules, if it is a router with rules.
    pub(crate) wan: String,
    pub(crate) rules: Vec<String>,
}

/// An interface of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownInterface {
    pub(crate) name: String,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) removed: bool,
    /// Since when it is down, if it is.
    pub(crate) down: Option<Duration>,
    /// With their prefix lengths: those that it had when the test failed.
    pub(crate) addresses: Vec<(IpAddr, u8)>,
    /// Those that it had before.
    pub(crate) earlier_addresses: Vec<IpAddr>,
}

/// Link ends that are joined.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownNetwork {
    pub(crate) title: String,
    pub(crate) link_ends: Vec<u32>,
}

/// A fault that was injected.
#[derive(Debug, Clone)]
pub(crate) struct KnownFault {
    pub(crate) number: u32,
    pub(crate) text: String,
    /// The text, parsed.
    pub(crate) fault: Option<Fault>,
    /// Where it comes from.
    pub(crate) place: String,
    /// When it was in force. An end of `None` is the end of the test.
    pub(crate) in_force: Vec<(Duration, Option<Duration>)>,
    /// Why it has affected no packet, if that is so. Empty if the reason is not known.
    pub(crate) unmatched: Option<String>,
}

/// A socket that was open when the test failed.
#[derive(Debug, Clone)]
pub(crate) struct OpenSocket {
    pub(crate) node: u32,
    pub(crate) protocol: String,
    pub(crate) state: String,
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) unread: u64,
    pub(crate) unacknowledged: u64,
    pub(crate) retransmissions: u32,
    pub(crate) waiting: u32,
    pub(crate) process: Option<String>,
    /// Packets that the kernel dropped when they arrived.
    pub(crate) dropped: u64,
}

/// A thread of the test, and what it waited for when the test failed.
#[derive(Debug, Clone)]
pub(crate) struct WaitingThread {
    /// `name[number]`. The kernel cuts the name after 15 characters.
    pub(crate) thread: String,
    pub(crate) node: Option<u32>,
    pub(crate) waits_in: String,
    pub(crate) waits_for: Option<String>,
}

impl Story {
    /// The story of a test with these events and packets, both in the order of their time.
    pub(crate) fn of(entries: &[Entry], packets: &[TracedPacket]) -> Self {
        let mut story = Self::default();
        for entry in entries {
            story.add_run(entry);
        }
        story.add_reported_error();
        story.failed_at = story.time_of_failure(entries, packets);
        for entry in entries {
            // What is taken down at the end was there when the test failed.
            story.add_find(entry);
            if entry.time <= story.failed_at {
                story.add_network(entry);
                story.add_fault(entry);
            }
        }
        let slow = machine::notes(&story, entries);
        let last = story.failed_at.saturating_sub(machine::way(&slow));
        story.notes.extend(slow);
        let before = packets.partition_point(|packet| packet.time <= story.failed_at);
        story.packets = trace::traces(&packets[..before], &story.nodes, last);
        story.leave_out_closing();
        story
    }

    fn add_run(&mut self, entry: &Entry) {
        match &entry.event {
            TimelineEvent::Started { test, seed, plan, rerun, .. } => {
                self.start = entry.time;
                (self.test, self.seed) = (test.clone(), seed.clone());
                (self.plan, self.rerun) = (plan.clone(), rerun.clone());
            }
            TimelineEvent::Ended { passed, verdict } => {
                (self.passed, self.verdict) = (*passed, start_of(verdict, LOOKED_AT).to_owned());
            }
            TimelineEvent::Output { line } => {
                self.output.push((entry.time, start_of(line, LOOKED_AT).to_owned()));
            }
            TimelineEvent::Note { text } => self.notes.push(text.clone()),
            TimelineEvent::Panicked { thread, place, message } => {
                self.panics.push(ThreadPanic::of(entry.time, thread, place, message));
            }
            _ => {}
        }
    }

    fn add_network(&mut self, entry: &Entry) {
        match &entry.event {
            TimelineEvent::NodeRemoved { node } => {
                if let Some(node) = self.nodes.get_mut(node) {
                    node.removed = true;
                    node.interfaces.values_mut().for_each(KnownInterface::remove);
                }
            }
            TimelineEvent::InterfaceAdded { node, name, link_end, mac } => {
                let interfaces = &mut self.nodes.entry(*node).or_default().interfaces;
                let mac = mac.parse().ok();
                let interface = KnownInterface { name: name.clone(), mac, ..Default::default() };
                interfaces.insert(*link_end, interface);
            }
            TimelineEvent::InterfaceRemoved { link_end } => {
                self.interface_mut(*link_end).into_iter().for_each(KnownInterface::remove);
            }
            TimelineEvent::AddressAdded { node, interface, address } => {
                if let (Some(interface), Some(address)) =
                    (self.named_interface(*node, interface), with_prefix(address))
                {
                    interface.addresses.push(address);
                }
            }
            TimelineEvent::AddressRemoved { node, interface, address } => {
                if let (Some(interface), Some(address)) =
                    (self.named_interface(*node, interface), with_prefix(address))
                {
                    interface.addresses.retain(|own| own.0 != address.0);
                    interface.earlier_addresses.push(address.0);
                }
            }
            TimelineEvent::RouteAdded { node, route } => {
                let known = self.nodes.entry(*node).or_default();
                known.removed_routes.retain(|(_, removed)| removed != route);
                known.routes.push(route.clone());
            }
            TimelineEvent::RouteRemoved { node, route } => {
                let known = self.nodes.entry(*node).or_default();
                known.routes.retain(|own| own != route);
                known.removed_routes.push((entry.time, route.clone()));
            }
            TimelineEvent::RouterRules { node, wan, rules } => {
                let known = self.nodes.entry(*node).or_default();
                (known.wan, known.rules) = (wan.clone(), rules.clone());
            }
            TimelineEvent::Network { network, title, link_ends } => {
                let (title, link_ends) = (title.clone(), link_ends.clone());
                self.networks.insert(*network, KnownNetwork { title, link_ends });
            }
            TimelineEvent::NetworkRemoved { network } => {
                self.networks.remove(network);
            }
            TimelineEvent::Link { link_end, up } => {
                if let Some(interface) = self.interface_mut(*link_end) {
                    interface.down = (!up).then_some(entry.time);
                }
            }
            _ => {}
        }
    }

    fn add_fault(&mut self, entry: &Entry) {
        let time = entry.time;
        match &entry.event {
            TimelineEvent::FaultInjected { fault: number, text, place } => {
                self.faults.push(KnownFault {
                    number: *number,
                    text: text.clone(),
                    fault: text.parse().ok(),
                    place: place.clone(),
                    in_force: Vec::new(),
                    unmatched: None,
                });
            }
            TimelineEvent::FaultSwitched { fault, on: true } => {
                if let Some(fault) = self.fault_mut(*fault).filter(|fault| !fault.is_in_force()) {
                    fault.in_force.push((time, None));
                }
            }
            TimelineEvent::FaultSwitched { fault, on: false }
            | TimelineEvent::FaultEnded { fault } => {
                let last = self.fault_mut(*fault).and_then(|fault| fault.in_force.last_mut());
                if let Some((_, end @ None)) = last {
                    *end = Some(time);
                }
            }
            _ => {}
        }
    }

    fn add_find(&mut self, entry: &Entry) {
        match &entry.event {
            // The node of a test without a network is found with its sockets, after the failure.
            TimelineEvent::NodeAdded { node, name, .. } => {
                self.nodes.entry(*node).or_default().name.clone_from(name);
            }
            // It is known when the body has ended.
            TimelineEvent::FaultUnmatched { fault, why } => {
                if let Some(known) = self.fault_mut(*fault) {
                    known.unmatched = Some(why.clone().unwrap_or_default());
                }
            }
            TimelineEvent::Step { text, .. } => self.steps.push((entry.time, text.clone())),
            TimelineEvent::Socket {
                node,
                protocol,
                state,
                local,
                remote,
                unread,
                unacknowledged,
                retransmissions,
                waiting,
                process,
                dropped,
                ..
            } => self.sockets.push(OpenSocket {
                node: *node,
                protocol: protocol.clone(),
                state: state.clone(),
                local: names::socket_address(local),
                remote: names::socket_address(remote),
                unread: *unread,
                unacknowledged: *unacknowledged,
                retransmissions: *retransmissions,
                waiting: *waiting,
                process: process.clone(),
                dropped: *dropped,
            }),
            TimelineEvent::Thread { thread, node, waits_in, waits_for } => {
                self.threads.push(WaitingThread {
                    thread: thread.clone(),
                    node: *node,
                    waits_in: waits_in.clone(),
                    waits_for: waits_for.clone(),
                });
            }
            _ => {}
        }
    }

    fn interface_mut(&mut self, link_end: u32) -> Option<&mut KnownInterface> {
        self.nodes.values_mut().find_map(|node| node.interfaces.get_mut(&link_end))
    }

    fn named_interface(&mut self, node: u32, name: &str) -> Option<&mut KnownInterface> {
        let interfaces = &mut self.nodes.get_mut(&node)?.interfaces;
        interfaces.values_mut().find(|interface| !interface.removed && interface.name == name)
    }

    fn fault_mut(&mut self, number: u32) -> Option<&mut KnownFault> {
        self.faults.iter_mut().find(|fault| fault.number == number)
    }
}

impl KnownInterface {
    fn remove(&mut self) {
        self.removed = true;
        self.earlier_addresses.extend(self.addresses.drain(..).map(|(address, _)| address));
    }
}

fn with_prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok()?))
}
