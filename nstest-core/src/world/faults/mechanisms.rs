//! Puts faults into force at ends of links, and takes them out.
//!
//! Three mechanisms do it: rules in pipelines, conditions in pipelines, and the carrier.

use std::collections::BTreeSet;

use super::backend::Backend;
use super::carriers::{Carriers, Reason};
use super::conditions::{Assigned, Conditions};
use super::id::FaultId;
use super::injected::{Applied, Injected};
use super::pipelines::Pipelines;
use super::targets::{DirectedLink, directions};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fault::pipeline::RuleProgress;
use crate::fault::rule::{RemoteAddrs, Rule};
use crate::fault::{FaultEffect, Partition, Receipt};
use crate::frame::Direction;
use crate::topology::spec::{LinkEnd, LinkEndId, Spec};

#[derive(Debug)]
pub(super) struct Mechanisms {
    pub(super) pipelines: Pipelines,
    pub(super) conditions: Conditions,
    pub(super) carriers: Carriers,
    /// Failures that no caller could be given as an error.
    pub(super) failures: Vec<String>,
}

/// What has been done for a fault so far, and what it has replaced.
#[derive(Debug, Default)]
struct Done {
    applied: Vec<Applied>,
    replaced: Vec<(DirectedLink, Option<Assigned>)>,
}

