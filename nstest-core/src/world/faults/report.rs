//! What the runner configures at the start of a test, and collects at its end.

use std::sync::Arc;

use super::census::Census;
use super::id::FaultId;
use super::register::Faults;
use super::traffic::Traffic;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fault::{FaultEffect, Plan, Receipt};
use crate::topology::spec::Spec;

impl Faults {
    /// Notes the packets of every link from now on, also of links that come later.
    pub(in crate::world) fn take_census(&mut self, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        self.census = Some(Census::default());
        self.mechanisms.pipelines.observe_traffic();
        self.observe_new_links(spec, fabric)
    }

    /// Registers the plan that the test runs under.
    pub(in crate::world) fn follow_plan(
        &mut self,
        plan: &Plan,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        self.mechanisms.pipelines.observe_traffic();
        let ids = self.await_links(plan, spec, fabric)?;
        self.planned.extend(ids);
        Ok(())
    }

    /// The traffic, which knows when packets are under way, and the receipts of the plan's
    /// faults; `None` without a plan and without exploration.
    pub(in crate::world) fn traffic(&self) -> Option<(Arc<Traffic>, Vec<Receipt>)> {
        let traffic = Arc::clone(self.mechanisms.pipelines.traffic()?);
        let planned = self.planned.iter().filter_map(|id| self.injected.get(id));
        Some((traffic, planned.map(|injected| injected.receipt.clone()).collect()))
    }

    /// What the census has noted: points, each with its packet in words.
    pub(in crate::world) fn seen(&self) -> Vec<(String, String)> {
        self.census.as_ref().map(Census::seen).unwrap_or_default()
    }

    pub(in crate::world) fn seed(&self) -> u64 {
        self.mechanisms.pipelines.seed()
    }

    /// The seed of every random decision. To be set before the first fault.
    pub(in crate::world) fn set_seed(&mut self, seed: u64) {
        self.mechanisms.pipelines.set_seed(seed);
    }

    /// Whether any fault decides at random.
    pub(in crate::world) fn is_random(&self) -> bool {
        self.injected.values().any(|injected| match injected.fault.effect() {
            FaultEffect::Condition(condition) => condition.is_random(),
            FaultEffect::Action(action) => action.is_random(),
            FaultEffect::Down | FaultEffect::Partition(_) => false,
        })
    }

    /// Whether every fault of the plan has affected a packet, and the first packet that a
    /// rule of the plan has affected; `None` without a plan.
    pub(in crate::world) fn planned(&self) -> Option<(bool, Option<String>)> {
        let unmet = self.planned.iter().filter(|id| self.is_unmet(**id)).count();
        let first = |id: &FaultId| self.injected.get(id)?.receipt.first().map(String::from);
        (!self.planned.is_empty()).then(|| (unmet == 0, self.planned.iter().find_map(first)))
    }

    /// The faults that the test injected and that never affected a packet.
    pub(in crate::world) fn unmet(&self) -> Vec<String> {
        let ids = self.injected.keys().filter(|id| !self.planned.contains(id));
        let unmet = ids.filter(|id| self.is_unmet(**id)).collect::<Vec<_>>();
        unmet.into_iter().map(|id| self.get(*id).receipt.fault().to_owned()).collect()
    }

    /// To be asked when the wire has settled. A link that is down is exempt: nothing
    /// reaches its far end.
    fn is_unmet(&self, id: FaultId) -> bool {
        let injected = self.get(id);
        let untriggered = injected.trigger.as_ref().is_some_and(|(_, it)| it.affected() == 0);
        let exempt = matches!(injected.fault.effect(), FaultEffect::Down)
            && !injected.awaited
            && !untriggered;
        !(exempt || injected.receipt.is_optional() || self.affected(id) > 0)
    }

    /// Failures that no caller could be given as an error.
    pub(in crate::world) fn failures(&self) -> &[String] {
        &self.mechanisms.failures
    }
}
