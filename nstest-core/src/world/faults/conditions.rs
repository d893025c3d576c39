//! The condition of each direction of a link, and the mechanism that implements it.
//!
//! A qdisc of the kernel implements a condition where it is exact and decides nothing
//! at random: `tbf` for a rate alone; `netem`, where the kernel has it, for a fixed
//! delay with or without a rate. Random decisions must follow the test's seed, so the
//! wire takes them. A qdisc is at the device in the fabric that sends to a node: it
//! serves ingress of a link to a LAN, and both directions between two nodes.
//!
//! The trap: frames that the wire sends into a qdisc are charged to the wire's socket,
//! and a socket with a full buffer blocks the wire. So a link never has both. When a
//! link gets its first pipeline, [`Conditions::move_to_wire`] replaces its qdiscs.

use std::collections::{BTreeMap, BTreeSet};

use super::backend::Backend;
use super::id::FaultId;
use super::pipelines::Pipelines;
use super::targets::{DirectedLink, all_ends};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fault::shape::Shape;
use crate::fault::{Condition, Receipt};
use crate::topology::spec::{LinkEnd, LinkEndId, Spec};

/// The conditions that are in force.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    present: BTreeMap<DirectedLink, Present>,
    /// The qdiscs that this kernel does not have.
    missing: Vec<Backend>,
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

#[derive(Debug)]
struct Present {
    assigned: Assigned,
    mechanism: Mechanism,
}

#[derive(Debug, Clone, Copy)]
enum Mechanism {
    Wire,
    Qdisc {
        at: LinkEndId,
        backend: Backend,
        /// What its counter showed when the condition began: a qdisc that gets new
        /// values keeps its counter.
        counted_before: u64,
    },
}

impl Present {
    /// How many packets its qdisc has had since it began.
    fn count(&self, fabric: &mut Fabric) -> u64 {
        match self.mechanism {
            Mechanism::Wire => 0,
            Mechanism::Qdisc { at, counted_before, .. } => {
                fabric.shaped(at).saturating_sub(counted_before)
            }
        }
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
        let mechanism = match self.set_qdisc(link, &new.condition, pipelines, spec, fabric)? {
            Some(qdisc) => qdisc,
            None => {
                self.set_on_wire(link, &new, pipelines, spec, fabric)?;
                Mechanism::Wire
            }
        };
        let before = self.present.insert(link, Present { assigned: new, mechanism });
        Ok(before.map(|before| before.assigned))
    }

