//! Where a test stopped, if no cause is known: the last packets, and who did not answer.

use std::net::IpAddr;
use std::time::Duration;

use super::Hint;
use super::no_route::{leads_to, reaches};
use super::refused::{covers, is_open};
use crate::evidence::story::names::{seconds, times};
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{OpenSocket, Story};

/// Silence that is worth a remark.
const SILENCE: Duration = Duration::from_millis(500);

/// The last packets of a flow were lost, and no fault explains that.
pub(super) fn lost(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let last = story.packets.iter().rev().find(|trace| !trace.headers.is_control())?;
    let flow: Vec<&PacketTrace> =
        story.packets.iter().filter(|trace| trace.flow() == last.flow()).collect();
    let arrived = flow.iter().rposition(|trace| !story.is_lost_without_fault(trace));
    let lost = &flow[arrived.map_or(0, |at| at + 1)..];
    if lost.len() < 2 {
        return None;
    }
    let (what, to) = (last.headers.what(), story.destination(&last.headers));
    let from = last.last().from.map(|end| story.end_name(end)).unwrap_or_default();
    Some(Hint::new(format!(
        "the last packets to {to} ({what}, {}) were lost after {from} had sent them; no fault did it",
        times(lost.len())
    )))
}

/// The link of a node is down, and the test did not bring it up again.
pub(super) fn link_down(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let interfaces = story.nodes.iter().flat_map(|(node, known)| {
        let present = known.interfaces.values().filter(|interface| !interface.removed);
        present.filter_map(|interface| Some((interface.down?, *node, &interface.name)))
    });
    let (since, node, interface) = interfaces.max_by_key(|(since, ..)| *since)?;
    let (node, since) = (story.node_name(node), seconds(since.saturating_sub(story.start)));
    Some(Hint::new(format!("the link of {node} ({interface}) has been down since {since}")))
}

/// SYNs arrived and were not answered.
pub(super) fn syn_unanswered(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().rev().find(|conversation| {
        !conversation.is_established() && conversation.back.packets.is_empty()
    })?;
    let arrived = last.forth.packets.iter().filter(|trace| story.is_delivered(trace)).count();
    let is_current = last.packets().any(|trace| story.is_current(trace));
    if arrived < 2 || !is_current || arrived < last.forth.packets.len() {
        return None;
    }
    let at = last.server;
    let (server, count) = (story.full_endpoint(at.ip(), at.port()), times(arrived));
    let name = story.host(at.ip());
    let owner = story.owner(at.ip());
    let listening = story.sockets.iter().find(|socket| {
        let local = socket.local.filter(|_| is_open(socket, "tcp"));
        Some(socket.node) == owner && local.is_some_and(|local| covers(local, at))
    });
    let text = match (listening, removed_route(story, owner, last.client.ip())) {
        (_, Some(route)) => format!(", and {name} did not answer it: {route}"),
        (Some(socket), _) if socket.waiting > 0 => format!(
            ", and {name} did not answer it: {} to be accepted at its listening socket",
            match socket.waiting {
                1 => "1 connection waits".to_owned(),
                count => format!("{count} connections wait"),
            }
        ),
        (None, _) if is_router(story, owner) => {
            format!(", and {name} did not forward it; see its NAT and packet filter")
        }
        _ => {
            let client = last.client.ip();
            format!(
                ", and {name} did not answer it; see its packet filter, and its route to {client}"
            )
        }
    };
    Some(Hint::new(format!("the SYN to {server} arrived {count}{text}")))
}

/// Whether a node has several interfaces and no socket listens there, as far as is known.
fn is_router(story: &Story, node: Option<u32>) -> bool {
    let known = node.and_then(|node| story.nodes.get(&node));
    let listens = |socket: &OpenSocket| Some(socket.node) == node && is_open(socket, "tcp");
    known.is_some_and(|known| known.interfaces.len() > 1)
        && !story.sockets.is_empty()
        && !story.sockets.iter().any(listens)
}

/// A route to an address that a node had, and has no more.
fn removed_route(story: &Story, node: Option<u32>, to: IpAddr) -> Option<String> {
    let known = story.nodes.get(&node?)?;
    let (time, route) = known.removed_routes.iter().rev().find(|(_, route)| leads_to(route, to))?;
    (!reaches(known, to)).then(|| {
        format!(
            "{} has no route to {to}, since its route `{route}` was removed at {}",
            known.name,
            story.clock(*time)
        )
    })
}

/// Datagrams arrived and were not answered, until the timeout.
pub(super) fn datagrams_unanswered(story: &Story) -> Option<Hint> {
    if !story.is_timeout() {
        return None;
    }
    let last = story.packets.iter().rev().find(|trace| {
        trace.headers.udp().is_some()
            && trace.headers.destination.is_some_and(|ip| !ip.is_multicast())
    })?;
    let flow = last.flow()?;
    let reverse = Some(flow.reverse());
    let sent: Vec<&PacketTrace> =
        story.packets.iter().filter(|trace| trace.flow() == last.flow()).collect();
    let answered = story.packets.iter().any(|trace| trace.flow() == reverse);
    if answered || !story.is_current(last) || !sent.iter().all(|trace| story.is_delivered(trace)) {
        return None;
    }
    let (from, to) = (story.host(flow.source), story.destination(&last.headers));
    let count = sent.len();
    let datagrams = if count == 1 { "datagram" } else { "datagrams" };
    Some(Hint::new(format!(
        "{from} sent {count} {datagrams} to {to}, which arrived; {} sent none back",
        story.host(flow.destination)
    )))
}

/// All data arrived, and then nothing was sent until the timeout.
pub(super) fn stream(story: &Story) -> Option<Hint> {
    if !story.is_timeout() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().max_by_key(|conversation| conversation.last_time())?;
    let silent = story.failed_at.saturating_sub(last.last_time());
    let complete = [&last.forth, &last.back]
        .iter()
        .all(|direction| direction.packets.iter().all(|trace| story.is_delivered(trace)));
    if silent < SILENCE || !complete || !last.is_established() {
        return None;
    }
    let data = last.packets().filter(|trace| trace.headers.data() > 0);
    let client = story.host(last.client.ip());
    let server = story.full_endpoint(last.server.ip(), last.server.port());
    let silent = seconds(silent);
    let Some(data) = data.max_by_key(|trace| trace.time()) else {
        return Some(Hint::new(format!(
            "{client} connected to {server}, and neither sent data in the last {silent}"
        )));
    };
    let is_reply = data.headers.source == Some(last.server.ip());
    let (from, to) = match data.headers.source == Some(last.client.ip()) {
        true => (client.clone(), story.host(last.server.ip())),
        false => (story.host(last.server.ip()), client.clone()),
    };
    let what = data.headers.what();
    // The client has what it asked for, or waits for more, or for the end.
    if is_reply {
        return Some(Hint::new(format!(
            "{from} sent {what} to {to} on the connection from {client} to {server}, which arrived; neither sent data in the last {silent}"
        )));
    }
    Some(Hint::new(format!(
        "{from} sent {what} to {to} on the connection from {client} to {server}, which arrived; {to} sent nothing back in the last {silent}"
    )))
}
