//! Connections and datagrams that were refused, since no socket listens there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Hint;
use super::delayed::on_its_way;
use super::resolver::resolved_to;
use crate::evidence::story::conversations::TcpConversation;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{OpenSocket, Story};
use crate::layout::NODE;

/// ICMP and ICMPv6 "port unreachable".
pub(super) const PORT_UNREACHABLE: [(u8, u8, u8); 2] = [(4, 3, 3), (6, 1, 4)];

/// A node answered a SYN by RST.
pub(super) fn over_tcp(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let is_refused = |conversation: &TcpConversation<'_>| {
        // Another node can answer for it.
        let arrived = conversation.forth.packets.iter().any(|trace| story.is_delivered(trace));
        let reset = conversation.reset();
        let by_node = reset.is_some_and(|reset| {
            reset.made_by().is_none() && reset.headers.source == Some(conversation.server.ip())
        });
        arrived && by_node && !conversation.is_established()
    };
    let last = conversations.iter().rev().find(|conversation| is_refused(conversation))?;
    let recovered = conversations.iter().any(|other| {
        other.server == last.server
            && other.is_established()
            && other.last_time() > last.first_time()
    });
    let named = story.names_error(&[111]);
    let is_old = !last.packets().any(|trace| story.is_current(trace));
    // A client that reports a timeout waits for a reset that is still on its way.
    let is_late = on_its_way(story).is_some_and(|late| late.is_from(last.server));
    if recovered || !named && (is_old || story.timed_out() && is_late) {
        return None;
    }
    let to_it = |other: &&TcpConversation<'_>| other.server == last.server && is_refused(other);
    let count = conversations.iter().filter(to_it).count();
    let again = if count > 1 { format!(" ({count} times)") } else { String::new() };
    let (client, resolved) = (story.host(last.client.ip()), resolved_to(story, last.server.ip()));
    // It listened before, as a server that has ended.
    let was_there =
        conversations.iter().any(|other| other.server == last.server && other.is_established());
    let first = conversations.iter().find(|other| other.server == last.server);
    let is_soon = first.is_some_and(|first| first.first_time() + SOON > story.failed_at);
    let excluded =
        was_there || !resolved.is_empty() || super::panics::in_another_thread(story).is_some();
    let wait = wait_for(story, last.server).filter(|_| !excluded);
    let (listener, wait) = match listener(story, last.server, "tcp", wait.as_deref()) {
        KnownListener::None(text) => (text, wait.filter(|_| is_soon)),
        KnownListener::Other(text) => (text, None),
    };
    let wait = wait.map(|call| {
        format!("; if a task, thread or program is to listen there, wait for it: {call}")
    });
    Some(Hint::new(format!(
        "{listener}; the SYN from {client} got RST{again}{resolved}{}",
        wait.unwrap_or_default()
    )))
}

/// How long a server that was started takes to listen, at most.
const SOON: Duration = Duration::from_secs(1);

/// The call that waits until the node with this address listens on this port.
fn wait_for(story: &Story, at: SocketAddr) -> Option<String> {
    let name = story.node_name(story.owner(at.ip())?);
    let mut characters = name.chars();
    let is_variable = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_');
    let variable = match name.as_str() {
        NODE => "net.local()",
        name if is_variable => name,
        _ => "node",
    };
    Some(format!("`{variable}.wait_listening({})`", at.port()))
}

/// A node answered a datagram by ICMP "port unreachable".
pub(super) fn over_udp(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let refuses = |trace: &&PacketTrace| {
        trace.headers.is_icmp(&PORT_UNREACHABLE)
            && trace.made_by().is_none()
            && story.is_delivered(trace)
    };
    let error = story.packets.iter().rev().find(refuses)?;
    let quoted = error.headers.quoted.as_ref()?;
    quoted.udp()?;
    let (address, (_, port)) = (quoted.destination?, quoted.ports()?);
    let answers = |trace: &PacketTrace| {
        let headers = &trace.headers;
        headers.udp().is_some()
            && headers.source == Some(address)
            && headers.ports().is_some_and(|(source, _)| source == port)
    };
    let recovered = story.packets.iter().any(|trace| trace.time() > error.time() && answers(trace));
    if port == super::resolver::DNS || recovered {
        return None;
    }
    if !story.names_error(&[111]) && !story.is_current(error) {
        return None;
    }
    let server = SocketAddr::new(address, port);
    let client = quoted.source.map(|ip| story.host(ip)).unwrap_or_default();
    // What was refused is a reply: see `replies`.
    if story.asked_elsewhere(quoted, error.time()).is_some() {
        return None;
    }
    let (KnownListener::None(listener) | KnownListener::Other(listener)) =
        listener(story, server, "udp", None);
    Some(Hint::new(format!(
        "{listener}; the datagram from {client} got ICMP port unreachable{}",
        resolved_to(story, address)
    )))
}

