//! TCP connections that stopped, were closed, or were slow.

use std::net::SocketAddr;
use std::time::Duration;

use super::Hint;
use crate::evidence::story::conversations::{TcpConversation, TcpDirection};
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, OpenSocket, Story};
use crate::evidence::timeline::Fate;
use crate::fault::FaultEffect;
use crate::frame::view::{Tcp, flag, is_not_after};

/// Both ends of a connection have bytes that they have not read, and bytes that they could not
/// send: each waits until the other reads.
pub(super) fn deadlock(story: &Story) -> Option<Hint> {
    let is_full = |socket: &&OpenSocket| socket.unread > 0 && socket.unacknowledged > 0;
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
        conversation.first_time() + ACCEPTED < story.failed_at && conversation.back.bytes == 0
    };
    if conversations.is_empty() && !story.is_timeout()
        || own.clone().next().is_some() && !own.any(waits)
    {
        return None;
    }
    let (connections, wait) =
        if count == 1 { ("connection", "waits") } else { ("connections", "wait") };
    let process = socket.process.as_ref().map(|process| format!(" ({process})"));
    Some(Hint::new(format!(
        "{node} does not call accept: {count} {connections} {wait} at its listening socket {local}{}",
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
        return Some(Hint::new(format!(
            "{own} does not read, or too slowly: {} bytes are unread there, and {peer} waits to send {} bytes",
            socket.unread, other.unacknowledged
        )));
    }
    None
}

/// Whether a socket with unread bytes may be read all the same: a thread waits for more, its
/// receive window was open just now, or the wire delays its data.
fn is_read(story: &Story, socket: &OpenSocket) -> bool {
    let (Some(local), Some(remote)) = (socket.local, socket.remote) else { return false };
    let ends = format!("{local} -> {remote}");
    let waits = story.threads.iter().any(|thread| {
        let waits_for = thread.waits_for.as_ref().is_some_and(|what| what.contains(&ends));
        waits_for && ["recv", "read"].iter().any(|call| thread.waits_in.starts_with(call))
    });
    let mut windows = story.packets.iter().rev().filter_map(|trace| {
        let headers = &trace.headers;
        let tcp = headers.tcp().filter(|tcp| !tcp.has(flag::RST))?;
        let from = SocketAddr::new(headers.source?, tcp.sport);
        let to = SocketAddr::new(headers.destination?, tcp.dport);
        (from == local && to == remote).then_some((trace.time(), tcp.window))
    });
    let is_closed = windows.clone().next().is_some_and(|(_, window)| window == 0);
    let was_open = windows
        .by_ref()
        .take_while(|(time, _)| *time + NOW >= story.failed_at)
        .any(|(_, window)| window > 0);
    waits || was_open || !is_closed && delayed(story).is_some()
}

/// A window that was open this long before the failure is open.
const NOW: Duration = Duration::from_millis(200);

/// A delay that is worth a remark.
const DELAY: Duration = Duration::from_millis(200);

/// The last data that the wire had not delivered when the test failed, since a condition
/// delayed it, and that condition.
fn delayed(story: &Story) -> Option<(&PacketTrace, &KnownFault)> {
    story.packets.iter().rev().find_map(|trace| {
        let fate = trace.last().fates.iter().find(|fate| {
            let delay = Duration::from_nanos(fate.delay.unwrap_or(0));
            delay >= DELAY && trace.last().time + delay > story.failed_at
        })?;
        let fault = story.fault(fate.fault?).filter(|fault| fault.is_in_force())?;
        let waits = trace.last().to.is_empty() && trace.dropped_by().is_none();
        (waits && trace.headers.data() > 0).then_some((trace, fault))
    })
}

/// Data waits in a condition, such as a limit of the rate.
pub(super) fn still_delayed(story: &Story) -> Option<Hint> {
    if !story.is_timeout() {
        return None;
    }
    let (last, fault) = delayed(story)?;
    let waits = story.packets.iter().filter(|trace| {
        let by = |fate: &Fate| {
            let due = trace.last().time + Duration::from_nanos(fate.delay.unwrap_or(0));
            fate.fault == Some(fault.number) && due > story.failed_at
        };
        let waits = trace.last().to.is_empty() && trace.dropped_by().is_none();
        waits && trace.flow() == last.flow() && trace.last().fates.iter().any(by)
    });
    let bytes: usize = waits.map(|trace| trace.headers.data()).sum();
    let (from, to) = (story.source(&last.headers), story.destination(&last.headers));
    let text = &fault.text;
    Some(Hint::about(
        fault,
        format!(
            "{bytes} bytes of data from {from} to {to} were still delayed by `{text}` when the test failed"
        ),
    ))
}

fn other_end<'a>(story: &'a Story, socket: &OpenSocket) -> Option<&'a OpenSocket> {
    let remote = socket.remote.filter(|remote| remote.port() > 0)?;
    let is_other =
        |other: &&OpenSocket| other.local == Some(remote) && other.remote == socket.local;
    story.sockets.iter().find(is_other)
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
    let texts = ["onnection reset", "ConnectionReset", "os error 104", "Broken pipe", "BrokenPipe"];
    if !story.mentions(&texts) {
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
    let bytes = |direction: &TcpDirection<'_>| direction.bytes_until(packet.time());
    let (forth, back) = (bytes(&conversation.forth), bytes(&conversation.back));
    Some(format!(
        "{by} {did} the connection from {client} to {server}{how} at {at}, after {forth} bytes from {client} and {back} back"
    ))
}

