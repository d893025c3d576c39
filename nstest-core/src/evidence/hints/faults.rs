//! Faults of the test that explain its failure.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Hint;
use crate::evidence::story::conversations::TcpDirection;
use crate::evidence::story::headers::PacketHeaders;
use crate::evidence::story::names::{bytes, times};
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, Story};
use crate::fault::FaultTarget;
use crate::frame::view::flag;

/// So many packets in a row that a condition loses by chance are not made up for.
pub(super) const IN_A_ROW: usize = 3;

/// A partition, or a link that is down, is in force at the end, and packets were lost to it or
/// the test waited.
pub(super) fn never_healed(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let fault = story.faults.iter().rev().find(|fault| fault.is_outage() && fault.is_in_force())?;
    let (start, _) = *fault.in_force.last()?;
    let lost = |trace: &&PacketTrace| {
        story.blamed(trace).is_some_and(|blamed| blamed.number == fault.number)
    };
    let lost: Vec<&PacketTrace> = story.packets.iter().filter(lost).collect();
    let since = story.clock(start);
    let text = &fault.text;
    let is_partition = fault.is_partition();
    let what = match is_partition {
        true => format!("the partition `{text}` was never healed: it is in force since {since}"),
        false => {
            format!("`{text}` is in force since {since}, and the link was not brought up again")
        }
    };
    // With a link down, the kernel of its node sends nothing.
    let Some(lost) = lost_packets(story, &lost) else {
        // The packets that were sent since then show what else the test did.
        let mut later = story.packets.iter().filter(|trace| trace.time() > start);
        let is_elsewhere = later
            .any(|trace| !trace.headers.is_control() && !fault.is_at_end_of(story, &trace.headers));
        let stops = story.is_timeout() || !is_partition;
        return (stops && !is_elsewhere).then(|| Hint::about(fault, what));
    };
    Some(Hint::about(fault, format!("{what}; {lost}")))
}

/// `packets lost to it: 2, the last is the SYN to server:7000 at 1.200 s`. Those that need an
/// answer count; others of the test do if there are none, and those that only look for a node do
/// if there are no others. Control traffic says nothing.
pub(super) fn lost_packets(story: &Story, lost: &[&PacketTrace]) -> Option<String> {
    let kinds: [fn(&PacketHeaders) -> bool; 3] =
        [PacketHeaders::is_request, |headers| !headers.is_control(), PacketHeaders::is_lookup];
    let of_kind = kinds.iter().map(|is_kind| {
        lost.iter().filter(|trace| is_kind(&trace.headers)).collect::<Vec<&&PacketTrace>>()
    });
    let lost = of_kind.into_iter().find(|lost| !lost.is_empty())?;
    let last = lost.last()?;
    let (what, to) = (last.headers.what(), target(story, &last.headers));
    let (count, at) = (lost.len(), story.clock(last.time()));
    Some(format!("packets lost to it: {count}, the last is the {what} to {to} at {at}"))
}

impl KnownFault {
    /// Whether it takes down the link of the sender or the receiver of a packet.
    fn is_at_end_of(&self, story: &Story, headers: &PacketHeaders) -> bool {
        let target = self.fault.as_ref().map(|fault| &fault.target);
        let Some(FaultTarget::Link { node, .. }) = target else { return false };
        [headers.source, headers.destination]
            .into_iter()
            .flatten()
            .any(|ip| story.host(ip) == *node)
    }
}

/// Packets of a kind were dropped by a fault, and none of this kind came through afterwards.
pub(super) fn dropped(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let mut kinds: BTreeMap<_, Vec<&PacketTrace>> = BTreeMap::new();
    for trace in &story.packets {
        if let Some(kind) = kind(&trace.headers) {
            kinds.entry(kind).or_default().push(trace);
        }
    }
    let tails = kinds.into_iter().filter_map(|((is_control, ..), traces)| {
        let arrived = traces.iter().rposition(|trace| trace.dropped_by().is_none());
        let tail = &traces[arrived.map_or(0, |at| at + 1)..];
        let last = tail.last()?;
        let by = last.dropped_by().and_then(|number| story.fault(number));
        if by.is_some_and(KnownFault::is_condition) && tail.len() < IN_A_ROW {
            return None;
        }
        Some(((!is_control, tail.len(), last.time()), tail.to_vec()))
    });
    let (_, tail) = tails.max_by_key(|(order, _)| *order)?;
    let last = tail.last().filter(|last| story.is_current(last))?;
    let fault = story.fault(last.dropped_by()?)?;
    let count = tail.iter().filter(|trace| trace.dropped_by() == Some(fault.number)).count();
    let still = if fault.is_in_force() { ", which is still in force" } else { "" };
    let (what, count, text) = (subject(story, &last.headers), times(count), &fault.text);
    Some(Hint::about(fault, format!("{what} was dropped {count} by `{text}`{still}")))
}

