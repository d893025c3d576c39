//! Datagrams that answer from another address or port than the request was sent to. A socket that
//! is connected to where it sent the request does not get them.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::Hint;
use super::refused::PORT_UNREACHABLE;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{OpenSocket, Story};

/// A datagram that arrived, and where its request had been sent to.
struct StrayReply<'a> {
    trace: &'a PacketTrace,
    from: SocketAddr,
    to: SocketAddr,
    asked: SocketAddr,
}

/// The socket of the request did not get the reply: it is connected, or its node sent ICMP.
pub(super) fn refused(story: &Story) -> Option<Hint> {
    let reply = last(story)?;
    let is_error = |trace: &&PacketTrace| {
        let quoted = trace.headers.quoted.as_ref().and_then(|quoted| quoted.datagram());
        trace.headers.is_icmp(&PORT_UNREACHABLE)
            && trace.made_by().is_none()
            && trace.time() > reply.trace.time()
            && quoted == Some((reply.from, reply.to))
    };
    let asked = reply.asked;
    let mut sockets = reply.sockets(story);
    let why = if sockets.any(|socket| socket.remote == Some(asked)) {
        format!("its socket is connected to {asked} and gets nothing else")
    } else if story.packets.iter().any(|trace| is_error(&trace)) {
        format!(
            "the reply got ICMP port unreachable, as from a socket that is connected to {asked}"
        )
    } else {
        return None;
    };
    Some(reply.hint(story, &why))
}

/// Whether it got the reply is not known, since it was closed before the sockets were read.
pub(super) fn elsewhere(story: &Story) -> Option<Hint> {
    let reply = last(story)?;
    if reply.sockets(story).next().is_some() {
        return None;
    }
    let (asked, to) = (reply.asked, reply.to);
    let count = |ends| {
        let datagrams = story.packets.iter().filter_map(|trace| trace.headers.datagram());
        datagrams.filter(|datagram| *datagram == ends).count()
    };
    // More than that are no replies, as of a server that streams.
    if count((reply.from, to)) > count((to, asked)) {
        return None;
    }
    Some(reply.hint(story, &format!("a socket that is connected to {asked} does not get it")))
}

/// The last one, if nothing came of it.
fn last(story: &Story) -> Option<StrayReply<'_>> {
    if !story.is_about_network() {
        return None;
    }
    let mut seen = HashSet::new();
    let (trace, asked) = story.packets.iter().rev().find_map(|trace| {
        // To look at each of many would take long.
        let is_last = seen.insert(trace.headers.datagram()?);
        let asked = is_last.then(|| story.asked_elsewhere(&trace.headers, trace.time()))?;
        Some((trace, asked.filter(|_| story.is_delivered(trace))?))
    })?;
    let (from, to) = trace.headers.datagram()?;
    // The client went on: it answered, or got an answer that its socket takes.
    let went_on = story.packets.iter().filter(|later| later.time() > trace.time()).any(|later| {
        let ends = later.headers.datagram();
        ends == Some((to, from)) || ends == Some((asked, to))
    });
    let is_current = story.names_error(&[111]) || story.is_current(trace);
    (!went_on && is_current).then_some(StrayReply { trace, from, to, asked })
}

impl StrayReply<'_> {
    /// The sockets of the client with the port of the request.
    fn sockets<'a>(&self, story: &'a Story) -> impl Iterator<Item = &'a OpenSocket> {
        let (client, port) = (story.owner(self.to.ip()), self.to.port());
        story.sockets.iter().filter(move |socket| {
            let local = socket.local.is_some_and(|local| local.port() == port);
            socket.protocol.starts_with("udp") && local && Some(socket.node) == client
        })
    }

    fn hint(&self, story: &Story, why: &str) -> Hint {
        let (from, asked) = (self.from, self.asked);
        let (server, client) = (story.host(from.ip()), story.host(self.to.ip()));
        Hint::new(format!(
            "{server} replied from {from}, but {client} had sent its request to {asked}; {why}"
        ))
    }
}