/// The peer closed the connection, and the verdict says that data was missing.
pub(super) fn closed_by_peer(story: &Story) -> Option<Hint> {
    let texts = [
        "UnexpectedEof",
        "unexpected end of file",
        "early eof",
        "failed to fill whole buffer",
        "onnection closed",
        "ConnectionClosed",
        "IncompleteMessage",
        "Broken pipe",
        "BrokenPipe",
    ];
    if !story.mentions(&texts) {
        return None;
    }
    let conversations = story.tcp_conversations();
    let closes = |trace: &&&PacketTrace| trace.headers.is_tcp(flag::FIN);
    let (last, fin) = conversations
        .iter()
        .filter_map(|conversation| {
            let fins = conversation.packets().filter(|trace| closes(&trace));
            Some((conversation, fins.min_by_key(|trace| trace.time())?))
        })
        .max_by_key(|(_, fin)| fin.time())?;
    ended_by(story, last, fin, "closed", " first (FIN)").map(Hint::new)
}

/// Segments were lost to a condition, and waiting for their retransmission took a large part of
/// the time.
pub(super) fn slowed_by_loss(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let packets = || conversations.iter().flat_map(TcpConversation::packets);
    let fault = packets().flat_map(PacketTrace::drops).find_map(|number| {
        let known = story.fault(number)?;
        let effect = known.fault.as_ref().map(|fault| &fault.effect);
        matches!(effect, Some(FaultEffect::Condition(_))).then_some(known)
    })?;
    let lost = packets().flat_map(PacketTrace::drops).filter(|by| *by == fault.number).count();
    let (all, first) = (packets().count(), packets().map(PacketTrace::time).min()?);
    let total = story.failed_at.saturating_sub(first);
    let stalls =
        conversations.iter().flat_map(|conversation| stalls(conversation, story.failed_at));
    let stalled = union(stalls.collect());
    if lost < 3 || stalled < total / 5 {
        return None;
    }
    let slowest = conversations.iter().max_by_key(|conversation| {
        let dropped = conversation.packets().flat_map(PacketTrace::drops);
        (dropped.count(), conversation.last_time())
    })?;
    let again: usize = conversations.iter().map(|c| c.forth.sent_again + c.back.sent_again).sum();
    let client = story.host(slowest.client.ip());
    let server = story.endpoint(slowest.server.ip(), slowest.server.port());
    let (text, percent) = (&fault.text, lost as f64 * 100.0 / all as f64);
    let (stalled, total) = (stalled.as_secs_f64(), total.as_secs_f64());
    Some(Hint::about(
        fault,
        format!(
            "slow under loss: `{text}` dropped {lost} of {all} TCP packets ({percent:.1} %) between {client} and {server}; {again} segments were sent again, and waiting for them took {stalled:.1} of {total:.1} s",
        ),
    ))
}

/// When a connection waited for segments to be sent again: from each that was dropped to the
/// next that arrived with the same data.
fn stalls(conversation: &TcpConversation<'_>, end: Duration) -> Vec<(Duration, Duration)> {
    let mut stalls = Vec::new();
    for direction in [&conversation.forth, &conversation.back] {
        for (at, lost) in direction.packets.iter().enumerate() {
            let tcp = lost.headers.tcp().filter(|tcp| tcp.sequence_len() > 0);
            let Some(tcp) = tcp.filter(|_| lost.drops().next().is_some()) else { continue };
            // Segmentation offload can send it as several packets, of which one was lost.
            let again = direction.packets[at + 1..].iter().find(|later| {
                let is_in = |later: &Tcp| {
                    later.sequence_len() > 0
                        && is_not_after(tcp.seq, later.seq)
                        && !is_not_after(tcp.end(), later.seq)
                };
                later.receiver().is_some() && later.headers.tcp().is_some_and(is_in)
            });
            stalls.push((lost.time(), again.map_or(end, |again| again.time())));
        }
    }
    stalls
}

/// The time that is in at least one of these intervals.
fn union(mut intervals: Vec<(Duration, Duration)>) -> Duration {
    intervals.sort_unstable();
    let (mut total, mut until) = (Duration::ZERO, Duration::ZERO);
    for (start, end) in intervals {
        total += end.saturating_sub(start.max(until));
        until = until.max(end);
    }
    total
}
