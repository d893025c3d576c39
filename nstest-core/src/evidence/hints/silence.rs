//! Where a test stopped, if no cause is known: the last packets, and who did not answer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Hint;
use super::no_route::{device, leads_to, reaches};
use super::refused::{covers, is_open};
use super::routing::refused_by;
use crate::evidence::story::conversations::TcpConversation;
use crate::evidence::story::names::times;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{OpenSocket, Story};

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

/// A test that waited this long after a link went down waited for something.
const WAITED: Duration = Duration::from_millis(200);

/// The link of a node is down, and the test did not bring it up again. What is sent there is not
/// recorded, so whatever the test reports, it counts that nothing else was sent.
pub(super) fn link_down(story: &Story) -> Option<Hint> {
    let interfaces = story.nodes.iter().flat_map(|(node, known)| {
        let present = known.interfaces.values().filter(|interface| !interface.removed);
        present.filter_map(|interface| Some((interface.down?, *node, &interface.name)))
    });
    let (since, node, interface) = interfaces.max_by_key(|(since, ..)| *since)?;
    let is_elsewhere = |trace: &PacketTrace| {
        let ends = [trace.headers.source, trace.headers.destination];
        let own = ends.into_iter().flatten().any(|ip| story.owner(ip) == Some(node));
        trace.time() > since && !trace.headers.is_control() && !own
    };
    let is_delivered = |trace: &PacketTrace| {
        trace.time() > since && !trace.headers.is_control() && trace.receiver().is_some()
    };
    let is_aside = since + WAITED > story.failed_at || story.packets.iter().any(is_delivered);
    if story.packets.iter().any(is_elsewhere) || is_aside && !story.is_about_network() {
        return None;
    }
    let (node, since) = (story.node_name(node), story.clock(since));
    let is_down = |end: &u32| story.interface(*end).is_some_and(|known| known.down.is_some());
    let network = story.networks.values().find(|network| match &network.link_ends[..] {
        [one, other] => {
            [one, other].iter().all(|end| is_down(end))
                && [one, other].iter().any(|end| story.end_name(**end) == node)
        }
        _ => false,
    });
    let link = match network.map(|network| &network.link_ends[..]) {
        Some([one, other]) => format!("{} and {}", story.end_name(*one), story.end_name(*other)),
        _ => String::new(),
    };
    let link = match link.as_str() {
        "" => format!("the link of {node} ({interface})"),
        between => format!("the link between {between}"),
    };
    // The kernel drops what is sent there, before it is recorded.
    let stuck = story.sockets.iter().find(|socket| socket.state == "syn-sent");
    let stuck = stuck.and_then(|socket| {
        let (remote, by) = (socket.remote?, story.node_name(socket.node));
        Some(format!("; {by} tries to connect to {}", story.endpoint(remote.ip(), remote.port())))
    });
    let stuck = stuck.unwrap_or_default();
    Some(Hint::new(format!("{link} has been down since {since}{stuck}")))
}

/// The kernel answers a SYN at once. In this time, it does so on a slow machine, too.
const ANSWERED: Duration = Duration::from_millis(400);

/// SYNs arrived and were not answered.
pub(super) fn syn_unanswered(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().rev().find(|conversation| {
        !conversation.is_established()
            && (conversation.back.packets.is_empty() || conversation.has_syn_ack())
    })?;
    // A client with a time limit of its own tries again by another connection.
    let is_same = |other: &&TcpConversation<'_>| {
        other.server == last.server && other.client.ip() == last.client.ip()
    };
    let is_silent = |other: &&TcpConversation<'_>| other.back.packets.is_empty();
    let tries = conversations.iter().rev().filter(is_same).take_while(is_silent);
    let tries = tries.flat_map(|other| &other.forth.packets);
    let sent: Vec<&&PacketTrace> =
        if last.has_syn_ack() { last.forth.packets.iter().collect() } else { tries.collect() };
    let arrived = sent.iter().filter(|trace| story.is_delivered(trace)).count();
    let is_current = last.packets().any(|trace| story.is_current(trace));
    let is_old = |trace: &&&PacketTrace| {
        trace.last().received.is_some_and(|time| time + ANSWERED < story.failed_at)
    };
    let is_late = story.timed_out() && last.back.packets.is_empty() && sent.iter().any(is_old);
    if arrived < 2 && !is_late || !is_current || arrived < sent.len() {
        return None;
    }
    let at = last.server;
    if last.has_syn_ack() {
        let answers = last.back.packets.iter().filter(|trace| story.is_delivered(trace)).count();
        let (client, server) =
            (story.host(last.client.ip()), story.full_endpoint(at.ip(), at.port()));
        let text = format!(
            "the SYN-ACK from {server} reached {client} {}, which did not acknowledge it: see the packet filter of {client}",
            times(answers)
        );
        return (answers > 1 && last.reset().is_none()).then(|| Hint::new(text));
    }
    let came_in_on = last.packets().filter_map(|trace| story.interface(trace.receiver()?)).last();
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
            let why = last.packets().last().and_then(|trace| refused_by(story, trace));
            let why =
                why.map_or("; see its NAT and packet filter".to_owned(), |why| format!(": {why}"));
            format!(", and {name} did not forward it{why}")
        }
        _ => {
            let client = last.client.ip();
            let node = owner.and_then(|owner| story.nodes.get(&owner));
            let back = node.and_then(|node| device(node, client));
            match (back, came_in_on.map(|known| known.name.as_str())) {
                (Some(back), Some(on)) if back != on => format!(
                    " on {on}, and {name} did not answer it; its route to {client} leads by {back}, and rp_filter can discard such packets"
                ),
                _ => format!(
                    ", and {name} did not answer it; see its packet filter (`nft list ruleset`), and whether it has that address and a route to {client} (`ip addr`, `ip route`)"
                ),
            }
        }
    };
    Some(Hint::new(format!("the SYN to {server} arrived {count}{text}")))
}

