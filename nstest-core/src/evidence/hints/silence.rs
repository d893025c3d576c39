//! Where a test stopped, if no cause is known: the last packets, and who did not answer.

use std::time::Duration;

use super::Hint;
use crate::evidence::story::Story;
use crate::evidence::story::names::{seconds, times};
use crate::evidence::story::trace::PacketTrace;

/// Silence that is worth a remark.
const SILENCE: Duration = Duration::from_millis(500);

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

/// SYNs arrived and were not answered.
pub(super) fn syn_unanswered(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().rev().find(|conversation| {
        !conversation.is_established() && conversation.back.packets.is_empty()
    })?;
    let arrived = last.forth.packets.iter().filter(|trace| story.is_delivered(trace)).count();
    if arrived < 2 || arrived < last.forth.packets.len() {
        return None;
    }
    let server = story.full_endpoint(last.server.ip(), last.server.port());
    Some(Hint::new(format!(
        "the SYN to {server} arrived {} and was not answered: its listening socket is full, or a packet filter there drops it",
        times(arrived)
    )))
}

/// Datagrams arrived and were not answered, until the timeout.
pub(super) fn datagrams_unanswered(story: &Story) -> Option<Hint> {
    if !story.is_timeout() {
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
    if answered || !sent.iter().all(|trace| story.is_delivered(trace)) {
        return None;
    }
    let (from, to) = (story.host(flow.source), story.destination(&last.headers));
    let count = sent.len();
    let datagrams = if count == 1 { "datagram" } else { "datagrams" };
    Some(Hint::new(format!(
        "{from} sent {count} {datagrams} to {to}, which arrived; {} sent none back",
        story.host(flow.destination)
    )))
}

/// All data arrived, and then nothing was sent until the timeout.
pub(super) fn stream(story: &Story) -> Option<Hint> {
    if !story.is_timeout() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().max_by_key(|conversation| conversation.last_time())?;
    let silent = story.failed_at.saturating_sub(last.last_time());
    let complete = [&last.forth, &last.back]
        .iter()
        .all(|direction| direction.packets.iter().all(|trace| story.is_delivered(trace)));
    if silent < SILENCE || !complete || !last.is_established() {
        return None;
    }
    let data = last.packets().filter(|trace| trace.headers.data() > 0);
    let client = story.host(last.client.ip());
    let server = story.full_endpoint(last.server.ip(), last.server.port());
    let silent = seconds(silent);
    let Some(data) = data.max_by_key(|trace| trace.time()) else {
        return Some(Hint::new(format!(
            "{client} connected to {server}, and neither sent data in the last {silent}"
        )));
    };
    let (from, to) = match data.headers.source == Some(last.client.ip()) {
        true => (client.clone(), story.host(last.server.ip())),
        false => (story.host(last.server.ip()), client.clone()),
    };
    let what = data.headers.what();
    Some(Hint::new(format!(
        "{from} sent {what} to {to} on the connection from {client} to {server}, which arrived; {to} sent nothing back in the last {silent}"
    )))
}
