//! Faults go on and off: what has to be at which ends of links for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Backend, FaultId, Injected};
use crate::error::Result;
use crate::fault::pipeline::{Pipeline, RuleId};
use crate::fault::rule::Rule;
use crate::fault::{Fault, FaultEffect, FaultTarget, Receipt};
use crate::frame::Direction;
use crate::topology::spec::{LinkEnd, LinkEndId};
use crate::world::network::Network;

/// Where and how a fault is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Force {
    Rule(LinkEndId, RuleId),
    /// On the wire.
    Condition(LinkEndId, Direction),
    /// The kernel's: a root qdisc of this port, and who it is.
    Qdisc(LinkEndId, Backend),
    Down(Vec<LinkEnd>),
}

impl Network {
    /// The ends of links that a fault is about.
    pub(super) fn ends_of(&self, fault: &Fault) -> Result<Vec<LinkEnd>> {
        let spec = self.topology.spec();
        match (fault.target(), fault.effect()) {
            (FaultTarget::Link { node, interface }, _) => {
                Ok(vec![spec.find_link(node, interface.as_deref())?])
            }
            (FaultTarget::Net, FaultEffect::Partition(partition)) => {
                // A node may be removed meanwhile, and another come by its name.
                let nodes = partition.nodes().into_iter().filter_map(|n| spec.find_node(n).ok());
                Ok(nodes.flat_map(|id| spec.links_of(id)).collect())
            }
            (FaultTarget::Net, _) => Ok(Vec::new()), // refused by its check
        }
    }

    /// Whether what a fault names is there.
    pub(super) fn check_place(&self, fault: &Fault) -> Result<()> {
        if let FaultEffect::Partition(partition) = fault.effect() {
            for name in partition.nodes() {
                self.topology.spec().find_node(name)?;
            }
        }
        self.ends_of(fault).map(drop)
    }

    /// Puts a fault into force, whole or not at all.
    pub(super) fn turn_on(&mut self, id: FaultId) -> Result<()> {
        let Injected { fault, receipt, .. } = self.faults.get(id);
        let (fault, receipt) = (fault.clone(), receipt.clone());
        let ends = self.ends_of(&fault)?;
        let before = self.conditions_but(id);
        let mut forces = Vec::new();
        let result = self.enforce(&fault, &receipt, &ends, &mut forces);
        if let Err(error) = result {
            let _ = self.release(forces); // the first error is the one to report
            self.put_back(before);
            return Err(error);
        }
        let injected = self.faults.get(id);
        injected.on = true;
        injected.at = ends;
        let old = std::mem::replace(&mut injected.in_force, forces);
        // What was in force at another place goes only now: no packet slips through.
        self.release(old)
    }

    /// The conditions that are in force, but for one.
    fn conditions_but(&self, id: FaultId) -> Vec<(FaultId, Vec<Force>)> {
        let others = self.faults.present().filter(|(other, injected)| {
            *other != id
                && injected.on
                && matches!(injected.fault.effect(), FaultEffect::Condition(_))
        });
        others.map(|(other, injected)| (other, injected.in_force.clone())).collect()
    }

    /// What a condition that failed has taken the place of is there again.
    fn put_back(&mut self, conditions: Vec<(FaultId, Vec<Force>)>) {
        for (id, forces) in conditions {
            if self.faults.get(id).in_force == forces {
                continue;
            }
            if let Err(error) = self.turn_on(id) {
                let text = self.faults.get(id).fault.to_string();
                let failure = format!("the fault `{text}` could not be put back: {error:?}");
                self.faults.failures.push(failure);
            }
        }
    }

    fn enforce(
        &mut self,
        fault: &Fault,
        receipt: &Receipt,
        ends: &[LinkEnd],
        forces: &mut Vec<Force>,
    ) -> Result<()> {
        match fault.effect() {
            FaultEffect::Partition(partition) => self.keep_apart(partition, receipt, ends, forces),
            FaultEffect::Down => {
                let ends: Vec<LinkEnd> = ends.iter().flat_map(|end| self.whole(*end)).collect();
                forces.push(Force::Down(ends.clone()));
                self.set_carrier(&ends, false)
            }
            FaultEffect::Condition(condition) => {
                let directions = fault.direction.map_or(Direction::BOTH.to_vec(), |one| vec![one]);
                for end in ends {
                    for direction in &directions {
                        let force = self.impair(*end, *direction, *condition, receipt)?;
                        self.take_over(&force);
                        forces.push(force);
                    }
                }
                Ok(())
            }
            FaultEffect::Action(_) => {
                for end in ends {
                    if let Some(rule) = fault.rule(receipt.clone()) {
                        forces.push(self.add_rule(*end, rule)?);
                    }
                }
                Ok(())
            }
        }
    }

