//! What the runner configures at the start of a test, and collects at its end.

use std::error::Error as StdError;
use std::sync::Arc;

use super::census::Census;
use super::id::FaultId;
use super::injected::Injected;
use super::logging;
use super::register::Faults;
use super::targets::{MissingNode, resolve};
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

    /// The faults of the plan that had no effect, and the first packet that a rule of the
    /// plan has affected; `None` without a plan.
    pub(in crate::world) fn planned(&self, spec: &Spec) -> Option<(Vec<String>, Option<String>)> {
        let unmet = self.planned.iter().filter_map(|id| self.why_unmet(*id, spec));
        let unmet = unmet.collect::<Vec<_>>();
        let first = |id: &FaultId| self.injected.get(id)?.receipt.first().map(String::from);
        (!self.planned.is_empty()).then(|| (unmet, self.planned.iter().find_map(first)))
    }

    /// The faults that the test injected and that had no effect.
    pub(in crate::world) fn unmet(&self, spec: &Spec) -> Vec<String> {
        let ids = self.injected.keys().filter(|id| !self.planned.contains(id));
        ids.filter_map(|id| self.why_unmet(*id, spec)).collect()
    }

    /// Records the faults that had no effect, those of a plan too.
    pub(in crate::world) fn log_unmet(&self, spec: &Spec) {
        let ids = self.injected.keys().filter(|id| self.is_unmet(**id));
        ids.for_each(|id| logging::unmet(*id, self.reason(*id, spec)));
    }

    /// Whether a fault had no effect. To be asked when the wire has settled. A link that was
    /// down is exempt: nothing reaches its far end.
    fn is_unmet(&self, id: FaultId) -> bool {
        let injected = self.get(id);
        let is_down = injected.was_on && matches!(injected.fault.effect(), FaultEffect::Down);
        !is_down && !injected.receipt.is_optional() && self.affected(id) == 0
    }

    /// Why a fault had no effect, if that is known.
    fn reason(&self, id: FaultId, spec: &Spec) -> Option<String> {
        let injected = self.get(id);
        why_never_on(injected, spec).or_else(|| self.why_unaffected(injected))
    }

    /// A fault that had no effect, where the test injected it, and the reason.
    fn why_unmet(&self, id: FaultId, spec: &Spec) -> Option<String> {
        if !self.is_unmet(id) {
            return None;
        }
        let injected = self.get(id);
        let receipt = &injected.receipt;
        let at = injected.location.map(|at| format!("injected at {at}"));
        let notes: Vec<String> = at.into_iter().chain(self.reason(id, spec)).collect();
        Some(match notes.join(": ").as_str() {
            "" => receipt.fault().to_owned(),
            notes => format!("{}\n  {notes}", receipt.fault()),
        })
    }

    /// Why a fault that was in force affected no packet. Of a partition, which has several
    /// rules, the packets are not counted.
    fn why_unaffected(&self, injected: &Injected) -> Option<String> {
        let effect = injected.fault.effect();
        if matches!(effect, FaultEffect::Partition(_)) {
            return None;
        }
        let Some(passed) = injected.receipt.passed() else {
            return Some(match injected.replaced {
                true => "another condition replaced it before a packet passed".to_owned(),
                false => "no packet passed while it was active".to_owned(),
            });
        };
        Some(match effect {
            FaultEffect::Condition(condition) if condition.is_random() => {
                let other = self.seed().wrapping_add(1);
                format!("{passed} passed, and by chance it affected none: try NSTEST_SEED={other}")
            }
            _ => format!("{passed} passed, {}", matching(&injected.receipt)),
        })
    }

    /// Failures that no caller could be given as an error.
    pub(in crate::world) fn failures(&self) -> &[String] {
        &self.mechanisms.failures
    }
}

/// Why a fault was never in force.
fn why_never_on(injected: &Injected, spec: &Spec) -> Option<String> {
    if injected.was_on {
        return None;
    }
    if injected.awaited {
        let missing = resolve(spec, &injected.fault, injected.handle, MissingNode::Refuse).err()?;
        let parts = [
            StdError::source(&missing).map(ToString::to_string),
            missing.next_step().map(Into::into),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        return Some(format!("cannot {missing}: {}", parts.join("; ")));
    }
    let awaited = injected.awaited_packet.as_ref();
    Some(match awaited.filter(|packet| packet.affected() == 0) {
        Some(packet) => {
            let passed = packet.passed().map(|all| format!("; {all} passed, {}", matching(packet)));
            format!("the packet that starts it was not sent{}", passed.unwrap_or_default())
        }
        None => "the test ended before its start".to_owned(),
    })
}

/// How many packets matched that the fault did not affect, as an addition to their number.
fn matching(receipt: &Receipt) -> String {
    match receipt.passed_matches() {
        0 => "none matched".to_owned(),
        1 => "1 matched in all but its number".to_owned(),
        many => format!("{many} matched in all but their number"),
    }
}