/// A connection was refused, and no packet says which: it was to an
/// address of its own node, or to a Unix socket.
pub(super) fn without_packets(story: &Story) -> Option<Hint> {
    let refused = story.names_error(&[111]);
    let is_answer =
        |trace: &PacketTrace| trace.headers.is_reset() || trace.headers.is_icmp(&PORT_UNREACHABLE);
    if !refused || story.packets.iter().any(is_answer) || story.nodes.is_empty() {
        return None;
    }
    let listening: Vec<String> = story
        .sockets
        .iter()
        .filter(|socket| is_open(socket, "tcp"))
        .filter_map(|socket| Some(listens(story, socket, socket.local?)))
        .take(2)
        .collect();
    let others = match listening.is_empty() {
        true if story.has_returned() => format!("; no socket listens{CLOSED}"),
        true => String::new(),
        false => format!("; {}", listening.join(", ")),
    };
    Some(Hint::new(format!(
        "the connection was refused without a packet on the network, so it was to an address of its own node, such as 127.0.0.1, or to a Unix socket{others}"
    )))
}

/// A call failed with EADDRNOTAVAIL. Which call it was is not known.
pub(super) fn not_available(story: &Story) -> Option<Hint> {
    if !story.names_error(&[99]) || story.nodes.is_empty() {
        return None;
    }
    Some(Hint::new(
        "EADDRNOTAVAIL: bind says so if the node does not have the address (that of another node needs `node.run(…)`), connect if no port is left or the node has no address of that IP version, leaving a multicast group if it was not joined",
    ))
}

/// What is known about who listens at an address that refused.
enum KnownListener {
    /// Nothing.
    None(String),
    /// A socket that listens, maybe somewhere else.
    Other(String),
}

/// `no socket listens on server:7000 (10.0.2.2); server listens on 127.0.0.1:7000`, as far as is
/// known. `wait`: the call that waits for a listener there, if it may have been opened later.
fn listener(story: &Story, at: SocketAddr, protocol: &str, wait: Option<&str>) -> KnownListener {
    let there = story.full_endpoint(at.ip(), at.port());
    let owner = story.owner(at.ip());
    let open: Vec<(&OpenSocket, SocketAddr)> = story
        .sockets
        .iter()
        .filter(|socket| is_open(socket, protocol))
        .filter_map(|socket| Some((socket, socket.local?)))
        .collect();
    let is_own = |socket: &OpenSocket| Some(socket.node) == owner;
    let find = |wanted: &dyn Fn(&OpenSocket, SocketAddr) -> bool| {
        open.iter().find(|(socket, local)| wanted(socket, *local)).copied()
    };
    if let Some((socket, local)) = find(&|socket, local| is_own(socket) && covers(local, at)) {
        let other = match local.is_ipv6() && at.is_ipv4() {
            true => ", is for IPv6 only",
            false => "",
        };
        let wait = wait.map(|call| format!(" (wait for it: {call})")).unwrap_or_default();
        return KnownListener::Other(format!(
            "{there} refused, although {}: that socket was opened later{wait}{other}, or is bound to an interface or to one peer, or a packet filter refused",
            listens(story, socket, local)
        ));
    }
    let nearest = find(&|socket, local| is_own(socket) && local.port() == at.port())
        .or_else(|| find(&|_, local| local.port() == at.port()))
        .or_else(|| find(&|socket, _| is_own(socket)));
    let Some((socket, local)) = nearest else {
        // The sockets of a test that returned an error were read after it had dropped its own.
        let closed = if story.has_returned() { CLOSED } else { "" };
        return KnownListener::None(format!("no socket listens on {there}{closed}"));
    };
    let family = match (local.is_ipv6(), at.is_ipv6()) {
        (true, false) if !local.ip().is_unspecified() => " (IPv6)",
        (false, true) if !local.ip().is_unspecified() => " (IPv4)",
        _ => "",
    };
    let only = if is_own(socket) && local.port() == at.port() { " only" } else { "" };
    let what = match story.has_returned() {
        true => format!("{there} refused, and no socket listens there after the test has returned"),
        false => format!("no socket listens on {there}"),
    };
    KnownListener::Other(format!("{what}; {}{family}{only}", listens(story, socket, local)))
}

/// Why it is not known what listened before a test returned an error.
const CLOSED: &str =
    " after the test returned and closed its own (`unwrap()` instead of `?` shows them)";

/// `server listens on 127.0.0.1:7000`.
fn listens(story: &Story, socket: &OpenSocket, local: SocketAddr) -> String {
    let family = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => " (IPv4)",
        _ => "",
    };
    format!("{} listens on {local}{family}", story.node_name(socket.node))
}

/// Whether it takes connections, or datagrams of everybody.
pub(super) fn is_open(socket: &OpenSocket, protocol: &str) -> bool {
    let is_listening = match protocol {
        "tcp" => socket.state.starts_with("listen"),
        _ => socket.remote.is_none_or(|remote| remote.port() == 0),
    };
    socket.protocol.starts_with(protocol) && is_listening
}

/// Whether a socket that listens at `local` takes what is sent to `at`.
pub(super) fn covers(local: SocketAddr, at: SocketAddr) -> bool {
    let address = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => at.is_ipv4(),
        // It takes IPv4, too, unless IPV6_V6ONLY is set, which is not known.
        IpAddr::V6(ip) if ip.is_unspecified() => true,
        ip => ip == at.ip(),
    };
    address && local.port() == at.port()
}
