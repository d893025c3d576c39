//! What is wrong with a world, and what of it has happened.
//!
//! A fault that is given to the world is an [`Injected`]: data, and a record of
//! what it touched. While it is *on*, it is in force at the ends of links
//! ([`Force`]); an edit of the world may move these, and [`Shared::reconcile`] lets
//! the faults follow.
//!
//! - this file: the register of faults, going on and off;
//! - [`engine`]: who carries a condition out, the kernel or the wire;
//! - `apart`: partitions;
//! - [`clock`]: faults that come and go by themselves;
//! - [`observe`]: what the runner asks for and is told.

mod apart;
mod clock;
mod engine;
mod observe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Shared;
use crate::error::Result;
use crate::fault::plan::against;
use crate::fault::port::{Port, RuleId};
use crate::fault::rule::Rule;
use crate::fault::traffic::Traffic;
use crate::fault::{Effect, Fault, Receipt, Schedule, Target};
use crate::frame::Direction;
use crate::topology::spec::{LinkEnd, PortId};
pub(super) use clock::Clock;
pub use engine::Engine;
use engine::Kernel;
use observe::Census;

/// A fault of a world, by the order in which they were given to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FaultId(u64);

/// The register of a world's faults.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    injected: BTreeMap<FaultId, Injected>,
    /// The ends of links at which the wire is.
    ports: BTreeMap<PortId, Arc<Mutex<Port>>>,
    kernel: Kernel,
    census: Option<Census>,
    /// Those of the plan that the test runs under.
    planned: Vec<FaultId>,
    /// Where somebody wants to know when it has come to rest.
    traffic: Option<Arc<Traffic>>,
    /// What went wrong where nobody could be told.
    failures: Vec<String>,
}

/// A fault that was given to the world.
#[derive(Debug)]
pub(super) struct Injected {
    fault: Fault,
    receipt: Receipt,
    since: Instant,
    /// The rule that waits for the packet that it begins with.
    trigger: Option<(Force, Receipt)>,
    /// It is a plan's, and its link is not there yet.
    awaited: bool,
    /// It was ended, and will not come back.
    over: bool,
    /// Whether it should be there now.
    on: bool,
    in_force: Vec<Force>,
    /// Where it was put into force.
    at: Vec<LinkEnd>,
}

/// Where and how a fault is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Force {
    Rule(PortId, RuleId),
    /// On the wire.
    Condition(PortId, Direction),
    /// The kernel's: a root qdisc of this port, and who it is.
    Qdisc(PortId, Engine),
    Down(Vec<LinkEnd>),
}

impl Faults {
    pub(super) fn new() -> Self {
        Self {
            seed: crate::orders::DEFAULT_SEED,
            injected: BTreeMap::new(),
            ports: BTreeMap::new(),
            kernel: Kernel::default(),
            census: None,
            planned: Vec::new(),
            traffic: None,
            failures: Vec::new(),
        }
    }

    fn get(&mut self, id: FaultId) -> &mut Injected {
        self.injected.get_mut(&id).expect("numbers are handed out here, and none is taken back")
    }

    /// Those that are, or will be again.
    fn present(&self) -> impl Iterator<Item = (FaultId, &Injected)> {
        let present = self.injected.iter().filter(|(_, injected)| !injected.over);
        present.map(|(id, injected)| (*id, injected))
    }
}

impl Shared {
    /// Registers a fault, and puts it into force unless its time is yet to come.
    /// `replaces`: conditions of the same directions make way.
    pub(super) fn inject(&mut self, fault: Fault, replaces: bool) -> Result<(FaultId, Receipt)> {
        fault.check()?;
        if !replaces {
            for (_, present) in self.faults.present() {
                against(&present.fault, &fault)?;
            }
        }
        self.ends_of(&fault)?; // it is there
        let id = self.register(fault);
        if let Err(error) = self.begin(id) {
            self.faults.injected.remove(&id);
            return Err(error);
        }
        Ok((id, self.faults.get(id).receipt.clone()))
    }

    /// Registers a fault of a plan, whose link may come later.
    pub(super) fn await_link(&mut self, fault: Fault) -> Result<FaultId> {
        fault.check()?;
        let id = self.register(fault);
        self.faults.get(id).awaited = true;
        self.reconcile()?;
        Ok(id)
    }

