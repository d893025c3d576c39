//! Packets that a condition still delayed when the test failed.

use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Duration;

use super::Hint;
use crate::evidence::story::conversations::TcpConversation;
use crate::evidence::story::names::{bytes, seconds};
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, Story};
use crate::evidence::timeline::Fate;
use crate::frame::view::flag;

/// A delay that is worth a remark.
const DELAY: Duration = Duration::from_millis(200);

/// A packet that the wire was to deliver after the test failed.
#[derive(Clone, Copy)]
pub(super) struct OnItsWay<'a> {
    trace: &'a PacketTrace,
    fault: &'a KnownFault,
    delay: Duration,
}

/// Those packets, as far as they have to do with what the test did.
fn all_on_their_way(story: &Story) -> impl Iterator<Item = OnItsWay<'_>> {
    story.packets.iter().filter_map(|trace| {
        let hop = trace.last();
        let fate = hop.fates.iter().find(|fate| fate.delay.is_some())?;
        let delay = Duration::from_nanos(fate.delay?);
        let is_waiting = hop.to.is_empty() && trace.dropped_by().is_none();
        let fault = story.fault(fate.fault?).filter(|fault| fault.is_in_force())?;
        (is_waiting && delay >= DELAY && hop.time + delay > story.failed_at)
            .then_some(OnItsWay { trace, fault, delay })
            .filter(|_| !trace.headers.is_control())
    })
}

/// The next one that was to be delivered.
pub(super) fn on_its_way(story: &Story) -> Option<OnItsWay<'_>> {
    all_on_their_way(story).min_by_key(OnItsWay::due)
}

/// An answer, a request or data waits in a condition, such as a delay or a limit of the rate.
///
/// If the test reports no timeout, only what it cannot have got counts: a handshake that is not
/// complete, and data of a connection that an end has closed.
pub(super) fn still_delayed(story: &Story) -> Option<Hint> {
    let conversations = story.tcp_conversations();
    let counts = |one: &OnItsWay<'_>| {
        let own = conversation(&conversations, one.trace);
        let is_given_up = |own| one.trace.headers.is_request() && one.is_given_up(own);
        story.timed_out() || own.is_some_and(is_given_up)
    };
    // A client that gives up resets its connection, and tries again by another one.
    let last = all_on_their_way(story).filter(counts).min_by_key(|one| {
        let own = conversation(&conversations, one.trace);
        let opened = own.map_or(one.trace.time(), TcpConversation::first_time);
        (!one.trace.headers.is_request(), Reverse(opened), one.due())
    })?;
    let OnItsWay { trace, fault, delay } = last;
    let waits = story.packets.iter().filter(|other| {
        let by = |fate: &Fate| {
            let due = other.last().time + Duration::from_nanos(fate.delay.unwrap_or(0));
            fate.fault == Some(fault.number) && due > story.failed_at
        };
        let waits = other.last().to.is_empty() && other.dropped_by().is_none();
        waits && other.flow() == trace.flow() && other.last().fates.iter().any(by)
    });
    let count: usize = waits.map(|trace| trace.headers.data()).sum();
    let (from, to) = (story.source(&trace.headers), story.destination(&trace.headers));
    let (text, failed) = (&fault.text, story.clock(story.failed_at));
    let back = match last.round_trip(story) {
        Some(time) => format!("; the round trip takes {}", seconds(time)),
        None => String::new(),
    };
    let text = match trace.headers.tcp().is_none() || count == 0 {
        true => {
            let (what, due, delay) =
                (trace.headers.what(), story.clock(last.due()), seconds(delay));
            format!(
                "the {what} from {from} to {to} was still on its way when the test failed at {failed}: `{text}` delays it by {delay}, to {due}{back}"
            )
        }
        false => format!(
            "data ({}) from {from} to {to} was still delayed by `{text}` when the test failed at {failed}{back}",
            bytes(count as u64)
        ),
    };
    Some(Hint::about(fault, text))
}

/// The connection of a packet.
fn conversation<'a>(
    conversations: &'a [TcpConversation<'a>],
    trace: &PacketTrace,
) -> Option<&'a TcpConversation<'a>> {
    let (source, destination) = trace.headers.ports()?;
    let from = SocketAddr::new(trace.headers.source?, source);
    let to = SocketAddr::new(trace.headers.destination?, destination);
    let has = |own: &&TcpConversation<'_>| {
        let is_between = [[from, to], [to, from]].contains(&[own.client, own.server]);
        is_between && own.packets().any(|other| std::ptr::eq(other, trace))
    };
    conversations.iter().find(has)
}

impl OnItsWay<'_> {
    pub(super) fn is_from(&self, server: SocketAddr) -> bool {
        let headers = &self.trace.headers;
        let port = headers.ports().map(|(port, _)| port);
        headers.source == Some(server.ip()) && port == Some(server.port())
    }

    fn due(&self) -> Duration {
        self.trace.last().time + self.delay
    }

    /// Whether the test can have waited for it, or for its answer, and has given up: the
    /// handshake is not complete, or an end has closed the connection.
    fn is_given_up(&self, own: &TcpConversation<'_>) -> bool {
        let is_handshake = self.trace.headers.is_tcp(flag::SYN) && !own.is_established();
        let closes =
            |other: &PacketTrace| other.headers.is_tcp(flag::FIN) || other.headers.is_reset();
        is_handshake || own.packets().any(closes)
    }

    /// Its delay, and that of the packet that it answers: the last one of the other direction
    /// that had been received when it was sent, if it is the first one after that.
    fn round_trip(&self, story: &Story) -> Option<Duration> {
        let (flow, sent) = (self.trace.flow()?, self.trace.time());
        let mut before = story.packets.iter().rev().filter(|other| other.headers.is_request());
        let asked = before.find(|other| {
            let is_before = other.last().received.is_some_and(|received| received <= sent);
            is_before && other.flow() == Some(flow.reverse())
        })?;
        let answers = |other: &PacketTrace| {
            other.flow() == Some(flow)
                && other.headers.is_request()
                && other.time() < sent
                && asked.last().received.is_some_and(|received| received <= other.time())
        };
        if story.packets.iter().any(answers) {
            return None;
        }
        let delay = asked.last().fates.iter().find_map(|fate| fate.delay)?;
        Some(self.delay + Duration::from_nanos(delay))
    }
}
