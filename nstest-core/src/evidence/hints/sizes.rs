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
    let (count, by, long) = match by_fault {
        // It cuts what segmentation offload has not, and drops a part of it.
        Some(fault) => {
            let drops = same.iter().flat_map(|trace| trace.drops());
            let count = times(drops.filter(|by| *by == fault.number).count());
            (count, format!(" by `{}`", fault.text), mtu(fault))
        }
        None => (times(lost.len()), place(story, last), None),
    };
    let long = match long {
        Some(mtu) => format!("longer than {mtu} bytes"),
        None => format!("of {shortest} bytes and more"),
    };
    let text = format!(
        "MTU black hole: packets {long} from {from} to {to} were dropped {count}{by} without ICMP fragmentation needed; those up to {longest} bytes arrived"
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
    mtu(known).map(|_| known)
}

/// The longest packet that it lets through without a message about the others.
fn mtu(known: &KnownFault) -> Option<u64> {
    match known.fault.as_ref()?.effect {
        FaultEffect::Action(Action::Mtu { notify: false, mtu, .. }) => Some(mtu.into()),
        _ => None,
    }
}

/// ` behind r1`: the node that had the packet last.
fn place(story: &Story, trace: &PacketTrace) -> String {
    let end = trace.receiver().or(trace.last().from);
    end.map_or(String::new(), |end| format!(" behind {}", story.end_name(end)))
}