    /// Adds a rule to a link, as it looks from this end.
    pub(super) fn add_rule(&mut self, end: LinkEnd, mut rule: Rule) -> Result<Force> {
        let principal = self.topology.spec().principal(end);
        if principal != end {
            rule.direction = rule.direction.map(Direction::reverse);
        }
        let rule = Force::Rule(principal.port, self.port(principal)?.add(rule));
        if let Err(error) = self.fabric.refresh(principal.port) {
            let _ = self.release(vec![rule]); // the first error is the one to report
            return Err(error);
        }
        Ok(rule)
    }

    /// All ends of a cable.
    pub(super) fn whole(&self, end: LinkEnd) -> Vec<LinkEnd> {
        std::iter::once(end).chain(self.topology.spec().opposite(end)).collect()
    }

    /// Whether a fault keeps this end's cable pulled.
    fn is_pulled(&self, end: LinkEnd) -> bool {
        let mut forces = self.faults.injected.values().flat_map(|injected| &injected.in_force);
        forces.any(|force| matches!(force, Force::Down(ends) if ends.contains(&end)))
    }

    fn set_carrier(&mut self, ends: &[LinkEnd], up: bool) -> Result<()> {
        let ends: Vec<_> = ends.iter().map(|end| (end.node, end.slot, end.port)).collect();
        self.fabric.set_carrier(&ends, up)
    }

    /// A condition has one owner: who had it before has it no longer.
    pub(super) fn take_over(&mut self, force: &Force) {
        for injected in self.faults.injected.values_mut() {
            injected.in_force.retain(|present| !present.is_in_place_of(force));
        }
    }

    /// Takes a fault out of force.
    pub(super) fn turn_off(&mut self, id: FaultId) -> Result<()> {
        let injected = self.faults.get(id);
        injected.on = false;
        injected.at.clear();
        let forces = std::mem::take(&mut injected.in_force);
        self.count(id, &forces);
        self.release(forces)
    }

    pub(super) fn release(&mut self, forces: Vec<Force>) -> Result<()> {
        let mut result = Ok(());
        let on_wire = forces.iter().filter_map(|force| match force {
            Force::Rule(port, _) | Force::Condition(port, _) => Some(*port),
            Force::Qdisc(..) | Force::Down(_) => None,
        });
        let freed: Vec<LinkEndId> = on_wire.collect();
        for force in forces {
            let released = match force {
                Force::Rule(port, rule) => self.change(port, |port| {
                    port.remove(rule);
                }),
                Force::Condition(port, direction) => {
                    self.change(port, |port| port.set_condition(direction, None))
                }
                Force::Qdisc(port, _) => self.drop_qdisc(port),
                Force::Down(ends) => {
                    let ends: Vec<LinkEnd> =
                        ends.into_iter().filter(|end| !self.is_pulled(*end)).collect();
                    self.set_carrier(&ends, true)
                }
            };
            result = result.and(released);
        }
        if !freed.is_empty() {
            result = result.and(self.fabric.ask_again(freed.into_iter()));
        }
        result
    }

    /// The wire at one end of a link, which is spliced in if it is not there yet.
    pub(super) fn port(&mut self, end: LinkEnd) -> Result<MutexGuard<'_, Pipeline>> {
        if !self.faults.ports.contains_key(&end.port) {
            let name = self.topology.spec().link_name(end).unwrap_or_default();
            let port = self.watched(end.port, Pipeline::new(self.faults.seed, &name));
            let port = Arc::new(Mutex::new(port));
            self.fabric.splice(end.port, Arc::clone(&port) as _)?;
            self.faults.ports.insert(end.port, port);
            self.take_from_kernel(end)?;
        }
        Ok(lock(&self.faults.ports[&end.port]))
    }

    /// Changes what there is at a port, if it is still there.
    pub(super) fn change(
        &mut self,
        port: LinkEndId,
        change: impl FnOnce(&mut Pipeline),
    ) -> Result<()> {
        let Some(stage) = self.faults.ports.get(&port) else { return Ok(()) };
        change(&mut lock(stage));
        self.fabric.refresh(port)
    }
}

impl Force {
    /// Whether both are the condition of one place, whoever carries it out.
    fn is_in_place_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Qdisc(port, _), Self::Qdisc(other, _)) => port == other,
            _ => self == other,
        }
    }

    /// The ports at which it is.
    pub(super) fn ports(&self) -> impl Iterator<Item = LinkEndId> {
        let (one, several) = match self {
            Self::Rule(port, _) | Self::Condition(port, _) | Self::Qdisc(port, _) => {
                (Some(*port), [].as_slice())
            }
            Self::Down(ends) => (None, ends.as_slice()),
        };
        one.into_iter().chain(several.iter().map(|end| end.port))
    }
}

fn lock(port: &Mutex<Pipeline>) -> MutexGuard<'_, Pipeline> {
    port.lock().unwrap_or_else(PoisonError::into_inner)
}
