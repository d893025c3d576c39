//! Addresses that two nodes have, or that no node has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::Hint;
use super::resolver::resolved_to;
use crate::addr::{MacAddr, Subnet};
use crate::evidence::story::names::times;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownInterface, Story};
use crate::frame::view::TransportHeader;

/// Two answers within this time are to the same question. A failover takes longer.
const TOGETHER: Duration = Duration::from_millis(200);

/// Two nodes of a network have the same address, or two interfaces answered for one.
pub(super) fn used_twice(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    assigned_twice(story).or_else(|| answered_twice(story)).or_else(|| claimed(story))
}

/// A node sent packets from an address that another node of its network has.
fn claimed(story: &Story) -> Option<Hint> {
    for trace in &story.packets {
        let (Some((node, address)), Some(end)) = (story.false_sender(trace), trace.sender()) else {
            continue;
        };
        let Some(owner) = story.owner(address) else { continue };
        let has = |known: &KnownInterface| known.addresses.iter().any(|(own, _)| *own == address);
        let beside = story.networks.values().any(|network| {
            network.link_ends.contains(&end)
                && network.link_ends.iter().any(|other| {
                    story.node_of(*other) == Some(owner) && story.interface(*other).is_some_and(has)
                })
        });
        if !beside {
            continue;
        }
        let (owner, node) = (story.node_name(owner), story.node_name(node));
        let (what, at) = (trace.headers.what(), story.clock(trace.time()));
        return Some(Hint::new(format!(
            "the address {address} is used twice: {owner} has it, and {node} sent packets from it ({what} at {at})"
        )));
    }
    None
}

fn assigned_twice(story: &Story) -> Option<Hint> {
    for network in story.networks.values() {
        let mut owners: BTreeMap<IpAddr, u32> = BTreeMap::new();
        for end in &network.link_ends {
            let Some(interface) = story.interface(*end).filter(|known| !known.removed) else {
                continue;
            };
            for (address, _) in &interface.addresses {
                let Some(other) = owners.insert(*address, *end) else { continue };
                if story.node_of(other) == story.node_of(*end) || !is_used(story, *address) {
                    continue;
                }
                let (first, second) = (story.end_name(other), story.end_name(*end));
                return Some(Hint::new(format!(
                    "the address {address} is used twice on {}: by {first} and by {second}",
                    network_name(&network.title)
                )));
            }
        }
    }
    None
}

/// Whether packets were sent to or from an address, or asked for it.
fn is_used(story: &Story, address: IpAddr) -> bool {
    story.packets.iter().any(|trace| {
        let headers = &trace.headers;
        let arp = headers.arp.is_some_and(|arp| arp.target == address || arp.sender == address);
        arp || [headers.source, headers.destination, headers.neighbour].contains(&Some(address))
    })
}

fn answered_twice(story: &Story) -> Option<Hint> {
    let mut answers: BTreeMap<IpAddr, (MacAddr, Duration)> = BTreeMap::new();
    for trace in &story.packets {
        // The answer to a later question can be that of a successor.
        if let Some(address) = asked(trace) {
            answers.remove(&address);
        }
        let Some(address) = answered(trace) else { continue };
        let (mac, time) = (trace.headers.from, trace.time());
        let Some((other, earlier)) = answers.insert(address, (mac, time)) else { continue };
        if other == mac || time.saturating_sub(earlier) > TOGETHER {
            continue;
        }
        let name = |mac| match story.node_with_mac(mac) {
            Some(node) => format!("{} ({mac})", story.node_name(node)),
            None => mac.to_string(),
        };
        return Some(Hint::new(format!(
            "the address {address} is used twice: {} and {} both answered for it",
            name(other),
            name(mac)
        )));
    }
    None
}

/// The address for which a node answers that it has it.
fn answered(trace: &PacketTrace) -> Option<IpAddr> {
    let headers = &trace.headers;
    let is_advertisement =
        matches!(headers.transport, TransportHeader::Icmp { version: 6, kind: 136, .. });
    let reply = headers.arp.filter(|arp| !arp.request).map(|arp| arp.sender);
    reply.or(headers.neighbour.filter(|_| is_advertisement))
}