impl Mechanisms {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            pipelines: Pipelines::new(seed),
            conditions: Conditions::default(),
            carriers: Carriers::default(),
            failures: Vec::new(),
        }
    }

    /// Puts a fault into force at its ends, completely or not at all.
    pub(super) fn apply(
        &mut self,
        id: FaultId,
        Injected { fault, receipt, ends, progress, .. }: &Injected,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<Vec<Applied>> {
        let mut done = Done::default();
        let result = ends.iter().copied().try_for_each(|end| {
            match fault.effect() {
                FaultEffect::Partition(partition) => {
                    for rule in partition_rules(partition, end, receipt, spec) {
                        let progress = RuleProgress::default();
                        done.applied.push(self.add_rule_at(end, rule, progress, spec, fabric)?);
                    }
                }
                FaultEffect::Down => {
                    self.carriers.down(Reason::Fault(id), end, spec, fabric)?;
                    done.applied.push(Applied::Down(end));
                }
                FaultEffect::Condition(condition) => {
                    for direction in directions(fault) {
                        let link = DirectedLink::of(spec, end, *direction);
                        let (condition, receipt) = (*condition, receipt.clone());
                        let new = Assigned { owner: id, condition, receipt };
                        let Self { pipelines, conditions, .. } = self;
                        let before = conditions.set(link, new, pipelines, spec, fabric)?;
                        done.replaced.push((link, before));
                        done.applied.push(Applied::Condition(link));
                    }
                }
                FaultEffect::Action(_) => {
                    if let Some(rule) = fault.rule(id.0, receipt.clone()) {
                        let progress = progress.clone().unwrap_or_default();
                        done.applied.push(self.add_rule(end, rule, progress, spec, fabric)?);
                    }
                }
            }
            Ok(())
        });
        match result {
            Ok(()) => Ok(done.applied),
            Err(error) => {
                self.undo(id, done, spec, fabric);
                Err(error)
            }
        }
    }

    /// Takes back what was done before an error, which is the one to report.
    fn undo(&mut self, id: FaultId, done: Done, spec: &Spec, fabric: &mut Fabric) {
        for (link, before) in done.replaced {
            let Some(before) = before else { continue };
            let fault = before.receipt.clone();
            let Self { pipelines, conditions, .. } = self;
            if let Err(error) = conditions.set(link, before, pipelines, spec, fabric) {
                let fault = fault.fault();
                self.failures.push(format!("cannot restore the fault `{fault}`: {error:?}"));
            }
        }
        let _ = self.release(id, done.applied, spec, fabric);
    }

    /// Adds a rule to a link, at its principal end. `end` is the end that the rule's
    /// direction is seen from.
    pub(super) fn add_rule(
        &mut self,
        end: LinkEnd,
        mut rule: Rule,
        progress: RuleProgress,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<Applied> {
        let principal = spec.principal(end);
        if principal != end {
            rule.direction = rule.direction.map(Direction::reverse);
        }
        self.add_rule_at(principal, rule, progress, spec, fabric)
    }

    fn add_rule_at(
        &mut self,
        end: LinkEnd,
        rule: Rule,
        progress: RuleProgress,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<Applied> {
        self.pipelines.splice(end, spec, fabric)?;
        Ok(Applied::Rule(end.id, self.pipelines.add_rule(end.id, rule, progress, fabric)?))
    }

    /// Takes out of force what was applied for a fault: all that is possible.
    ///
    /// # Errors
    /// The first refusal.
    pub(super) fn release(
        &mut self,
        id: FaultId,
        applied: Vec<Applied>,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let mut result = Ok(());
        let mut freed: Vec<LinkEndId> = Vec::new();
        for applied in applied {
            let released = match applied {
                Applied::Rule(end, rule) => {
                    freed.push(end);
                    self.pipelines.remove_rule(end, rule, fabric)
                }
                Applied::Condition(link) => {
                    self.conditions.clear(link, id, &self.pipelines, fabric)
                }
                Applied::Down(end) => self.carriers.up(Reason::Fault(id), end, spec, fabric),
            };
            result = result.and(released);
        }
        if !freed.is_empty() {
            result = result.and(fabric.ask_again(freed.into_iter()));
        }
        result
    }

    /// How far the rule has come that was applied for a fault, if it is one.
    pub(super) fn progress(&self, applied: Option<&Applied>) -> Option<RuleProgress> {
        let Some(Applied::Rule(end, rule)) = applied else { return None };
        self.pipelines.at(*end)?.progress(*rule)
    }

    /// Forgets what was at links that were removed.
    pub(super) fn forget_removed(&mut self, existing: &BTreeSet<LinkEndId>) {
        self.forget_pipelines(|end| existing.contains(&end));
        self.carriers.retain(existing);
    }

    /// Forgets the pipelines at link ends that do not stay, and the conditions in them.
    pub(super) fn forget_pipelines(&mut self, stays: impl Fn(LinkEndId) -> bool) {
        self.pipelines.retain(&stays);
        self.conditions.retain(stays);
    }

    /// The mechanisms behind what was applied for a fault, each once.
    pub(super) fn backends(&self, id: FaultId, applied: &[Applied]) -> Vec<Backend> {
        let backend = |applied: &Applied| match applied {
            Applied::Rule(..) => Some(Backend::Wire),
            Applied::Condition(link) => {
                self.conditions.is_owned(*link, id).then_some(Backend::Wire)
            }
            Applied::Down(_) => Some(Backend::Carrier),
        };
        let mut backends: Vec<Backend> = applied.iter().filter_map(backend).collect();
        backends.sort_unstable();
        backends.dedup();
        backends
    }
}

/// The rules of a partition at the link of a node. They drop what the nodes on the
/// other side send: by MAC address on one link, by IP address across routers. They
/// also drop what goes to those nodes, because a router on the way may translate its
/// source address.
fn partition_rules(
    partition: &Partition,
    end: LinkEnd,
    receipt: &Receipt,
    spec: &Spec,
) -> Vec<Rule> {
    let Ok(node) = spec.node(end.node) else { return Vec::new() };
    let name = node.name();
    let others = [
        (Direction::Ingress, spec.identities(partition.cut_off_from(name))),
        (Direction::Egress, spec.identities(partition.out_of_reach_of(name))),
    ];
    let mut rules = Vec::new();
    for (direction, identities) in others {
        if !identities.macs.is_empty() {
            let remote = RemoteAddrs { macs: identities.macs, ips: identities.ips };
            rules.push(Rule::partition(direction, remote, receipt.clone()));
        }
    }
    rules
}