/// Whether a node has several interfaces, and no socket that listens is known there. Without
/// rules for its WAN, that counts if sockets are known.
fn is_router(story: &Story, node: Option<u32>) -> bool {
    let known = node.and_then(|node| story.nodes.get(&node));
    let listens = |socket: &OpenSocket| Some(socket.node) == node && is_open(socket, "tcp");
    known.is_some_and(|known| {
        known.interfaces.len() > 1 && (!known.rules.is_empty() || !story.sockets.is_empty())
    }) && !story.sockets.iter().any(listens)
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
    if !story.timed_out() {
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
    // Where the test returned an error, its sockets are closed by then.
    let at = last.headers.ports().map(|(_, port)| SocketAddr::new(flow.destination, port))?;
    let sender = last.headers.ports().map(|(port, _)| SocketAddr::new(flow.source, port));
    // The other end, if it is not the sender of these.
    let other_end = |socket: &OpenSocket| {
        socket.remote.filter(|remote| remote.port() != 0 && Some(*remote) != sender)
    };
    let bound = story.sockets.iter().filter(|socket| {
        let local = socket.local.filter(|_| socket.protocol.starts_with("udp"));
        Some(socket.node) == story.owner(at.ip()) && local.is_some_and(|local| covers(local, at))
    });
    let receiver = bound.min_by_key(|socket| other_end(socket).is_some());
    let only = receiver
        .and_then(other_end)
        .map(|other| format!(", and the socket there takes datagrams from {other} only"));
    let why = match (&only, receiver.map(|socket| socket.unread)) {
        (Some(only), _) => only,
        (None, Some(0)) => ", and it has read them all",
        (None, Some(_)) => ", and it has not read them all",
        (None, None) if story.is_timeout() && !story.sockets.is_empty() => {
            ", and no socket is bound to that port there"
        }
        (None, None) => "",
    };
    Some(Hint::new(format!(
        "{from} sent {count} {datagrams} to {to}, which arrived; {} sent none back{why}",
        story.host(flow.destination)
    )))
}

/// Datagrams arrived at a socket that had no room for them.
pub(super) fn overflow(story: &Story) -> Option<Hint> {
    let is_full = |socket: &&OpenSocket| socket.protocol.starts_with("udp") && socket.dropped > 0;
    let socket = story.sockets.iter().filter(is_full).max_by_key(|socket| socket.dropped)?;
    // An assertion about a value is about datagrams if so many are missing.
    let missing = compared(story).map(|(left, right)| left.abs_diff(right) as u64);
    if !story.is_about_network() && missing != Some(socket.dropped) {
        return None;
    }
    // The kernel also counts those with a wrong checksum.
    let fates = story.packets.iter().flat_map(|trace| &trace.hops).flat_map(|hop| &hop.fates);
    if fates.into_iter().any(|fate| fate.effect == "changed") {
        return None;
    }
    let (node, local, count) = (story.node_name(socket.node), socket.local?, socket.dropped);
    let datagrams = if count == 1 { "datagram that" } else { "datagrams that" };
    Some(Hint::new(format!(
        "{node} dropped {count} {datagrams} had arrived for its UDP socket {local}, since the receive buffer was full: it is not read, or too slowly"
    )))
}

/// The numbers that a failed `assert_eq!` has compared.
fn compared(story: &Story) -> Option<(usize, usize)> {
    let number = |side: &str| {
        let line = story.verdict.lines().find_map(|line| line.trim().strip_prefix(side))?;
        line.trim().parse::<usize>().ok()
    };
    Some((number("left:")?, number("right:")?))
}

/// A datagram arrived, and an assertion compares its length with that of a smaller buffer.
pub(super) fn truncated(story: &Story) -> Option<Hint> {
    // Smaller numbers count other things than bytes.
    const LEAST: usize = 256;
    let (left, right) = compared(story)?;
    let (read, sent) = (left.min(right), left.max(right));
    let is_it = |trace: &&PacketTrace| trace.headers.udp() == Some(sent);
    let last = story.packets.iter().rfind(is_it).filter(|trace| story.is_delivered(trace))?;
    let from_it = |trace: &&PacketTrace| trace.headers.source == last.headers.source;
    if read == sent
        || read < LEAST
        || !read.is_power_of_two() // as buffers are
        || story.packets.iter().filter(from_it).any(PacketTrace::is_lost)
    {
        return None;
    }
    let (from, to) = (story.host(last.headers.source?), story.destination(&last.headers));
    Some(Hint::new(format!(
        "the datagram of {sent} bytes from {from} to {to} arrived; a buffer of {read} bytes truncates it"
    )))
}
