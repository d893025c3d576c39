//! Names that were not resolved.

use std::net::IpAddr;

use super::Hint;
use crate::evidence::story::Story;
use crate::evidence::story::names::times;
use crate::evidence::story::trace::PacketTrace;

/// The port of DNS.
pub(super) const DNS: u16 = 53;

/// What the standard library, glibc and hickory say.
const NOT_RESOLVED: &[&str] = &[
    "failed to lookup address",
    "name resolution",
    "Name or service not known",
    "name or service not known",
    "no record found",
    "ResolveError",
    "dns error",
];

/// DNS queries got no answer, or a name was not resolved although no query was sent.
pub(super) fn missing(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    match story.packets.iter().rposition(is_query) {
        Some(at) => unanswered(story, &story.packets[at]),
        None => no_query(story),
    }
}

fn is_query(trace: &PacketTrace) -> bool {
    let to_dns = trace.headers.ports().is_some_and(|(_, destination)| destination == DNS);
    to_dns && trace.headers.question.is_some()
}

fn unanswered(story: &Story, last: &PacketTrace) -> Option<Hint> {
    let server = last.headers.destination?;
    let queries =
        |trace: &&PacketTrace| is_query(trace) && trace.headers.destination == Some(server);
    let queries: Vec<&PacketTrace> = story.packets.iter().filter(queries).collect();
    let answered = story.packets.iter().any(|trace| {
        let from_dns = trace.headers.ports().is_some_and(|(source, _)| source == DNS);
        from_dns && trace.headers.source == Some(server) && trace.receiver().is_some()
    });
    if answered
        || !story.is_current(last)
        || queries.iter().any(|trace| story.blamed(trace).is_some())
    {
        return None;
    }
    let client = last.headers.source.map(|ip| story.host(ip)).unwrap_or_default();
    let name = last.headers.question.as_ref().map_or(String::new(), |name| format!(" for {name}"));
    let count = times(queries.len());
    let at = story.full_endpoint(server, DNS);
    let why = why(story, server).unwrap_or_default();
    Some(Hint::new(format!(
        "the DNS query{name} from {client} to {at} was sent {count} without an answer{why}"
    )))
}

fn why(story: &Story, server: IpAddr) -> Option<String> {
    let error = story.packets.iter().rev().find(|trace| {
        let quoted = trace.headers.quoted.as_ref();
        quoted.is_some_and(|quoted| {
            quoted.destination == Some(server)
                && quoted.ports().is_some_and(|(_, destination)| destination == DNS)
        })
    });
    if let Some(error) = error {
        let by = error.headers.source.map(|ip| story.host(ip)).unwrap_or_default();
        let what = error.headers.what();
        return Some(format!(": {by} sent {what}; no resolver runs there"));
    }
    let Some(node) = story.owner(server) else {
        return Some(": no node of this test has that address".to_owned());
    };
    let runs = story
        .sockets
        .iter()
        .any(|socket| socket.node == node && socket.local.is_some_and(|local| local.port() == DNS));
    (!runs && !story.sockets.is_empty()).then(|| ": no socket there has port 53".to_owned())
}

fn no_query(story: &Story) -> Option<Hint> {
    let serves =
        story.sockets.iter().any(|socket| socket.local.is_some_and(|local| local.port() == DNS));
    if !story.mentions(NOT_RESOLVED) || serves {
        return None;
    }
    Some(Hint::new(
        "a name was not resolved, and no DNS query was sent: the test has no resolver, so only the names of nodes resolve; `node.serve_dns()` starts one".to_owned(),
    ))
}
