//! A test's packets as a capture for Wireshark and tshark.
//!
//! Each interface of a node is one of the capture, called `node/eth0`. Comments say what
//! faults did to a packet. Addresses have the names of their nodes, and what the test
//! printed and did stands between the packets, as entries of a log.

use std::io;
use std::net::IpAddr;

use litemap::LiteMap;

use super::packets::TracedPacket;
use super::pcapng::{CapturedPacket, InterfaceId, Pcapng};
use super::timeline::{Entry, Fate, TimelineEvent};

/// The capture, in bytes. `entries` are in the order of their time, and so are `packets`.
///
/// # Errors
/// If a text is longer than a block may be.
pub(crate) fn capture(
    comments: &[String],
    entries: &[Entry],
    packets: &[TracedPacket],
    secrets: &[u8],
) -> io::Result<Vec<u8>> {
    let mut pcapng = Pcapng::begin(Vec::new(), comments)?;
    if !secrets.is_empty() {
        pcapng.secrets(secrets)?;
    }
    let names = Names::of(entries);
    let addresses: Vec<(IpAddr, &str)> = names.addresses().collect();
    pcapng.names(&addresses)?;
    let mut interfaces: LiteMap<u32, InterfaceId> = LiteMap::new();
    for (link_end, name) in &names.interfaces {
        interfaces.insert(*link_end, pcapng.interface(name)?);
    }
    let mut lines = entries.iter().filter_map(|entry| Some((entry.time, line(&entry.event)?)));
    let mut next = lines.next();
    for packet in packets {
        while let Some((time, (source, text))) = next.take_if(|(time, _)| *time <= packet.time) {
            pcapng.log_line(time, source, &text)?;
            next = lines.next();
        }
        let interface = match interfaces.get(&packet.link_end) {
            Some(interface) => *interface,
            None => {
                let unknown = pcapng.interface(&format!("#{}", packet.link_end))?;
                *interfaces.entry(packet.link_end).or_insert(unknown)
            }
        };
        let comments: Vec<String> = packet.fates.iter().map(|fate| names.describe(fate)).collect();
        pcapng.packet(&CapturedPacket {
            interface,
            time: packet.time,
            inbound: packet.received,
            length: packet.length,
            frame: &packet.frame,
            comments: &comments,
        })?;
    }
    for (time, (source, text)) in next.into_iter().chain(lines) {
        pcapng.log_line(time, source, &text)?;
    }
    pcapng.finish()
}

/// The names that the numbers in events stand for.
#[derive(Debug, Default)]
struct Names {
    nodes: LiteMap<u32, String>,
    /// `node/eth0`, by link end.
    interfaces: LiteMap<u32, String>,
    addresses: LiteMap<IpAddr, String>,
    faults: LiteMap<u32, String>,
}

impl Names {
    fn of(entries: &[Entry]) -> Self {
        let mut names = Self::default();
        for Entry { event, .. } in entries {
            names.learn(event);
        }
        names
    }

    fn learn(&mut self, event: &TimelineEvent) {
        match event {
            TimelineEvent::NodeAdded { node, name, .. } => {
                self.nodes.insert(*node, name.clone());
            }
            TimelineEvent::InterfaceAdded { node, name, link_end, .. } => {
                let name = format!("{}/{name}", self.node(*node));
                self.interfaces.insert(*link_end, name);
            }
            TimelineEvent::AddressAdded { node, address, .. } => {
                let text = address.split('/').next().unwrap_or_default();
                if let Ok(address) = text.parse() {
                    let name = self.node(*node);
                    self.addresses.insert(address, name);
                }
            }
            TimelineEvent::FaultInjected { fault, text, .. } => {
                self.faults.insert(*fault, text.clone());
            }
            _ => {}
        }
    }

    fn node(&self, node: u32) -> String {
        self.nodes.get(&node).cloned().unwrap_or_else(|| format!("#{node}"))
    }

    fn addresses(&self) -> impl Iterator<Item = (IpAddr, &str)> {
        self.addresses.iter().map(|(address, name)| (*address, name.as_str()))
    }

    fn describe(&self, fate: &Fate) -> String {
        let mut text = fate.effect.clone();
        if let Some(delay) = fate.delay {
            text.push_str(&format!(" by {:?}", std::time::Duration::from_nanos(delay)));
        }
        match fate.fault.and_then(|fault| self.faults.get(&fault)) {
            Some(fault) => format!("{text} (fault `{fault}`)"),
            None => text,
        }
    }
}

/// The source and the text of an entry of the log.
fn line(event: &TimelineEvent) -> Option<(&'static str, String)> {
    Some(match event {
        TimelineEvent::Output { line } => ("output", line.clone()),
        TimelineEvent::Step { text, .. } => ("step", text.clone()),
        TimelineEvent::FaultInjected { fault, text, place } => {
            ("nstest", format!("fault {fault} injected: {text} ({place})"))
        }
        TimelineEvent::FaultSwitched { fault, on: true } => {
            ("nstest", format!("fault {fault} comes into force"))
        }
        TimelineEvent::FaultSwitched { fault, on: false } => {
            ("nstest", format!("fault {fault} is suspended"))
        }
        TimelineEvent::FaultEnded { fault } => ("nstest", format!("fault {fault} ended")),
        TimelineEvent::FaultUnmatched { fault, .. } => {
            ("nstest", format!("fault {fault} affected no packet"))
        }
        TimelineEvent::Ended { verdict, .. } => ("nstest", verdict.clone()),
        TimelineEvent::Note { text } => ("nstest", text.clone()),
        _ => return None,
    })
}
