//! Tests that did not stop, and did not end in time.

use std::time::Duration;

use super::Hint;
use crate::evidence::story::conversations::TcpConversation;
use crate::evidence::story::names::bytes;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, Story};
use crate::frame::view::{Tcp, is_not_after};

/// So many round trips are work.
const MANY: usize = 10;

/// Data was exchanged up to the end, without a long pause.
pub(super) fn up_to_the_end(story: &Story) -> Option<Hint> {
    if !story.timed_out() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let last = conversations.iter().max_by_key(|conversation| conversation.last_time())?;
    let is_between = |other: &&TcpConversation<'_>| {
        other.server == last.server && other.client.ip() == last.client.ip()
    };
    let between: Vec<&TcpConversation<'_>> = conversations.iter().filter(is_between).collect();
    let mut data: Vec<&PacketTrace> = between
        .iter()
        .flat_map(|conversation| conversation.packets())
        .filter(|trace| trace.headers.data() > 0 && trace.receiver().is_some())
        .collect();
    data.sort_by_key(|trace| trace.time());
    let begin = data.first()?.time();
    let total = story.failed_at.saturating_sub(begin);
    let times = data.iter().map(|trace| trace.time()).chain([story.failed_at]);
    let pauses = times.clone().skip(1).zip(times).map(|(later, earlier)| later - earlier);
    if pauses.max()? > total / 5 || total < Duration::from_millis(5) {
        return None;
    }
    let rounds = between.iter().map(|conversation| rounds(conversation)).sum::<usize>();
    let (client, server) = (story.host(last.client.ip()), last.server);
    let server = story.full_endpoint(server.ip(), server.port());
    // The oldest packets can be missing.
    let least = if story.notes.iter().any(|note| note.contains("oldest packets")) {
        "at least "
    } else {
        ""
    };
    let (total, connections) = (total.as_secs_f64(), between.len());
    let on = if connections > 1 { format!(" on {connections} connections") } else { String::new() };
    if rounds >= MANY {
        let each = total * 1e3 / rounds as f64;
        return Some(Hint::new(format!(
            "busy, not stuck: {client} and {server} made {least}{rounds} round trips{on} in the last {total:.3} s, up to the end, one in {each:.2} ms{}",
            share(story, begin)
        )));
    }
    let (forth, back): (u64, u64) = between
        .iter()
        .fold((0, 0), |(forth, back), one| (forth + one.forth.bytes, back + one.back.bytes));
    if data.len() < 2 * MANY {
        return None;
    }
    Some(Hint::new(format!(
        "busy, not stuck: data was transferred up to the end, {least}{} from {client} to {server} and {back} back in the last {total:.3} s{}",
        bytes(forth),
        share(story, begin)
    )))
}

/// How often one end sent data after the other had.
fn rounds(conversation: &TcpConversation<'_>) -> usize {
    let [mut forth, mut back] = [&conversation.forth, &conversation.back].map(|direction| {
        let data = direction.packets.iter().filter(|trace| trace.headers.data() > 0);
        data.map(|trace| trace.time())
    });
    let (mut rounds, mut now) = (0, Duration::ZERO);
    while let Some(asked) = forth.find(|time| *time >= now) {
        let Some(answered) = back.find(|time| *time >= asked) else { break };
        (rounds, now) = (rounds + 1, answered);
    }
    rounds
}

/// `; of that, packets were delayed by `…` for 2.0 s`, if that is worth a remark.
fn share(story: &Story, begin: Duration) -> String {
    match delayed(story, begin) {
        Some((fault, time)) if time * 4 > story.failed_at.saturating_sub(begin) => {
            let (text, time) = (&fault.text, time.as_secs_f64());
            format!("; `{text}` delayed packets for {time:.1} s of that")
        }
        _ => String::new(),
    }
}

/// The condition that delays packets, and how long at least one packet was on its way since a
/// time.
fn delayed(story: &Story, begin: Duration) -> Option<(&KnownFault, Duration)> {
    let mut fault = None;
    let mut ways = Vec::new();
    for hop in story.packets.iter().flat_map(|trace| &trace.hops) {
        let Some((delay, by)) = hop.fates.iter().find_map(|fate| Some((fate.delay?, fate.fault?)))
        else {
            continue;
        };
        if hop.time >= begin && *fault.get_or_insert(by) == by {
            let end = hop.time + Duration::from_nanos(delay);
            ways.push((hop.time, end.min(story.failed_at)));
        }
    }
    Some((story.fault(fault?)?, union(ways)))
}

/// Segments were lost to a condition, and waiting for their retransmission took a large part of
/// the time.
pub(super) fn slowed_by_loss(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let conversations = story.tcp_conversations();
    let packets = || conversations.iter().flat_map(TcpConversation::packets);
    let fault = packets()
        .flat_map(PacketTrace::drops)
        .find_map(|number| story.fault(number).filter(|fault| fault.is_condition()))?;
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
    let delayed = delayed(story, first).map_or(Duration::ZERO, |(_, delayed)| delayed);
    let (under, delayed) = match delayed * 5 > total {
        true => {
            ("delay and loss", format!(" and delayed packets for {:.1} s", delayed.as_secs_f64()))
        }
        false => ("loss", String::new()),
    };
    let (stalled, total) = (stalled.as_secs_f64(), total.as_secs_f64());
    Some(Hint::about(
        fault,
        format!(
            "slow under {under}: `{text}` dropped {lost} of {all} TCP packets ({percent:.1} %) between {client} and {server}{delayed}; {again} segments were sent again, and waiting for them took {stalled:.1} of {total:.1} s",
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
