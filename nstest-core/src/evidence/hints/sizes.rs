//! Packets that were too long for their way.

use super::Hint;
use crate::evidence::story::names::times;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, Story};
use crate::fault::{Action, FaultEffect};

/// Long packets are lost and short ones arrive, and no ICMP error says so: the black hole of
/// path MTU discovery (RFC 2923 §2.1).
pub(super) fn mtu_black_hole(story: &Story) -> Option<Hint> {
    if !story.is_about_network() {
        return None;
    }
    let is_suspect = |trace: &&PacketTrace| {
        trace.headers.source.is_some() && trace.headers.data() > 0 && too_long(story, trace)
    };
    let last = story.packets.iter().rev().find(is_suspect)?;
    let between = |trace: &&PacketTrace| {
        trace.headers.source == last.headers.source
            && trace.headers.destination == last.headers.destination
    };
    let same: Vec<&PacketTrace> = story.packets.iter().filter(between).collect();
    let lost: Vec<&&PacketTrace> = same.iter().filter(|trace| too_long(story, trace)).collect();
    let shortest = lost.iter().map(|trace| trace.headers.length).min()?;
    let longest = same
        .iter()
        .filter(|trace| story.is_delivered(trace))
        .map(|trace| trace.last().longest)
        .max()?;
    // Shorter ones must arrive, and one of them after a longer one was lost.
    let first = lost.iter().map(|trace| trace.time()).min()?;
    let later = same.iter().any(|trace| story.is_delivered(trace) && trace.time() > first);
    let too_big = |trace: &PacketTrace| {
        trace.headers.is_icmp(&[(4, 3, 4), (6, 2, 0)]) && trace.receiver().is_some()
    };
    let by_fault = mtu_fault(story, last);
    if longest >= shortest || lost.len() < 2 || story.packets.iter().any(too_big) {
        return None;
    }
    if by_fault.is_none() && (!later || !last.headers.dont_fragment || shortest < 1_000) {
        return None;
    }
    let (from, to) = (story.source(&last.headers), story.destination(&last.headers));
    let (count, by) = match by_fault {
        Some(fault) => (times(lost.len()), format!(" by `{}`", fault.text)),
        None => (times(lost.len()), place(story, last)),
    };
    let text = format!(
        "MTU black hole: packets of {shortest} bytes and more from {from} to {to} were dropped {count}{by} without ICMP fragmentation needed; those up to {longest} bytes arrived"
    );
    Some(by_fault.map_or_else(|| Hint::new(text.clone()), |fault| Hint::about(fault, text.clone())))
}

/// Whether a packet was lost to its length, as far as this packet tells.
fn too_long(story: &Story, trace: &PacketTrace) -> bool {
    if trace.dropped_by().is_some() {
        return mtu_fault(story, trace).is_some();
    }
    story.is_lost_without_fault(trace)
        || (trace.receiver().is_some()
            && !story.is_delivered(trace)
            && trace.headers.length > 1_000)
}

/// The fault that limits the MTU, if that dropped the packet.
fn mtu_fault<'a>(story: &'a Story, trace: &PacketTrace) -> Option<&'a KnownFault> {
    let known = story.fault(trace.dropped_by()?)?;
    let is_mtu = known.fault.as_ref().is_some_and(|fault| {
        matches!(fault.effect, FaultEffect::Action(Action::Mtu { notify: false, .. }))
    });
    is_mtu.then_some(known)
}

/// ` behind r1`: the node that had the packet last.
fn place(story: &Story, trace: &PacketTrace) -> String {
    let end = trace.receiver().or(trace.last().from);
    end.map_or(String::new(), |end| format!(" behind {}", story.end_name(end)))
}
