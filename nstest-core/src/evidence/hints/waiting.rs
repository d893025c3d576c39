//! What the ends of a connection wait for, if all data arrived and then nothing was sent until
//! the timeout.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Hint;
use super::current::waits_for_several;
use crate::evidence::story::conversations::{TcpConversation, TcpDirection};
use crate::evidence::story::names::{bytes, seconds};
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{OpenSocket, Story, WaitingThread};
use crate::evidence::timeline::STOPPED;
use crate::frame::view::flag;

/// Silence that is worth a remark.
const SILENCE: Duration = Duration::from_millis(200);

/// The thread of the test waits for another, and no thread waits for the network.
pub(super) fn for_itself(own: &WaitingThread) -> Hint {
    let what = own.waits_for.as_deref().unwrap_or("a lock, a channel or another thread (futex)");
    Hint::new(format!(
        "no thread waits for an answer from the network: thread {} of the test waits for {what}",
        own.thread
    ))
}

/// The thread of the test was stopped.
pub(super) fn stopped(story: &Story) -> Option<Hint> {
    let own = story.own_thread().filter(|own| story.is_timeout() && own.waits_in == STOPPED)?;
    Some(Hint::new(format!(
        "thread {} of the test is stopped, as by SIGSTOP or a debugger",
        own.thread
    )))
}

/// The thread of the test waits for something else than the network.
pub(super) fn own_thread(story: &Story) -> Option<Hint> {
    let own = story.own_thread().filter(|_| story.is_timeout())?;
    let what = match (own.waits_in.as_str(), own.waits_for.as_deref()) {
        (call, None) if call.ends_with("nanosleep") => "sleeps".to_owned(),
        (_, Some(what)) if what.starts_with("the end of ") => format!("waits for {what}"),
        _ => return None,
    };
    Some(Hint::new(format!("thread {} of the test {what}", own.thread)))
}

/// All data arrived, and then nothing was sent until the timeout.
pub(super) fn stream(story: &Story) -> Option<Hint> {
    if !story.timed_out() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let silences = conversations.iter().filter_map(|one| Silence::of(story, one));
    let is_waited_for = |conversation: &TcpConversation<'_>| {
        let (client, server) = (conversation.client, conversation.server);
        waits(story, client, server) || waits(story, server, client)
    };
    let silence = silences.max_by_key(|silence| {
        (silence.closed_by.is_some(), is_waited_for(silence.conversation), silence.since)
    })?;
    let last = silence.conversation;
    let complete = silence.packets().all(|trace| story.is_delivered(trace));
    let silent = silence.until.saturating_sub(silence.since);
    if silent < SILENCE || !complete || !last.is_established() {
        return None;
    }
    if let Some(text) = blocked(story, last) {
        return Some(Hint::new(text));
    }
    let data = silence.packets().filter(|trace| trace.headers.data() > 0);
    let client = story.host(last.client.ip());
    let server = story.full_endpoint(last.server.ip(), last.server.port());
    let (in_the_last, until) = match silence.closed_by {
        None => (format!("in the last {}", seconds(silent)), String::new()),
        Some(by) => {
            let read = if story.names_error(&[11]) { " (EAGAIN: a read timed out)" } else { "" };
            let until = format!(", until {} closed the connection{read}", story.host(by));
            (format!("for {}", seconds(silent)), until)
        }
    };
    let Some(data) = data.max_by_key(|trace| trace.time()) else {
        return Some(Hint::new(format!(
            "{client} connected to {server}, and neither sent data {in_the_last}{until}"
        )));
    };
    let is_reply = data.headers.source == Some(last.server.ip());
    let (from, to) = match data.headers.source == Some(last.client.ip()) {
        true => (client.clone(), story.host(last.server.ip())),
        false => (story.host(last.server.ip()), client.clone()),
    };
    let what = data.headers.what();
    let receiver = if is_reply { last.client } else { last.server };
    let sender = if is_reply { last.server } else { last.client };
    let read = match socket(story, receiver, sender).map(|socket| socket.unread) {
        Some(0) => format!(", and {to} has read it all"),
        Some(unread) => format!(", and {to} has not read {}", bytes(unread)),
        None => String::new(),
    };
    // The client has what it asked for, or waits for more, or for the end.
    let then = if is_reply { "neither sent data" } else { &format!("{to} sent nothing back") };
    Some(Hint::new(format!(
        "{from} sent {what} to {to} on the connection from {client} to {server}, which arrived{read}; {then} {in_the_last}{until}"
    )))
}

/// A test that fails closes its connections in this time before it says so.
const CLOSED: Duration = Duration::from_millis(100);

/// A connection on which nothing was sent.
struct Silence<'a> {
    conversation: &'a TcpConversation<'a>,
    since: Duration,
    until: Duration,
    /// The end that closed the connection, if that was when its call failed. Its socket is gone.
    closed_by: Option<IpAddr>,
}

