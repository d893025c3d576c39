//! Packets that took a wrong way, or had none.

use super::Hint;
use super::no_route::leads_to;
use crate::evidence::story::Story;
use crate::evidence::story::names::times;
use crate::evidence::story::trace::PacketTrace;

/// Time exceeded in transit.
const TIME_EXCEEDED: [(u8, u8, u8); 2] = [(4, 11, 0), (6, 3, 0)];

/// Network and host unreachable, no route, administratively prohibited.
const UNREACHABLE: [(u8, u8, u8); 7] =
    [(4, 3, 0), (4, 3, 1), (4, 3, 13), (4, 3, 10), (6, 1, 0), (6, 1, 1), (6, 1, 3)];

/// A node got a request on one interface, sent its reply by another, and that reply was lost.
pub(super) fn asymmetric(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let reply = story.packets.iter().rev().find(|trace| {
        !trace.headers.is_control()
            && story.blamed(trace).is_none()
            && !story.is_delivered(trace)
            && came_in_on(story, trace).is_some_and(|end| Some(end) != trace.sender())
    })?;
    let (request, sent) = (came_in_on(story, reply)?, reply.sender()?);
    let node = story.node_of(sent)?;
    if story.node_of(request) != Some(node) {
        return None;
    }
    // A reply that came through later, by whatever way, makes up for it.
    let flow = reply.flow();
    let came_through = story.packets.iter().any(|trace| {
        trace.flow() == flow && trace.time() > reply.time() && story.is_delivered(trace)
    });
    if came_through {
        return None;
    }
    let interface = |end| story.interface(end).map(|known| known.name.clone()).unwrap_or_default();
    let (node, to) = (story.node_name(node), story.destination(&reply.headers));
    let (what, by, on) = (reply.headers.what(), interface(sent), interface(request));
    Some(Hint::new(format!(
        "the reply ({what}) from {node} to {to} left by {by}, but the request came in on {on}; the reply did not arrive"
    )))
}

/// The link end at which the last packet of the reverse flow was received before this one.
fn came_in_on(story: &Story, reply: &PacketTrace) -> Option<u32> {
    let reverse = Some(reply.flow()?.reverse());
    let earlier = |trace: &&PacketTrace| trace.time() < reply.time() && trace.flow() == reverse;
    story.packets.iter().rev().find(earlier)?.receiver()
}

/// A router reported that a packet's TTL was used up.
pub(super) fn loops(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let (error, quoted) = last_error(story, &TIME_EXCEEDED)?;
    let to = story.destination(quoted);
    let by = error.headers.source.map(|ip| story.host(ip)).unwrap_or_default();
    let same = |trace: &&PacketTrace| {
        let headers = &trace.headers;
        headers.destination == quoted.destination && headers.source == quoted.source
    };
    let mut sent = story.packets.iter().rev().filter(|trace| trace.time() <= error.time());
    if let Some(path) = story.packets.iter().rev().filter(same).find_map(|it| loop_of(story, it)) {
        let text =
            format!("packets to {to} loop: {by} sent ICMP time exceeded: they went {path} …");
        return Some(Hint::new(text));
    }
    let limit = sent.find(same).filter(|trace| trace.sender().is_some());
    let limit = limit.and_then(|trace| trace.headers.hop_limit);
    let why = limit.map(|limit| format!(": its TTL (hop limit) was {limit} when it was sent"));
    let (what, why) = (quoted.what(), why.unwrap_or_default());
    Some(Hint::new(format!(
        "the {what} to {to} expired at {by}, which sent ICMP time exceeded{why}"
    )))
}

/// The way of a packet that the same node sent twice: `r1 > r2 > r1`.
fn loop_of(story: &Story, trace: &PacketTrace) -> Option<String> {
    let nodes = trace.hops.iter().filter_map(|hop| story.node_of(hop.from?));
    let nodes: Vec<u32> = nodes.collect();
    let again = (1..nodes.len()).find(|at| nodes[..*at].contains(&nodes[*at]))?;
    let names: Vec<String> = nodes[..=again].iter().map(|node| story.node_name(*node)).collect();
    Some(names.join(" > "))
}

/// A router reported that it has no way to the destination.
pub(super) fn unreachable(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let (error, quoted) = last_error(story, &UNREACHABLE)?;
    let (destination, to) = (quoted.destination?, story.destination(quoted));
    let by = error.headers.source.map(|ip| story.host(ip)).unwrap_or_default();
    let what = error.headers.what();
    let why = match what.rsplit_once(' ').map(|(_, last)| last) {
        Some("prohibited") => "its packet filter refuses them".to_owned(),
        _ if what.contains("net") => "it has no route there".to_owned(),
        _ if story.owner(destination).is_none() => "no node has that address".to_owned(),
        _ => "it could not reach that host".to_owned(),
    };
    Some(Hint::new(format!("{by} answered packets to {to} by {what}: {why}")))
}