    /// Has a qdisc implement a condition; `None` if that is a task for the wire.
    fn set_qdisc(
        &mut self,
        link: DirectedLink,
        condition: &Condition,
        pipelines: &Pipelines,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<Option<Mechanism>> {
        let (Some(sender), Some(shape)) = (link.sender(spec), Shape::of(condition)) else {
            return Ok(None);
        };
        let backend = Backend::of(shape);
        let is_wired = all_ends(spec, link.end).into_iter().any(|end| pipelines.is_at(end));
        if is_wired || self.missing.contains(&backend) {
            return Ok(None);
        }
        let before = self.present.get(&link);
        let count = before.map_or(0, |_| fabric.shaped(sender.port));
        if !fabric.shape(sender.port, shape)? {
            self.missing.push(backend);
            return Ok(None);
        }
        let mut counted_before = 0;
        if let Some(Present {
            assigned,
            mechanism: Mechanism::Qdisc { backend: old, counted_before: since, .. },
        }) = before
        {
            assigned.receipt.add(count.saturating_sub(*since));
            if *old == backend {
                counted_before = count;
            }
        }
        Ok(Some(Mechanism::Qdisc { at: sender.port, backend, counted_before }))
    }

    /// Has the wire implement a condition, in place of a qdisc if there is one.
    fn set_on_wire(
        &mut self,
        link: DirectedLink,
        new: &Assigned,
        pipelines: &mut Pipelines,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let spliced = pipelines.splice_with(link.end, spec, fabric, |pipeline| {
            pipeline.set_condition(link.direction, new.in_pipeline());
        });
        let moved =
            spliced.and_then(|()| self.move_to_wire(link.end, Some(link), pipelines, spec, fabric));
        if moved.is_err() {
            let on_wire = |present: &&Present| matches!(present.mechanism, Mechanism::Wire);
            let before = self.present.get(&link).filter(on_wire).map(|present| &present.assigned);
            let _ = change_on_wire(link, before, pipelines, fabric); // the first error counts
        }
        moved
    }

    /// Has the wire implement what qdiscs have implemented on this link. To be called
    /// when the link has got a pipeline. In the direction `replaced`, the pipeline has a
    /// new condition already.
    pub(super) fn move_to_wire(
        &mut self,
        end: LinkEnd,
        replaced: Option<DirectedLink>,
        pipelines: &mut Pipelines,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let principal = spec.principal(end);
        for (link, present) in self.present.iter_mut().filter(|(link, _)| link.end == principal) {
            let Mechanism::Qdisc { at, .. } = present.mechanism else { continue };
            if replaced != Some(*link) {
                pipelines.splice_with(principal, spec, fabric, |pipeline| {
                    pipeline.set_condition(link.direction, present.assigned.in_pipeline());
                })?;
            }
            let count = present.count(fabric);
            if let Err(error) = fabric.unshape(at) {
                let _ = change_on_wire(*link, None, pipelines, fabric); // the first error counts
                return Err(error);
            }
            present.assigned.receipt.add(count);
            present.mechanism = Mechanism::Wire;
        }
        Ok(())
    }

    /// Takes a condition away, if this fault owns it. Returns whether the wire had it.
    pub(super) fn clear(
        &mut self,
        link: DirectedLink,
        owner: FaultId,
        pipelines: &Pipelines,
        fabric: &mut Fabric,
    ) -> Result<bool> {
        if self.present.get(&link).is_none_or(|present| present.assigned.owner != owner) {
            return Ok(false);
        }
        let Some(present) = self.present.remove(&link) else { return Ok(false) };
        match present.mechanism {
            Mechanism::Wire => change_on_wire(link, None, pipelines, fabric).map(|()| true),
            Mechanism::Qdisc { at, .. } => {
                present.assigned.receipt.add(present.count(fabric));
                fabric.unshape(at).map(|()| false)
            }
        }
    }

    /// What qdiscs have counted for a fault and its receipt does not have yet.
    pub(super) fn uncollected(&self, owner: FaultId, fabric: &mut Fabric) -> u64 {
        let owned = self.present.values().filter(|present| present.assigned.owner == owner);
        owned.map(|present| present.count(fabric)).sum()
    }

    /// The mechanism of a condition, if this fault owns it.
    pub(super) fn backend(&self, link: DirectedLink, owner: FaultId) -> Option<Backend> {
        let present = self.present.get(&link).filter(|p| p.assigned.owner == owner)?;
        Some(match present.mechanism {
            Mechanism::Wire => Backend::Wire,
            Mechanism::Qdisc { backend, .. } => backend,
        })
    }

    /// What the qdiscs at these ends have counted, with the receipt for each.
    pub(super) fn counts_at(
        &self,
        ends: &BTreeSet<LinkEndId>,
        fabric: &mut Fabric,
    ) -> Vec<(Receipt, u64)> {
        let counts = self.present.values().filter_map(|present| match present.mechanism {
            Mechanism::Qdisc { at, .. } if ends.contains(&at) => {
                Some((present.assigned.receipt.clone(), present.count(fabric)))
            }
            _ => None,
        });
        counts.collect()
    }

    /// Forgets links that have gone.
    pub(super) fn retain(&mut self, existing: &BTreeSet<LinkEndId>) {
        self.present.retain(|link, _| existing.contains(&link.end.port));
    }
}

fn change_on_wire(
    link: DirectedLink,
    new: Option<&Assigned>,
    pipelines: &Pipelines,
    fabric: &mut Fabric,
) -> Result<()> {
    let condition = new.and_then(Assigned::in_pipeline);
    pipelines.change(link.end.port, fabric, |pipeline| {
        pipeline.set_condition(link.direction, condition);
    })
}