/// The last packets of a flow were changed by a fault, and nothing came back.
pub(super) fn changed(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let changed_by = |trace: &PacketTrace| {
        let fates = &trace.hops.iter().flat_map(|hop| &hop.fates).find(|f| f.effect == "changed");
        fates.and_then(|fate| fate.fault)
    };
    let last = story.packets.iter().rev().find(|trace| trace.headers.data() > 0)?;
    let fault = story.fault(changed_by(last)?)?;
    let flow = last.flow()?;
    let answered = story.packets.iter().any(|trace| trace.flow() == Some(flow.reverse()));
    if answered || !story.is_current(last) {
        return None;
    }
    let same = story.packets.iter().filter(|trace| trace.flow() == Some(flow));
    let count = times(same.filter(|trace| changed_by(trace) == Some(fault.number)).count());
    let (what, text) = (subject(story, &last.headers), &fault.text);
    Some(Hint::about(
        fault,
        format!("{what} was changed {count} by `{text}`, and was not answered"),
    ))
}

/// A fault reset a connection, and there was no later one to the same server.
pub(super) fn reset(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().rev().find(|conversation| {
        conversation.reset().is_some_and(|reset| fault_of(story, reset).is_some())
    })?;
    let reset = last.reset()?;
    let recovered = conversations.iter().any(|later| {
        let same = later.server == last.server && later.client.ip() == last.client.ip();
        same && later.first_time() > reset.time() && later.is_established()
    });
    if recovered {
        return None;
    }
    let fault = fault_of(story, reset)?;
    let text = &fault.text;
    let server = story.full_endpoint(last.server.ip(), last.server.port());
    let client = story.host(last.client.ip());
    let at = story.clock(reset.time());
    let until = |direction: &TcpDirection<'_>| direction.bytes_until(reset.time());
    let (forth, back) = (until(&last.forth), until(&last.back));
    let when = match (last.is_established(), forth + back) {
        (false, _) => "while it was opened".to_owned(),
        (true, 0) => "before data arrived".to_owned(),
        (true, _) => format!("in mid-stream, after {} from {client} and {back} back", bytes(forth)),
    };
    Some(Hint::about(
        fault,
        format!("the connection from {client} to {server} was reset by `{text}` at {at}, {when}"),
    ))
}

/// The fault that made a packet.
fn fault_of<'a>(story: &'a Story, trace: &PacketTrace) -> Option<&'a KnownFault> {
    story.fault(trace.made_by()?.fault?)
}

/// What packets must have in common so that one that comes through makes up for another that
/// was dropped: whether they are control traffic, addresses, the port of the service, kind.
pub(super) type Kind = (bool, IpAddr, IpAddr, u16, &'static str);

pub(super) fn kind(headers: &PacketHeaders) -> Option<Kind> {
    if let Some(arp) = &headers.arp {
        let kind = if arp.request { "request" } else { "reply" };
        return Some((true, arp.sender, arp.target, 0, kind));
    }
    let kind = match headers.tcp() {
        Some(_) if headers.is_reset() => "reset",
        Some(_) if headers.is_syn() => "syn",
        Some(_) if headers.is_tcp(flag::SYN) => "syn-ack",
        Some(tcp) if tcp.len > 0 => "data",
        Some(_) if headers.is_tcp(flag::FIN) => "fin",
        Some(_) => "ack",
        None => "packet",
    };
    let port = headers.ports().map_or(0, |(source, destination)| source.min(destination));
    Some((headers.is_control(), headers.source?, headers.destination?, port, kind))
}

/// `the SYN to server:7000`, `the SYN-ACK from server:7000 to client`.
fn subject(story: &Story, headers: &PacketHeaders) -> String {
    let what = headers.what();
    if headers.arp.is_some() {
        return format!("the {what}");
    }
    let is_reply = headers.ports().is_some_and(|(source, destination)| source < destination);
    match is_reply {
        true => {
            let client = headers.destination.map(|ip| story.host(ip)).unwrap_or_default();
            format!("the {what} from {} to {client}", story.source(headers))
        }
        false => format!("the {what} to {}", story.destination(headers)),
    }
}

fn target(story: &Story, headers: &PacketHeaders) -> String {
    match headers.arp.map(|arp| arp.target).or(headers.neighbour) {
        Some(target) => story.host(target),
        None => story.destination(headers),
    }
}