impl<'a> Silence<'a> {
    /// That of a connection that is open, or was until the failure.
    fn of(story: &Story, conversation: &'a TcpConversation<'a>) -> Option<Self> {
        let closes =
            |trace: &&PacketTrace| trace.headers.is_tcp(flag::FIN) || trace.headers.is_reset();
        let first = conversation.packets().filter(closes).min_by_key(|trace| trace.time());
        let closing = first
            .filter(|first| story.reports_timeout() && first.time() + CLOSED >= story.failed_at);
        let is_closed = is_closed(&conversation.forth) && is_closed(&conversation.back);
        let until = match closing {
            Some(closing) => closing.time(),
            // A connection that both ends have closed is not stuck.
            None if is_closed => return None,
            None => story.failed_at,
        };
        let mut silence = Self { conversation, since: until, until, closed_by: None };
        silence.closed_by = closing.and_then(|closing| closing.headers.source);
        silence.since = silence.packets().map(PacketTrace::time).max()?;
        Some(silence)
    }

    /// The packets before it.
    fn packets(&self) -> impl Iterator<Item = &'a PacketTrace> {
        let is_closed = self.closed_by.is_some();
        let until = self.until;
        self.conversation.packets().filter(move |trace| !is_closed || trace.time() < until)
    }
}

/// Which end waits to read, and what the other does, if that is known.
fn blocked(story: &Story, last: &TcpConversation<'_>) -> Option<String> {
    let (client, server) = (Endpoint::of(story, last, true)?, Endpoint::of(story, last, false)?);
    let since = story.clock(last.last_time());
    let from = &client.name;
    let to = story.full_endpoint(last.server.ip(), last.server.port());
    let connection = format!("the connection from {from} to {to}");
    if client.reads && server.reads {
        let closed = match (client.closed, server.closed) {
            (false, false) => "neither has closed its side".to_owned(),
            (true, false) => format!("{} has closed its side", client.name),
            (false, true) => format!("{} has closed its side", server.name),
            (true, true) => return None,
        };
        return Some(format!(
            "both ends of {connection} wait to read since {since}: {} has read {} and {} {}, each waits for more or for the end, and {closed}",
            server.name,
            bytes(server.got),
            client.name,
            client.got
        ));
    }
    let (reader, other) = if client.reads { (client, server) } else { (server, client) };
    // A thread that waits for many descriptors may wait for this one, too.
    let is_unclear = story.threads.iter().any(waits_for_several) || !reader.reads;
    if is_unclear || other.is_waited_for || other.closed {
        return None;
    }
    let sleeps = story.threads.iter().find(|thread| thread.waits_in.ends_with("nanosleep"));
    let sleeps = sleeps.map(|thread| format!("; thread {} sleeps", thread.thread));
    let unread = match other.unread {
        0 => String::new(),
        unread => format!(", has not read {}", bytes(unread)),
    };
    Some(format!(
        "{} waits to read on {connection} since {since}, has got {}, and waits for more or for the end; {} has not closed its end{unread}, and no thread waits for that end{}",
        reader.name,
        bytes(reader.got),
        other.name,
        sleeps.unwrap_or_default()
    ))
}

/// One end of a connection.
struct Endpoint {
    name: String,
    /// Bytes that arrived there.
    got: u64,
    unread: u64,
    /// Whether a thread waits to read from it, and it has read everything.
    reads: bool,
    is_waited_for: bool,
    /// Whether it has sent a FIN.
    closed: bool,
}

impl Endpoint {
    fn of(story: &Story, conversation: &TcpConversation<'_>, client: bool) -> Option<Self> {
        let TcpConversation { client: from, server: to, forth, back } = conversation;
        let (local, remote, sent, got): (_, _, &TcpDirection<'_>, &TcpDirection<'_>) =
            if client { (*from, *to, forth, back) } else { (*to, *from, back, forth) };
        let unread = socket(story, local, remote)?.unread;
        Some(Self {
            name: story.host(local.ip()),
            got: got.bytes,
            unread,
            is_waited_for: waits(story, local, remote),
            reads: unread == 0 && reads(story, local, remote),
            closed: is_closed(sent),
        })
    }
}

fn is_closed(sent: &TcpDirection<'_>) -> bool {
    sent.packets.iter().any(|trace| trace.headers.is_tcp(flag::FIN))
}

/// The threads that wait for a socket.
fn waiting(
    story: &Story,
    local: SocketAddr,
    remote: SocketAddr,
) -> impl Iterator<Item = &WaitingThread> {
    let ends = format!("{local} -> {remote}");
    let waits = move |thread: &&WaitingThread| {
        thread.waits_for.as_ref().is_some_and(|what| what.contains(&ends))
    };
    story.threads.iter().filter(waits)
}

fn waits(story: &Story, local: SocketAddr, remote: SocketAddr) -> bool {
    waiting(story, local, remote).next().is_some()
}

/// Whether a thread waits for data from a socket.
pub(super) fn reads(story: &Story, local: SocketAddr, remote: SocketAddr) -> bool {
    let is_read = |thread: &WaitingThread| {
        ["recv", "read"].iter().any(|call| thread.waits_in.starts_with(call))
    };
    waiting(story, local, remote).any(is_read)
}

/// The socket with these addresses.
pub(super) fn socket(story: &Story, local: SocketAddr, remote: SocketAddr) -> Option<&OpenSocket> {
    story.sockets.iter().find(|own| own.local == Some(local) && own.remote == Some(remote))
}
