//! TCP connections that stopped, were closed, or were slow.

use std::net::SocketAddr;
use std::time::Duration;

use super::Hint;
use super::delayed::on_its_way;
use super::waiting::{self, reads};
use crate::evidence::story::conversations::{TcpConversation, TcpDirection};
use crate::evidence::story::names::{bytes, times};
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{OpenSocket, Story};
use crate::frame::view::flag;

/// Both ends of a connection have bytes that they have not read, and bytes that they could not
/// send: each waits until the other reads.
pub(super) fn deadlock(story: &Story) -> Option<Hint> {
    let is_full = |socket: &&OpenSocket| {
        socket.protocol == "tcp" && socket.unread > 0 && socket.unacknowledged > 0
    };
    for socket in story.sockets.iter().filter(is_full) {
        let Some(other) = other_end(story, socket).filter(|other| is_full(other)) else { continue };
        if [socket, other].into_iter().any(|end| is_read(story, end)) {
            continue;
        }
        let (own, peer) = (name(story, socket), name(story, other));
        return Some(Hint::new(format!(
            "deadlock of two writers: {own} has {} unread and {} unacknowledged bytes, {peer} has {} and {}; neither reads",
            socket.unread, socket.unacknowledged, other.unread, other.unacknowledged
        )));
    }
    None
}

/// The name of the node in which the test function runs.
const NODE: &str = "test";

/// The time in which a program that is not stuck accepts a connection.
const ACCEPTED: Duration = Duration::from_millis(200);

/// Connections wait for `accept`.
pub(super) fn not_accepted(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let socket = story
        .sockets
        .iter()
        .find(|socket| socket.state.starts_with("listen") && socket.waiting > 0)?;
    let node = story.node_name(socket.node);
    let (count, local) = (socket.waiting, socket.local?);
    // It may accept later, if it has just got the connection. The loopback is not recorded.
    let conversations = story.tcp_conversations();
    let mut own = conversations.iter().filter(|conversation| {
        conversation.server.port() == local.port() && conversation.is_established()
    });
    let waits = |conversation: &TcpConversation<'_>| {
        let is_old = |queued: Duration| queued + ACCEPTED < story.failed_at;
        conversation.queued_at().is_some_and(is_old) && conversation.back.bytes == 0
    };
    if conversations.is_empty() && !story.is_timeout()
        || own.clone().next().is_some() && !own.any(waits)
    {
        return None;
    }
    let (connections, wait) =
        if count == 1 { ("connection", "waits") } else { ("connections", "wait") };
    let process = socket.process.as_ref().map(|process| format!(" ({process})"));
    let full = match socket.dropped {
        0 => String::new(),
        count => format!(
            "; its queue is full: SYNs and ACKs to it were dropped {}",
            times(count as usize)
        ),
    };
    Some(Hint::new(format!(
        "{node} does not call accept: {count} {connections} {wait} at its listening socket {local}{}{full}",
        process.unwrap_or_default()
    )))
}

/// One end does not read, and the other waits to send.
pub(super) fn not_read(story: &Story) -> Option<Hint> {
    if !story.is_timeout() {
        return None;
    }
    for socket in story.sockets.iter().filter(|socket| socket.unread > 0) {
        let Some(other) = other_end(story, socket).filter(|other| other.unacknowledged > 0) else {
            continue;
        };
        if is_read(story, socket) {
            continue;
        }
        let (own, peer) = (name(story, socket), name(story, other));
        // Only reading opens a window that was closed.
        let windows = windows(story, socket).into_iter().map(|(_, window)| window);
        let since_full: Vec<u16> = windows.skip_while(|window| *window > 0).collect();
        let how = match (since_full.is_empty(), since_full.iter().any(|window| *window > 0)) {
            (true, _) => "does not read, or too slowly",
            (_, true) => "reads too slowly",
            (_, false) => "does not read",
        };
        return Some(Hint::new(format!(
            "{own} {how}: it has {} unread, and {peer} waits to send {}",
            bytes(socket.unread),
            bytes(other.unacknowledged)
        )));
    }
    None
}

/// Whether a socket with unread bytes may be read all the same: a thread waits for more, its
/// receive window was open just now, or the wire delays its data.
fn is_read(story: &Story, socket: &OpenSocket) -> bool {
    let (Some(local), Some(remote)) = (socket.local, socket.remote) else { return false };
    let windows = windows(story, socket);
    let is_closed = windows.last().is_some_and(|(_, window)| *window == 0);
    let was_open =
        windows.iter().any(|(time, window)| *time + NOW >= story.failed_at && *window > 0);
    reads(story, local, remote) || was_open || !is_closed && on_its_way(story).is_some()
}