/// A node sent packets to a MAC address that their receiver does not have.
pub(super) fn wrong_mac(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let last = story.packets.iter().rev().find(|trace| !trace.headers.is_control())?;
    let (to, headers) = (story.owner(last.headers.destination?)?, &last.headers);
    // A route by a MAC address of a router is no mistake.
    if story.node_of(last.receiver()?)? != to || !story.is_misdirected(last) {
        return None;
    }
    let from = story.end_name(last.sender()?);
    Some(Hint::new(format!(
        "{from} sent {} to {} with the MAC address {}, which {} does not have: see `ip neigh` in {from}",
        headers.what(),
        story.destination(headers),
        headers.to,
        story.node_name(to)
    )))
}

/// ARP or neighbour discovery asked for an address, and no node answered.
pub(super) fn unanswered(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let last = story.packets.iter().rev().find(|trace| {
        asked(trace).is_some_and(|address| {
            !story.packets.iter().any(|other| answered(other) == Some(address))
        })
    })?;
    let address = asked(last)?;
    let requests: Vec<&PacketTrace> =
        story.packets.iter().filter(|trace| asked(trace) == Some(address)).collect();
    // The kernel asks three times.
    if requests.len() < 2 || requests.iter().any(|trace| story.blamed(trace).is_some()) {
        return None;
    }
    let by = last.sender().map(|end| story.end_name(end)).unwrap_or_default();
    let protocol = if address.is_ipv4() { "ARP" } else { "neighbour discovery" };
    let asked = format!("{by} asked {} by {protocol} and got no answer", times(requests.len()));
    match story.owner(address) {
        Some(owner) => {
            let has = |end: &&u32| {
                story
                    .interface(**end)
                    .is_some_and(|known| known.addresses.iter().any(|(own, _)| *own == address))
            };
            let on = requests.iter().flat_map(|trace| &trace.last().to).find(has);
            let on = on.and_then(|end| story.interface(*end));
            let owner = story.node_name(owner);
            let got = match on {
                Some(known) => format!(
                    "; {owner} received it on {}, so see its rp_filter, arp_ignore and filters",
                    known.name
                ),
                None => String::new(),
            };
            Some(Hint::new(format!(
                "{owner} did not answer for its address {address}: {asked}{got}"
            )))
        }
        None => {
            let near = near(story, address) + &resolved_to(story, address);
            Some(Hint::new(format!("no node has the address {address}: {asked}{near}")))
        }
    }
}

/// The address that a node asks for, to send a packet there.
fn asked(trace: &PacketTrace) -> Option<IpAddr> {
    let headers = &trace.headers;
    if let Some(arp) = headers.arp {
        // An announcement asks for the sender's own address, a probe has no sender.
        let asks = arp.request && arp.sender != arp.target && !arp.sender.is_unspecified();
        return asks.then_some(arp.target);
    }
    let asks = matches!(headers.transport, TransportHeader::Icmp { version: 6, kind: 135, .. })
        && headers.source.is_some_and(|source| !source.is_unspecified());
    headers.neighbour.filter(|_| asks)
}

/// `; server has 10.0.2.2`: nodes with addresses in the same subnet.
fn near(story: &Story, address: IpAddr) -> String {
    let mut near = Vec::new();
    for node in story.nodes.values().filter(|node| !node.removed) {
        for (own, length) in node.interfaces.values().flat_map(|known| &known.addresses) {
            let is_near = Subnet::of(*own, *length).contains(address);
            if is_near && own.is_ipv4() == address.is_ipv4() {
                near.push(format!("{} has {own}", node.name));
            }
        }
    }
    match near.len() {
        0 => String::new(),
        1..=3 => format!("; {}", near.join(", ")),
        more => format!("; {} (+{} more)", near[..2].join(", "), more - 2),
    }
}

fn network_name(title: &str) -> String {
    if title.is_empty() { "one network".to_owned() } else { title.to_owned() }
}
