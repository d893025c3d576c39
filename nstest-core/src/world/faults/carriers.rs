//! Why links are down.
//!
//! A link is down while at least one reason holds: the test called `Link::down`, or a
//! fault says `down`. A reason that ends brings the link up only if it was the last.

use std::collections::BTreeSet;

use litemap::LiteMap;

use super::id::FaultId;
use super::logging;
use super::targets::all_ends;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::topology::spec::{LinkEnd, LinkEndId, Spec};

/// A reason for a link to be down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// The test called `Link::down`.
    Test,
    Fault(FaultId),
}

/// The reasons for each link that is down, by its principal end.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    reasons: LiteMap<LinkEndId, BTreeSet<Reason>>,
}

impl Carriers {
    /// Adds a reason, and takes the link down for the first. If that fails, the reason
    /// does not hold.
    pub(super) fn down(
        &mut self,
        reason: Reason,
        end: LinkEnd,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let reasons = self.reasons.entry(spec.principal(end).id).or_default();
        let first = reasons.is_empty();
        reasons.insert(reason);
        if !first {
            return Ok(());
        }
        let result = set_carrier(end, false, spec, fabric);
        if result.is_err() {
            let _ = self.up(reason, end, spec, fabric); // the first error is the one to report
        }
        result
    }

    /// Ends a reason, and brings the link up if it was the last.
    pub(super) fn up(
        &mut self,
        reason: Reason,
        end: LinkEnd,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let principal = spec.principal(end).id;
        let Some(reasons) = self.reasons.get_mut(&principal) else { return Ok(()) };
        reasons.remove(&reason);
        if !reasons.is_empty() {
            return Ok(());
        }
        self.reasons.remove(&principal);
        set_carrier(end, true, spec, fabric)
    }

    /// Takes a link end down that was made again, if there is a reason.
    pub(super) fn renew(&self, end: LinkEnd, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let is_down = self.reasons.contains_key(&spec.principal(end).id);
        if is_down { set_carrier(end, false, spec, fabric) } else { Ok(()) }
    }

    /// Whether there is no reason for any link to be down.
    pub(super) fn are_all_up(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Forgets links that have gone.
    pub(super) fn retain(&mut self, existing: &BTreeSet<LinkEndId>) {
        self.reasons.retain(|end, _| existing.contains(end));
    }
}

fn set_carrier(end: LinkEnd, up: bool, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
    let ends = all_ends(spec, end);
    logging::carrier(&ends, up);
    let ends = ends.into_iter().map(|end| (end.node, end.slot, end.id));
    fabric.set_carrier(&ends.collect::<Vec<_>>(), up)
}