    /// Its time begins, now or with a packet.
    fn begin(&mut self, id: FaultId) -> Result<()> {
        let injected = self.faults.get(id);
        if injected.fault.is_triggered() {
            return self.await_packet(id);
        }
        injected.since = Instant::now();
        let schedule = injected.fault.schedule();
        if schedule.is_on(Duration::ZERO) {
            self.turn_on(id)?;
        }
        if schedule == Schedule::default() { Ok(()) } else { self.clock.follow(id) }
    }

    fn register(&mut self, fault: Fault) -> FaultId {
        let next = self.faults.injected.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        let id = FaultId(next);
        let injected = Injected {
            receipt: fault.receipt(),
            fault,
            since: Instant::now(),
            trigger: None,
            awaited: false,
            over: false,
            on: false,
            in_force: Vec::new(),
            at: Vec::new(),
        };
        self.faults.injected.insert(id, injected);
        id
    }

    /// The ends of links that a fault is about.
    fn ends_of(&self, fault: &Fault) -> Result<Vec<LinkEnd>> {
        let spec = self.topology.spec();
        match (fault.target(), fault.effect()) {
            (Target::Link { node, interface }, _) => {
                Ok(vec![spec.find_link(node, interface.as_deref())?])
            }
            (Target::Net, Effect::Partition(partition)) => {
                let nodes = partition.nodes().into_iter().map(|name| spec.find_node(name));
                let nodes = nodes.collect::<Result<Vec<_>>>()?;
                Ok(nodes.into_iter().flat_map(|id| spec.links_of(id)).collect())
            }
            (Target::Net, _) => Ok(Vec::new()), // refused by its check
        }
    }

    /// Puts a fault into force, whole or not at all.
    fn turn_on(&mut self, id: FaultId) -> Result<()> {
        let Injected { fault, receipt, .. } = self.faults.get(id);
        let (fault, receipt) = (fault.clone(), receipt.clone());
        let ends = self.ends_of(&fault)?;
        let mut forces = Vec::new();
        let result = self.enforce(&fault, &receipt, &ends, &mut forces);
        if let Err(error) = result {
            let _ = self.release(forces); // the first error is the one to report
            return Err(error);
        }
        let injected = self.faults.get(id);
        injected.on = true;
        injected.at = ends;
        let old = std::mem::replace(&mut injected.in_force, forces);
        // What was in force at another place goes only now: no packet slips through.
        self.release(old)
    }