/// The last ICMP error of these types that no fault made, if no packet from that destination
/// arrived after it.
fn last_error<'a>(
    story: &'a Story,
    types: &[(u8, u8, u8)],
) -> Option<(&'a PacketTrace, &'a crate::evidence::story::headers::PacketHeaders)> {
    let error = story
        .packets
        .iter()
        .rev()
        .find(|trace| trace.headers.is_icmp(types) && trace.made_by().is_none())?;
    let quoted = error.headers.quoted.as_deref()?;
    let recovered = story.packets.iter().any(|trace| {
        trace.time() > error.time()
            && trace.headers.source == quoted.destination
            && !trace.headers.is_icmp(types)
    });
    (!recovered).then_some((error, quoted))
}

/// A node received packets for another node, and did not forward them.
pub(super) fn not_forwarded(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let is_stuck = |trace: &PacketTrace| {
        let (Some(end), Some(destination)) = (trace.receiver(), trace.headers.destination) else {
            return false;
        };
        let Some(node) = story.node_of(end) else { return false };
        let interface = story.interface(end).and_then(|known| known.mac);
        let to_it = trace.hops.len() > 1 || interface == Some(trace.headers.to);
        to_it
            && !destination.is_multicast()
            && story.owner(destination).is_some_and(|owner| {
                owner != node && story.nodes.get(&node).is_some_and(|known| !known.has(destination))
            })
    };
    let last =
        story.packets.iter().rev().find(|trace| !trace.headers.is_control() && is_stuck(trace))?;
    let same = |trace: &&PacketTrace| {
        trace.headers.destination == last.headers.destination
            && trace.headers.ports().map(|(_, port)| port)
                == last.headers.ports().map(|(_, port)| port)
    };
    let flow: Vec<&PacketTrace> = story.packets.iter().filter(same).collect();
    // One packet may be under way, or lost for a reason that passes.
    if flow.len() < 2 || !flow.iter().all(|trace| is_stuck(trace)) {
        return None;
    }
    let node = story.end_name(last.receiver()?);
    let (from, to) = (story.source(&last.headers), story.destination(&last.headers));
    let why = refused_by(story, last).unwrap_or("see its routes, packet filter and NAT".to_owned());
    Some(Hint::new(format!(
        "{node} received {} from {from} to {to} {}, and forwarded none of them: {why}",
        last.headers.what(),
        times(flow.len())
    )))
}

/// The next hops of `DefaultRoute::Blackhole`, as routes are printed.
const VOID: [&str; 2] = [" via 169.254.0.1 ", " via fe80::dead "];

/// A node sends to its default route, which is a black hole.
pub(super) fn black_hole(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let last = story.packets.iter().rfind(|trace| {
        !trace.headers.is_control()
            && trace.headers.destination.is_some_and(|ip| !ip.is_multicast())
    })?;
    let destination = last.headers.destination?;
    let node = story.nodes.get(&story.node_of(last.sender()?)?)?;
    let route = node
        .routes
        .iter()
        .find(|route| VOID.iter().any(|hop| route.contains(hop)) && leads_to(route, destination))?;
    if last.hops.len() > 1 || story.node_with_mac(last.headers.to).is_some() {
        return None;
    }
    let same = story.packets.iter().filter(|trace| trace.flow() == last.flow());
    let (what, count) = (last.headers.what(), times(same.count()));
    let (name, to) = (&node.name, story.destination(&last.headers));
    Some(Hint::new(format!(
        "{name} sent {what} to {to} {count} into a black hole: its default route is `{route}`, and no interface has that next hop"
    )))
}

/// Which rule of a router keeps a packet that came in from its WAN from being forwarded.
pub(super) fn refused_by(story: &Story, trace: &PacketTrace) -> Option<String> {
    let end = trace.receiver()?;
    let node = story.nodes.get(&story.node_of(end)?)?;
    let (wan, (_, port)) = (&node.wan, trace.headers.ports()?);
    if node.rules.is_empty() || story.interface(end)?.name != *wan {
        return None;
    }
    let protocol = if trace.headers.tcp().is_some() { "tcp" } else { "udp" };
    let forwards = format!("forward {protocol} {port} to ");
    if node.rules.iter().any(|rule| rule.starts_with(&forwards)) {
        return None;
    }
    let rule = |name: &str| node.rules.iter().find(|rule| rule.starts_with(name));
    match (node.has(trace.headers.destination?), rule("NAT"), rule("firewall")) {
        (true, nat, firewall) => {
            let rule =
                nat.or(firewall).map(|rule| format!(", which has {rule}")).unwrap_or_default();
            Some(format!(
                "it forwards no {protocol} port {port} from its WAN {wan}{rule}; see `forward_port`"
            ))
        }
        (false, _, Some(firewall)) => Some(format!(
            "its `{firewall}` drops what comes from its WAN {wan} and did not begin inside"
        )),
        _ => None,
    }
}
