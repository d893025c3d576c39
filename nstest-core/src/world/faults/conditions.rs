//! The condition of each direction of a link. The pipeline at the principal end of the link
//! applies it, on the wire.
//!
//! A qdisc of the kernel could do the same for a rate or a fixed delay, at less cost. But
//! `tbf` pushes the sender back, since a veth pair has no queue between the sender's socket
//! and the qdisc, and its queue is limited in bytes. So a link would be another one with the
//! qdisc than with the wire, and an unrelated fault would change which of them it is.

use litemap::LiteMap;

use super::id::FaultId;
use super::pipelines::Pipelines;
use super::targets::DirectedLink;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fault::{Condition, Receipt};
use crate::topology::spec::{LinkEndId, Spec};

/// The conditions that are in force.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    present: LiteMap<DirectedLink, Assigned>,
}

/// A condition, and the fault that asked for it.
#[derive(Debug, Clone)]
pub(super) struct Assigned {
    pub(super) owner: FaultId,
    pub(super) condition: Condition,
    pub(super) receipt: Receipt,
}

impl Assigned {
    /// What a pipeline is given.
    fn in_pipeline(&self) -> Option<(Condition, Receipt)> {
        Some((self.condition, self.receipt.clone()))
    }
}

impl Conditions {
    /// Gives a direction of a link a condition, and returns the one that it replaces.
    /// After an error the one before is still in force.
    pub(super) fn set(
        &mut self,
        link: DirectedLink,
        new: Assigned,
        pipelines: &mut Pipelines,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<Option<Assigned>> {
        let set = pipelines.splice_with(link.end, spec, fabric, |pipeline| {
            pipeline.set_condition(link.direction, new.in_pipeline());
        });
        if let Err(error) = set {
            let _ = change(link, self.present.get(&link), pipelines, fabric); // the first error counts
            return Err(error);
        }
        Ok(self.present.insert(link, new))
    }

    /// Takes a condition away, if this fault owns it.
    pub(super) fn clear(
        &mut self,
        link: DirectedLink,
        owner: FaultId,
        pipelines: &Pipelines,
        fabric: &mut Fabric,
    ) -> Result<()> {
        if !self.is_owned(link, owner) {
            return Ok(());
        }
        self.present.remove(&link);
        change(link, None, pipelines, fabric)
    }

    /// Whether this fault owns the condition of a direction.
    pub(super) fn is_owned(&self, link: DirectedLink, owner: FaultId) -> bool {
        self.present.get(&link).is_some_and(|assigned| assigned.owner == owner)
    }

    /// Forgets links that have gone.
    pub(super) fn retain(&mut self, stays: impl Fn(LinkEndId) -> bool) {
        self.present.retain(|link, _| stays(link.end.id));
    }
}

fn change(
    link: DirectedLink,
    new: Option<&Assigned>,
    pipelines: &Pipelines,
    fabric: &mut Fabric,
) -> Result<()> {
    let condition = new.and_then(Assigned::in_pipeline);
    pipelines.change(link.end.id, fabric, |pipeline| {
        pipeline.set_condition(link.direction, condition);
    })
}
