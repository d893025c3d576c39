//! Faults follow an edit of the topology.

use std::collections::BTreeSet;
use std::time::Instant;

use super::id::FaultId;
use super::injected::{Applied, Injected};
use super::register::Faults;
use super::targets::{MissingNode, resolve};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fault::{FaultEffect, Plan};
use crate::topology::spec::{LinkEnd, LinkEndId, Spec};

impl Faults {
    /// Lets the faults follow an edit that has been carried out.
    pub(in crate::world) fn follow(&mut self, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        if self.injected.is_empty()
            && self.census.is_none()
            && self.mechanisms.carriers.are_all_up()
        {
            return Ok(());
        }
        self.forget_removed(spec);
        self.reconcile(spec, fabric)
    }

    /// Nothing is in force any more at a link that was removed.
    fn forget_removed(&mut self, spec: &Spec) {
        let existing = spec.nodes().flat_map(|(id, _)| spec.links_of(id)).map(|end| end.id);
        let existing: BTreeSet<LinkEndId> = existing.collect();
        self.forget_applied(|applied| !existing.contains(&applied.at()));
        self.mechanisms.forget_removed(&existing);
    }

    /// Forgets what was lost with its link end, and keeps how far it had come. Returns the
    /// faults that were in force there, and those that waited there for a packet.
    fn forget_applied(
        &mut self,
        is_lost: impl Fn(&Applied) -> bool,
    ) -> (Vec<FaultId>, Vec<FaultId>) {
        let (mut lost, mut waiting) = (Vec::new(), Vec::new());
        for (id, injected) in self.injected.iter_mut().filter(|(_, injected)| !injected.over) {
            let in_force = injected.applied.iter().find(|applied| is_lost(applied)).copied();
            let trigger = injected.trigger.take_if(|rule| is_lost(rule));
            if let Some(progress) = self.mechanisms.progress(in_force.as_ref().or(trigger.as_ref()))
            {
                injected.progress = Some(progress);
            }
            if in_force.is_some() {
                injected.applied.retain(|applied| !is_lost(applied));
                lost.push(*id);
            }
            if trigger.is_some() && injected.awaits_packet() {
                waiting.push(*id);
            }
        }
        (lost, waiting)
    }

    /// Puts faults into force again at link ends that were made again.
    pub(in crate::world) fn renew(
        &mut self,
        made: &[LinkEndId],
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        if made.is_empty() {
            return Ok(());
        }
        let all = spec.nodes().flat_map(|(id, _)| spec.links_of(id));
        let again: Vec<LinkEnd> = all.filter(|end| made.contains(&end.id)).collect();
        let is_lost = |applied: &Applied| {
            made.contains(&applied.at()) && !matches!(applied, Applied::Down(_))
        };
        let (lost, waiting) = self.forget_applied(is_lost);
        self.mechanisms.forget_pipelines(|end| !made.contains(&end));
        if let Some(census) = &mut self.census {
            census.forget(&again);
        }
        for end in again {
            self.mechanisms.carriers.renew(end, spec, fabric)?;
        }
        for id in lost {
            self.turn_on(id, spec, fabric)?;
        }
        for id in waiting {
            self.await_packet(id, spec, fabric)?;
        }
        self.observe_new_links(spec, fabric)
    }

    /// Registers the faults of a plan. A link may come later; then the schedule of its
    /// fault starts.
    pub(super) fn await_links(
        &mut self,
        plan: &Plan,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<Vec<FaultId>> {
        plan.check()?;
        let since = Instant::now();
        let mut ids = Vec::new();
        for fault in plan.faults() {
            let mut injected = Injected::new(fault.clone(), None, Vec::new(), since);
            injected.awaited = true;
            ids.push(self.register(injected));
        }
        self.reconcile(spec, fabric)?;
        Ok(ids)
    }

    /// Puts faults where their links are now, and begins those with a link that has come.
    pub(super) fn reconcile(&mut self, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let (mut moved, mut come, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for (id, injected) in self.injected.iter_mut().filter(|(_, injected)| !injected.over) {
            let Injected { fault, handle, .. } = &*injected;
            if injected.awaited {
                if let Ok(ends) = resolve(spec, fault, *handle, MissingNode::Refuse) {
                    (injected.ends, injected.awaited) = (ends, false);
                    injected.since = Instant::now();
                    come.push(*id);
                }
                continue;
            }
            let ends = resolve(spec, fault, *handle, MissingNode::Skip).unwrap_or_default();
            // The addresses of nodes may have changed, which a partition is about.
            let is_new =
                ends != injected.ends || matches!(fault.effect(), FaultEffect::Partition(_));
            injected.ends = ends;
            if injected.on && is_new && !injected.ends.is_empty() {
                moved.push(*id);
            }
            if injected.trigger.is_none() && injected.awaits_packet() {
                waiting.push(*id);
            }
        }
        for id in moved {
            self.turn_on(id, spec, fabric)?;
        }
        for id in waiting {
            self.await_packet(id, spec, fabric)?;
        }
        for id in come {
            self.begin(id, spec, fabric)?;
        }
        self.observe_new_links(spec, fabric)
    }

    /// Lets the census see links that it does not see yet.
    pub(super) fn observe_new_links(&mut self, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let Self { census, mechanisms, .. } = self;
        census.as_mut().map_or(Ok(()), |census| census.observe_new(mechanisms, spec, fabric))
    }
}
