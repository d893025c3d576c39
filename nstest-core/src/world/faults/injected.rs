//! What the register knows of one fault.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::targets::DirectedLink;
use crate::fault::pipeline::{RuleId, RuleProgress};
use crate::fault::{Fault, Receipt};
use crate::topology::spec::{LinkEnd, LinkEndId};

/// A fault that was injected.
#[derive(Debug)]
pub(super) struct Injected {
    pub(super) fault: Fault,
    pub(super) receipt: Receipt,
    /// Where the test injected it, unless it is a plan's.
    pub(super) location: Option<&'static Location<'static>>,
    /// The link end of the handle that it was injected through.
    pub(super) handle: Option<LinkEnd>,
    /// The ends of links that it is about, as the network is now. None while its link
    /// does not exist.
    pub(super) ends: Vec<LinkEnd>,
    /// When its schedule started.
    pub(super) since: Instant,
    /// Counts the packets for which it waits, if it begins with one.
    pub(super) awaited_packet: Option<Receipt>,
    /// The rule that waits for that packet; none while its link does not exist.
    pub(super) trigger: Option<Applied>,
    /// How far its rule, or its trigger, had come at a link that has gone.
    pub(super) progress: Option<RuleProgress>,
    /// It is a plan's, and its link does not exist yet.
    pub(super) awaited: bool,
    /// Its schedule starts with a packet, which has not come since it was put into force.
    pub(super) pending: bool,
    /// It was ended, and does not come back.
    pub(super) over: bool,
    /// It was ended because another condition has replaced it.
    pub(super) replaced: bool,
    /// Its schedule says that it is in force now.
    pub(super) on: bool,
    /// It was in force at some time.
    pub(super) was_on: bool,
    pub(super) applied: Vec<Applied>,
}

/// What a fault in force has put at the end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    Rule(LinkEndId, RuleId),
    /// A condition. Another fault may own it by now.
    Condition(DirectedLink),
    /// A reason for the link to be down.
    Down(LinkEnd),
}

impl Applied {
    /// The link end in the fabric where it is.
    pub(super) fn at(&self) -> LinkEndId {
        match self {
            Self::Rule(end, _) => *end,
            Self::Condition(link) => link.end.id,
            Self::Down(end) => end.id,
        }
    }
}

impl Injected {
    pub(super) fn new(
        fault: Fault,
        handle: Option<LinkEnd>,
        ends: Vec<LinkEnd>,
        since: Instant,
    ) -> Self {
        Self {
            receipt: fault.receipt(),
            location: None,
            fault,
            handle,
            ends,
            since,
            awaited_packet: None,
            trigger: None,
            progress: None,
            pending: false,
            awaited: false,
            over: false,
            replaced: false,
            on: false,
            was_on: false,
            applied: Vec::new(),
        }
    }

    /// Whether it waits for the packet that it begins with.
    pub(super) fn awaits_packet(&self) -> bool {
        let has_not_come = |packet: &Receipt| packet.affected() == 0;
        !self.over && !self.on && self.awaited_packet.as_ref().is_some_and(has_not_come)
    }

    /// Whether its schedule says that it is in force at a time.
    pub(super) fn is_on_at(&self, at: Instant) -> bool {
        self.pending || self.fault.schedule().is_on(at.saturating_duration_since(self.since))
    }

    /// When it comes or goes next, after a time or after the start of its schedule.
    pub(super) fn next_change(&self, after: Option<Instant>) -> Option<Instant> {
        let elapsed = after.unwrap_or(self.since).saturating_duration_since(self.since);
        let (next, _) = self.fault.schedule().next_change(elapsed).filter(|_| !self.over)?;
        Some(self.since + next).filter(|_| !self.pending)
    }

    /// The packet that its schedule starts with came at this time. An action has waited for
    /// it since the time in its schedule.
    pub(super) fn start(&mut self, at: Instant) {
        let is_action = self.fault.starts_with_packet();
        let before = if is_action { self.fault.schedule().at } else { Duration::ZERO };
        self.since = at.checked_sub(before).unwrap_or(at);
        self.pending = false;
    }
}
