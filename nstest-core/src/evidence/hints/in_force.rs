//! Faults that are in force when the test fails, whatever its verdict says: the packets that
//! they have taken, as an observation.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Hint;
use super::faults::{IN_A_ROW, kind, lost_packets};
use crate::evidence::story::names::PacketFlow;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, Story};
use crate::fault::FaultEffect;
use crate::frame::view::{flag, is_not_after};

/// A packet that was lost this long before the failure is old. TCP sends one again after 1 s,
/// and again after 2 s.
const RECENT: Duration = Duration::from_secs(3);

/// A fault that is in force has taken packets that the test needed, and none of their kind came
/// through afterwards.
pub(super) fn took_packets(story: &Story) -> Option<Hint> {
    let mut kinds: BTreeMap<_, Vec<&PacketTrace>> = BTreeMap::new();
    let is_needed = |trace: &&PacketTrace| trace.headers.is_request() || trace.headers.is_lookup();
    for trace in story.packets.iter().filter(is_needed) {
        if let Some(kind) = kind(&trace.headers) {
            kinds.entry(kind).or_default().push(trace);
        }
    }
    let taken_by = |fault: &KnownFault| {
        let least = if fault.is_condition() { IN_A_ROW } else { 1 };
        let of_kinds = kinds.values().filter_map(move |traces| {
            let is_arrived =
                |trace: &&PacketTrace| trace.receiver().is_some() && story.blamed(trace).is_none();
            let arrived = traces.iter().rposition(is_arrived);
            let tail = traces[arrived.map_or(0, |at| at + 1)..].iter().copied();
            let taken: Vec<&PacketTrace> =
                tail.filter(|trace| story.is_taken_by(trace, fault)).collect();
            (taken.len() >= least).then_some(taken)
        });
        let mut taken: Vec<&PacketTrace> = of_kinds.flatten().collect();
        taken.sort_by_key(|trace| trace.time());
        taken
    };
    let in_force = story.faults.iter().filter(|fault| fault.is_in_force());
    let (fault, taken) = in_force
        .map(|fault| (fault, taken_by(fault)))
        .max_by_key(|(_, taken)| taken.last().map(|trace| trace.time()))?;
    let last = taken.last()?;
    if last.time() + RECENT < story.failed_at {
        return None;
    }
    let (what, lost) = (fault.still_in_force(story)?, lost_packets(story, &taken)?);
    Some(Hint::about(fault, format!("{what}; {lost}")))
}

/// A fault that was in force has affected no packet, although some were sent.
pub(super) fn affected_none(story: &Story) -> Option<Hint> {
    let mut faults = story.faults.iter().rev();
    let (fault, why) = faults.find_map(|fault| Some((fault, fault.unmatched.as_ref()?)))?;
    let (since, _) = *fault.in_force.first()?;
    let is_later = |trace: &&PacketTrace| trace.headers.is_request() && trace.time() >= since;
    let passed = story.packets.iter().rfind(is_later)?;
    let mut text = format!("`{}` has affected no packet", fault.text);
    if !why.is_empty() {
        text.push_str(&format!(": {why}"));
    }
    if let Some(FaultEffect::Partition(partition)) = fault.effect() {
        let ends = [passed.headers.source?, passed.headers.destination?];
        let ends = ends.map(|address| story.host(address));
        let outside: Vec<&str> = ends
            .iter()
            .map(String::as_str)
            .filter(|end| !partition.nodes().contains(end))
            .collect();
        let (what, [from, to]) = (passed.headers.what(), &ends);
        text.push_str(&format!("; the {what} from {from} to {to} passed"));
        if !outside.is_empty() {
            text.push_str(&format!(": {} is in none of its groups", outside.join(" and ")));
        }
    }
    Some(Hint::about(fault, text))
}

impl Story {
    /// Whether a packet was lost to a fault, and its receiver has not acknowledged it all the
    /// same, since it was sent again.
    fn is_taken_by(&self, lost: &PacketTrace, fault: &KnownFault) -> bool {
        let is_later = |other: &&PacketTrace| {
            other.time() > lost.time()
                && other.receiver().is_some()
                && other.flow() == lost.flow().map(PacketFlow::reverse)
        };
        let acknowledges = |other: &PacketTrace| {
            let (Some(lost), Some(other)) = (lost.headers.tcp(), other.headers.tcp()) else {
                return false;
            };
            // A reset by the fault has the number of what it answers.
            let is_ack = other.has(flag::ACK) && !other.has(flag::RST);
            is_ack && is_not_after(lost.end(), other.ack)
        };
        self.blamed(lost).is_some_and(|by| by.number == fault.number)
            && !self.packets.iter().filter(is_later).any(acknowledges)
    }
}

impl KnownFault {
    /// `the partition `*: partition a | b` is still in force (since 0.200 s)`.
    fn still_in_force(&self, story: &Story) -> Option<String> {
        let (since, _) = *self.in_force.last()?;
        let what = if self.is_partition() { "the partition " } else { "" };
        Some(format!("{what}`{}` is still in force (since {})", self.text, story.clock(since)))
    }
}
