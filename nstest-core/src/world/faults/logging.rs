//! What the test's log says of faults, and of links that are down.

use std::panic::Location;

use super::id::FaultId;
use crate::evidence::timeline::TimelineEvent;
use crate::fault::Fault;
use crate::recorder::record;
use crate::topology::spec::LinkEnd;

/// The place of faults of the plan that the test runs under.
const PLAN: &str = "NSTEST_PLAN";

pub(super) fn injected(id: FaultId, fault: &Fault, location: Option<&Location<'_>>) {
    record(|| {
        let (text, fault) = (fault.to_string(), id.number());
        let place = location.map_or_else(|| PLAN.to_owned(), Location::to_string);
        vec![TimelineEvent::FaultInjected { fault, text, place }]
    });
}

/// A fault came into force, or is in force no more.
pub(super) fn switched(id: FaultId, on: bool) {
    record(|| vec![TimelineEvent::FaultSwitched { fault: id.number(), on }]);
}

pub(super) fn ended(id: FaultId) {
    record(|| vec![TimelineEvent::FaultEnded { fault: id.number() }]);
}

/// A fault has affected no packet when the test ended. `why`: the reason, if it is known.
pub(super) fn unmet(id: FaultId, why: Option<String>) {
    record(|| vec![TimelineEvent::FaultUnmatched { fault: id.number(), why }]);
}

/// All ends of a link went up or down.
pub(super) fn carrier(ends: &[LinkEnd], up: bool) {
    let of = |end: &LinkEnd| TimelineEvent::Link { link_end: end.id.ifindex(), up };
    record(|| ends.iter().map(of).collect());
}