/// The receive windows that a socket announced, and when.
fn windows(story: &Story, socket: &OpenSocket) -> Vec<(Duration, u16)> {
    let of = |trace: &PacketTrace| {
        let headers = &trace.headers;
        let tcp = headers.tcp().filter(|tcp| !tcp.has(flag::RST))?;
        let from = SocketAddr::new(headers.source?, tcp.sport);
        let to = SocketAddr::new(headers.destination?, tcp.dport);
        (socket.local == Some(from) && socket.remote == Some(to))
            .then_some((trace.time(), tcp.window))
    };
    story.packets.iter().filter_map(of).collect()
}

/// A window that was open this long before the failure is open.
const NOW: Duration = Duration::from_millis(200);

fn other_end<'a>(story: &'a Story, socket: &OpenSocket) -> Option<&'a OpenSocket> {
    let remote = socket.remote.filter(|remote| remote.port() > 0)?;
    waiting::socket(story, remote, socket.local?)
}

fn name(story: &Story, socket: &OpenSocket) -> String {
    let node = story.node_name(socket.node);
    match socket.local {
        Some(local) => format!("{node}:{}", local.port()),
        None => node,
    }
}

/// The peer reset the connection, and the verdict says that it was.
pub(super) fn reset_by_peer(story: &Story) -> Option<Hint> {
    // After a reset, a call fails with EPIPE only if an earlier one has failed with ECONNRESET.
    if !story.reports_reset() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let is_reset = |conversation: &&TcpConversation<'_>| {
        let reset = conversation.reset();
        conversation.is_established() && reset.is_some_and(|reset| reset.made_by().is_none())
    };
    let last = conversations.iter().rev().find(is_reset)?;
    let reset = last.reset()?;
    let ended = ended_by(story, last, reset, "reset", "")?;
    Some(Hint::new(format!("{ended}; a socket that is closed with unread data does so")))
}

/// `server reset the connection from client to server:80 (10.0.2.2) at 0.012 s, after 3 bytes
/// from client and 0 back`, if this is the packet that did it.
fn ended_by(
    story: &Story,
    conversation: &TcpConversation<'_>,
    packet: &PacketTrace,
    did: &str,
    how: &str,
) -> Option<String> {
    let by = story.host(packet.headers.source?);
    let (client, at) = (story.host(conversation.client.ip()), story.clock(packet.time()));
    let server = story.full_endpoint(conversation.server.ip(), conversation.server.port());
    let until = |direction: &TcpDirection<'_>| direction.bytes_until(packet.time());
    let (forth, back) = (bytes(until(&conversation.forth)), until(&conversation.back));
    Some(format!(
        "{by} {did} the connection from {client} to {server}{how} at {at}, after {forth} from {client} and {back} back"
    ))
}

/// In this time before the test reports that data ended, it closes its side itself.
const CLOSED: Duration = Duration::from_millis(30);

/// The peer closed the connection, and the verdict says that data was missing.
pub(super) fn closed_by_peer(story: &Story) -> Option<Hint> {
    if !story.reports_end() {
        return None;
    }
    let is_pipe = story.reports_broken_pipe();
    let conversations = story.tcp_conversations();
    let closes = |trace: &&&PacketTrace| trace.headers.is_tcp(flag::FIN);
    let (last, fin) = conversations
        .iter()
        .filter_map(|conversation| {
            let fins = conversation.packets().filter(|trace| closes(&trace));
            let first = fins.min_by_key(|trace| trace.time())?;
            // Data ends early for the other side, if it has not closed its own before.
            let other = conversation
                .packets()
                .find(|trace| closes(&trace) && trace.headers.source != first.headers.source);
            let has_closed = other.is_some_and(|fin| fin.time() + CLOSED < story.failed_at);
            let is_own = first.sender().is_some_and(|end| story.end_name(end) == NODE);
            (!has_closed && !is_own).then_some((conversation, first))
        })
        .max_by_key(|(_, fin)| fin.time())?;
    let mut text = ended_by(story, last, fin, "closed", " first (FIN)")?;
    let other = if fin.headers.source == Some(last.client.ip()) { &last.back } else { &last.forth };
    let later = other.packets.iter().filter(|trace| {
        trace.headers.data() > 0 && fin.last().received.is_some_and(|time| trace.time() > time)
    });
    let count: usize = later.map(|trace| trace.headers.data()).sum();
    // EPIPE is the answer to data after a reset.
    if is_pipe && count == 0 {
        return None;
    }
    let reset = last
        .reset()
        .filter(|reset| reset.headers.source == fin.headers.source && reset.made_by().is_none());
    if let (Some(reset), 1..) = (reset, count) {
        let (by, at) = (story.host(reset.headers.source?), story.clock(reset.time()));
        text.push_str(&format!(
            "; data ({}) was sent after that, and {by} answered by RST at {at}",
            bytes(count as u64)
        ));
    }
    Some(Hint::new(text))
}
