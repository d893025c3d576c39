//! Names that were not resolved.

use std::net::IpAddr;

use super::Hint;
use super::no_route::NO_INTERNET;
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
    let why = match story.has_network() {
        true => {
            "the test has no resolver, so only the names of nodes resolve; `node.serve_dns()` (cargo feature `dns`) starts one"
        }
        false => "the test has no resolver",
    };
    Some(Hint::new(format!(
        "a name was not resolved, and no DNS query was sent: {why}; {NO_INTERNET}"
    )))
}

/// A name was not resolved, and a DNS server had said so.
pub(super) fn refused(story: &Story) -> Option<Hint> {
    if !story.mentions(NOT_RESOLVED) {
        return None;
    }
    let answers = || story.packets.iter().filter(|trace| trace.receiver().is_some()).rev();
    let (trace, name, answer) = answers().find_map(|trace| {
        let headers = &trace.headers;
        Some((trace, headers.question.as_ref()?, headers.answer.as_ref()?))
    })?;
    let resolved = answers().any(|other| {
        let answer = other.headers.answer.as_ref().filter(|answer| !answer.addresses.is_empty());
        answer.is_some() && other.headers.question.as_ref() == Some(name)
    });
    if resolved || (answer.code == 0 && !answer.addresses.is_empty()) {
        return None;
    }
    let server = story.full_endpoint(trace.headers.source?, DNS);
    let near = near(story, name).map(|node| format!("; there is a node {node}"));
    let meaning = if answer.code == 3 { ", there is no such name" } else { "" };
    let (what, near) = (answer.what(), near.unwrap_or_default());
    Some(Hint::new(format!("the DNS server {server} answered for {name}: {what}{meaning}{near}")))
}

/// A node with nearly the name, or the first label, that was asked for.
fn near<'a>(story: &'a Story, name: &str) -> Option<&'a str> {
    let label = name.split('.').next().unwrap_or_default();
    let nodes = || story.nodes.values().map(|node| node.name.as_str());
    let exact = nodes().find(|node| *node == name || *node == label);
    exact.or_else(|| nodes().find(|node| is_near(node, name) || is_near(node, label)))
}

/// Whether two names differ in one letter, or in two neighbours that were swapped.
fn is_near(one: &str, other: &str) -> bool {
    let (a, b) = (one.as_bytes(), other.as_bytes());
    let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[start..], &b[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    match (&a[..a.len() - end], &b[..b.len() - end]) {
        ([first, second], [third, fourth]) => first == fourth && second == third,
        (a, b) => a.len() <= 1 && b.len() <= 1,
    }
}

/// `; the address comes from the DNS answer for db.example, and db has 10.0.2.3`, if it was in an
/// answer.
pub(super) fn resolved_to(story: &Story, address: IpAddr) -> String {
    let found = story.packets.iter().rev().filter(|trace| trace.receiver().is_some()).find(|it| {
        it.headers.answer.as_ref().is_some_and(|answer| answer.addresses.contains(&address))
    });
    let Some(name) = found.and_then(|trace| trace.headers.question.as_ref()) else {
        return String::new();
    };
    let label = name.split('.').next().unwrap_or_default();
    let node = story.nodes.values().find(|node| node.name == *label || node.name == *name);
    let other = node.filter(|node| !node.has(address)).and_then(|node| {
        let addresses = node.interfaces.values().flat_map(|known| &known.addresses);
        let mut same = addresses.filter(|(own, _)| own.is_ipv4() == address.is_ipv4());
        Some(format!(", and {} has {}", node.name, same.next()?.0))
    });
    format!("; {address} comes from the DNS answer for {name}{}", other.unwrap_or_default())
}
