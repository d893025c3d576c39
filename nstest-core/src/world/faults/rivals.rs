//! Faults that cannot be in force together.
//!
//! A link between two nodes has two names, and each fault's schedule has its own
//! start. Both are converted before two faults are compared.

use super::injected::Injected;
use super::targets::{DirectedLink, directions, target_of};
use crate::error::Result;
use crate::fault::plan::{clash, conflict};
use crate::fault::{Fault, FaultTarget};
use crate::frame::Direction;
use crate::topology::spec::{LinkEnd, Spec};

/// Whether a new fault can be in force beside these.
///
/// # Errors
/// `plan-conflict`, with the two faults.
pub(super) fn check<'a>(
    present: impl Iterator<Item = &'a Injected>,
    new: &Injected,
    spec: &Spec,
) -> Result<()> {
    let ours = by_principal(&new.fault, &new.ends, spec);
    for present in present {
        let theirs = by_principal(&present.fault, &present.ends, spec);
        let mut ours = ours.clone();
        // A fault that waits for its link or for a packet may start at any time.
        let triggered = present.awaited_packet.is_some() && !present.on;
        let waits = present.awaited || present.pending || triggered;
        if !waits {
            let later = new.since.saturating_duration_since(present.since);
            ours.schedule.at = ours.schedule.at.saturating_add(later);
        }
        if let Some(why) = clash(&theirs, &ours) {
            return Err(conflict(&present.fault, &new.fault, why));
        }
    }
    Ok(())
}

/// The same fault, with the name that its link has at the principal end.
fn by_principal(fault: &Fault, ends: &[LinkEnd], spec: &Spec) -> Fault {
    let mut fault = fault.clone();
    let ([end], FaultTarget::Link { .. }) = (ends, fault.target()) else { return fault };
    let principal = spec.principal(*end);
    if let Ok(target) = target_of(spec, principal) {
        fault.target = target;
        if principal != *end {
            fault.direction = fault.direction.map(Direction::reverse);
        }
    }
    fault
}

/// What a condition keeps when another fault takes over some directions of links.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// All of it, or more than one direction.
    Most,
    /// One direction, as the fault itself names it.
    One(Direction),
    Nothing,
}

/// The directions of links that a fault is about.
pub(super) fn links(injected: &Injected, spec: &Spec) -> Vec<DirectedLink> {
    let of = |end: &LinkEnd| {
        let end = *end;
        directions(&injected.fault).iter().map(move |own| DirectedLink::of(spec, end, *own))
    };
    injected.ends.iter().flat_map(of).collect()
}

pub(super) fn left(injected: &Injected, taken: &[DirectedLink], spec: &Spec) -> Left {
    let all = links(injected, spec);
    let mut left = all.iter().filter(|link| !taken.contains(link));
    match (left.next(), left.next(), injected.ends.first()) {
        (None, ..) if !all.is_empty() => Left::Nothing,
        (Some(link), None, Some(end)) => Left::One(link.seen_from(*end)),
        _ => Left::Most,
    }
}