    fn enforce(
        &mut self,
        fault: &Fault,
        receipt: &Receipt,
        ends: &[LinkEnd],
        forces: &mut Vec<Force>,
    ) -> Result<()> {
        match fault.effect() {
            Effect::Partition(partition) => self.keep_apart(partition, receipt, ends, forces),
            Effect::Down => {
                let ends: Vec<LinkEnd> = ends.iter().flat_map(|end| self.whole(*end)).collect();
                self.set_carrier(&ends, false)?;
                forces.push(Force::Down(ends));
                Ok(())
            }
            Effect::Condition(condition) => {
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
            Effect::Action(_) => {
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
    fn add_rule(&mut self, end: LinkEnd, mut rule: Rule) -> Result<Force> {
        let principal = self.topology.spec().principal(end);
        if principal != end {
            rule.direction = rule.direction.map(Direction::reverse);
        }
        let rule = self.port(principal)?.add(rule);
        self.fabric.refresh(principal.port)?;
        Ok(Force::Rule(principal.port, rule))
    }

    /// All ends of a cable.
    fn whole(&self, end: LinkEnd) -> Vec<LinkEnd> {
        std::iter::once(end).chain(self.topology.spec().opposite(end)).collect()
    }

    fn set_carrier(&mut self, ends: &[LinkEnd], up: bool) -> Result<()> {
        let ends: Vec<_> = ends.iter().map(|end| (end.node, end.slot, end.port)).collect();
        self.fabric.set_carrier(&ends, up)
    }

    /// A condition has one owner: who had it before has it no longer.
    fn take_over(&mut self, force: &Force) {
        for injected in self.faults.injected.values_mut() {
            injected.in_force.retain(|present| !present.is_instead_of(force));
        }
    }

    /// Takes a fault out of force.
    fn turn_off(&mut self, id: FaultId) -> Result<()> {
        let injected = self.faults.get(id);
        injected.on = false;
        injected.at.clear();
        let forces = std::mem::take(&mut injected.in_force);
        self.count(id, &forces);
        self.release(forces)
    }

    fn release(&mut self, forces: Vec<Force>) -> Result<()> {
        let mut result = Ok(());
        let on_wire = forces.iter().filter_map(|force| match force {
            Force::Rule(port, _) | Force::Condition(port, _) => Some(*port),
            Force::Qdisc(..) | Force::Down(_) => None,
        });
        let freed: Vec<PortId> = on_wire.collect();
        for force in forces {
            let released = match force {
                Force::Rule(port, rule) => self.change(port, |port| {
                    port.remove(rule);
                }),
                Force::Condition(port, direction) => {
                    self.change(port, |port| port.set_condition(direction, None))
                }
                Force::Qdisc(port, _) => self.fabric.unshape(port),
                Force::Down(ends) => self.set_carrier(&ends, true),
            };
            result = result.and(released);
        }
        if !freed.is_empty() {
            result = result.and(self.fabric.ask_again(freed.into_iter()));
        }
        result
    }

    /// Ends a fault for good.
    pub(super) fn end(&mut self, id: FaultId) -> Result<()> {
        let injected = self.faults.get(id);
        injected.over = true;
        let trigger = injected.trigger.as_ref().map(|(force, _)| force.clone());
        self.release(trigger.into_iter().collect())?;
        self.turn_off(id)
    }

    /// Ends every fault that is like this.
    pub(super) fn end_all(&mut self, like: impl Fn(&Effect) -> bool) -> Result<()> {
        let present = self.faults.present().filter(|(_, present)| like(present.fault.effect()));
        let ids: Vec<FaultId> = present.map(|(id, _)| id).collect();
        ids.into_iter().try_for_each(|id| self.end(id))
    }

    /// Lets the faults follow an edit of the world.
    pub(super) fn reconcile(&mut self) -> Result<()> {
        let spec = self.topology.spec();
        let is_there = |port: PortId| {
            spec.nodes().any(|(id, _)| spec.links_of(id).iter().any(|end| end.port == port))
        };
        let gone: Vec<PortId> =
            self.faults.ports.keys().copied().filter(|port| !is_there(*port)).collect();
        for port in gone {
            self.faults.ports.remove(&port);
            for injected in self.faults.injected.values_mut() {
                injected.in_force.retain(|force| !force.is_at(port));
            }
        }
        let on = self.faults.present().filter(|(_, injected)| injected.on);
        let moved: Vec<FaultId> = on
            .filter(|(_, injected)| {
                matches!(injected.fault.effect(), Effect::Partition(_))
                    || self.ends_of(&injected.fault).is_ok_and(|ends| ends != injected.at)
            })
            .map(|(id, _)| id)
            .collect();
        moved.into_iter().try_for_each(|id| self.turn_on(id))?;
        let awaited = self.faults.present().filter(|(_, injected)| injected.awaited);
        let come: Vec<FaultId> = awaited
            .filter(|(_, injected)| self.ends_of(&injected.fault).is_ok())
            .map(|(id, _)| id)
            .collect();
        for id in come {
            self.faults.get(id).awaited = false;
            self.begin(id)?;
        }
        self.observe_links()
    }

    /// The wire at one end of a link, which is spliced in if it is not there yet.
    fn port(&mut self, end: LinkEnd) -> Result<MutexGuard<'_, Port>> {
        if !self.faults.ports.contains_key(&end.port) {
            let name = self.topology.spec().link_name(end).unwrap_or_default();
            let port = self.watched(end.port, Port::new(self.faults.seed, &name));
            let port = Arc::new(Mutex::new(port));
            self.fabric.splice(end.port, Arc::clone(&port) as _)?;
            self.faults.ports.insert(end.port, port);
            self.take_from_kernel(end)?;
        }
        Ok(lock(&self.faults.ports[&end.port]))
    }

    /// Changes what there is at a port, if it is still there.
    fn change(&mut self, port: PortId, change: impl FnOnce(&mut Port)) -> Result<()> {
        let Some(stage) = self.faults.ports.get(&port) else { return Ok(()) };
        change(&mut lock(stage));
        self.fabric.refresh(port)
    }
}

impl Force {
    /// Whether the two are conditions of one direction.
    fn is_instead_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Qdisc(port, _), Self::Qdisc(other, _)) => port == other,
            (Self::Condition(..), Self::Condition(..)) => self == other,
            _ => false,
        }
    }

    fn is_at(&self, gone: PortId) -> bool {
        match self {
            Self::Rule(port, _) | Self::Condition(port, _) | Self::Qdisc(port, _) => *port == gone,
            Self::Down(ends) => ends.iter().any(|end| end.port == gone),
        }
    }
}

fn lock(port: &Mutex<Port>) -> MutexGuard<'_, Port> {
    port.lock().unwrap_or_else(PoisonError::into_inner)
}
