//! The register: which faults there are, and their lives from injection to end.

use std::panic::Location;
use std::time::{Duration, Instant};

use litemap::LiteMap;

use super::backend::Backend;
use super::carriers::Reason;
use super::census::Census;
use super::id::FaultId;
use super::injected::Injected;
use super::logging;
use super::mechanisms::Mechanisms;
use super::rivals::{self, Left};
use super::scheduler::{FaultEvent, Scheduler};
use super::targets::{MissingNode, resolve};
use crate::error::Result;
use crate::fabric::Fabric;
use crate::fault::{Fault, FaultEffect, FaultSchedule, Receipt};
use crate::topology::spec::{LinkEnd, Spec};

/// The register of a network's faults.
#[derive(Debug)]
pub(in crate::world) struct Faults {
    pub(super) injected: LiteMap<FaultId, Injected>,
    pub(super) mechanisms: Mechanisms,
    pub(super) census: Option<Census>,
    /// The faults of the plan that the test runs under.
    pub(super) planned: Vec<FaultId>,
    scheduler: Scheduler,
}

/// What [`Faults::inject`] is given.
#[derive(Debug)]
pub(in crate::world) struct FaultRequest {
    pub(in crate::world) fault: Fault,
    /// The link end of the handle that it comes from; else its link is looked up by name.
    pub(in crate::world) handle: Option<LinkEnd>,
    /// When its schedule starts.
    pub(in crate::world) since: Instant,
    /// It replaces conditions of the same directions, instead of being refused.
    pub(in crate::world) replaces: bool,
    /// Where the test injects it.
    pub(in crate::world) location: &'static Location<'static>,
}

impl FaultRequest {
    /// A fault that is looked up by name and refused where it conflicts with another. The
    /// caller injects it.
    #[track_caller]
    pub(in crate::world) fn of(fault: Fault, since: Instant) -> Self {
        let location = Location::caller();
        Self { fault, handle: None, since, replaces: false, location }
    }
}

impl Faults {
    pub(in crate::world) fn new(scheduler: Scheduler) -> Self {
        Self {
            injected: LiteMap::new(),
            mechanisms: Mechanisms::new(crate::run_config::DEFAULT_SEED),
            census: None,
            planned: Vec::new(),
            scheduler,
        }
    }

    pub(super) fn get(&self, id: FaultId) -> &Injected {
        &self.injected[&id]
    }

    pub(super) fn get_mut(&mut self, id: FaultId) -> &mut Injected {
        self.injected.get_mut(&id).expect("a number that was given out stays in the register")
    }

    /// The faults that have not been ended.
    pub(super) fn present(&self) -> impl Iterator<Item = (FaultId, &Injected)> {
        let present = self.injected.iter().filter(|(_, injected)| !injected.over);
        present.map(|(id, injected)| (*id, injected))
    }

    /// Registers a fault, and puts it into force if its schedule says so.
    pub(in crate::world) fn inject(
        &mut self,
        FaultRequest { fault, handle, since, replaces, location }: FaultRequest,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<(FaultId, Receipt)> {
        fabric.check_owned()?;
        fault.check()?;
        let ends = resolve(spec, &fault, handle, MissingNode::Refuse)?;
        let mut injected = Injected::new(fault, handle, ends, since);
        injected.location = Some(location);
        if !replaces {
            rivals::check(self.present().map(|(_, injected)| injected), &injected, spec)?;
        }
        fabric.settle_wire(); // what was sent before does not meet it
        let receipt = injected.receipt.clone();
        let id = self.register(injected);
        if let Err(error) = self.begin(id, spec, fabric) {
            let _ = self.end(id, spec, fabric); // the first error is the one to report
            self.injected.remove(&id);
            return Err(error);
        }
        if replaces {
            self.end_replaced(id, spec, fabric)?;
        }
        Ok((id, receipt))
    }

    pub(super) fn register(&mut self, injected: Injected) -> FaultId {
        let id = FaultId(self.injected.last().map_or(0, |(id, _)| id.0 + 1));
        injected.receipt.set_number(id.number());
        logging::injected(id, &injected.fault, injected.location);
        self.injected.insert(id, injected);
        id
    }

    /// Its schedule starts, or it waits for its packet.
    pub(super) fn begin(&mut self, id: FaultId, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        self.number_connections(id, spec, fabric)?;
        let injected = self.get(id);
        if injected.fault.is_triggered() {
            return self.await_packet(id, spec, fabric);
        }
        let schedule = injected.fault.schedule();
        if schedule.is_on(Duration::ZERO) {
            self.turn_on(id, spec, fabric)?;
        }
        if schedule == FaultSchedule::default() { Ok(()) } else { self.scheduler.follow(id) }
    }

    /// Has the connections of a link numbered from now on, if a fault that may start later
    /// selects one by its number.
    fn number_connections(&mut self, id: FaultId, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let Self { injected, mechanisms: Mechanisms { pipelines, .. }, .. } = self;
        let Injected { fault, ends, receipt, .. } = &injected[&id];
        if fault.packets.connection.is_none() {
            return Ok(());
        }
        ends.iter().map(|end| spec.principal(*end)).try_for_each(|end| {
            pipelines.splice(end, spec, fabric)?;
            pipelines.check_connection(end.id, &fault.packets, receipt.fault())
        })
    }

    /// Waits for the packet that a fault begins with. The wire sends the scheduler a
    /// message, and that acts within a millisecond on a machine that is not overloaded.
    pub(super) fn await_packet(
        &mut self,
        id: FaultId,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let injected = self.get_mut(id);
        let Some(end) = injected.ends.first().copied() else { return Ok(()) };
        let new = || Receipt::new(injected.fault.to_string());
        let receipt = injected.awaited_packet.get_or_insert_with(new).clone();
        let rule = injected.fault.trigger(id.0, receipt);
        let progress = injected.progress.take().unwrap_or_default();
        self.listen(end, spec, fabric)?;
        let rule = self.mechanisms.add_rule(end, rule, progress, spec, fabric)?;
        self.get_mut(id).trigger = Some(rule);
        Ok(())
    }

    /// Has the pipeline at a link send the scheduler a message for each packet that starts
    /// the schedule of a fault.
    fn listen(&mut self, end: LinkEnd, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let messages = self.scheduler.messages()?.clone();
        let principal = spec.principal(end);
        self.mechanisms.pipelines.splice(principal, spec, fabric)?;
        if let Some(mut pipeline) = self.mechanisms.pipelines.at(principal.id) {
            pipeline.set_listener(Some(Box::new(move |number, at| {
                let _ = messages.send(FaultEvent::Triggered(FaultId(number), at));
            })));
        }
        Ok(())
    }

    /// Puts a fault into force, completely or not at all.
    pub(super) fn turn_on(&mut self, id: FaultId, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let injected = self.get_mut(id);
        if injected.ends.is_empty() {
            injected.ends = resolve(spec, &injected.fault, injected.handle, MissingNode::Skip)?;
        }
        // What was in force at another link goes on here, with the time that is left.
        let goes_on = injected.on;
        let pending = if goes_on { injected.pending } else { injected.fault.starts_with_packet() };
        if let (true, Some(end)) = (pending, injected.ends.first().copied()) {
            self.listen(end, spec, fabric)?;
        }
        let Self { injected, mechanisms, .. } = self;
        let injected = injected.get_mut(&id).expect("it is registered");
        if goes_on {
            let present = mechanisms.progress(injected.applied.first());
            injected.progress = present.or(injected.progress.take());
        }
        let applied = mechanisms.apply(id, injected, spec, fabric)?;
        injected.progress = None;
        (injected.on, injected.was_on, injected.pending) = (true, true, pending);
        if !goes_on {
            logging::switched(id, true);
        }
        let mut before = std::mem::replace(&mut injected.applied, applied);
        before.retain(|applied| !injected.applied.contains(applied));
        // Only now, when the new is in force: no packet passes between them.
        mechanisms.release(id, before, spec, fabric)
    }

    /// Takes a fault out of force.
    pub(super) fn turn_off(&mut self, id: FaultId, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let injected = self.get_mut(id);
        let was_on = std::mem::replace(&mut injected.on, false);
        (injected.pending, injected.progress) = (false, None);
        let applied = std::mem::take(&mut injected.applied);
        let released = self.mechanisms.release(id, applied, spec, fabric);
        if was_on {
            logging::switched(id, false);
        }
        released
    }

    /// Ends a fault for good. It may have been ended before.
    pub(in crate::world) fn end(
        &mut self,
        id: FaultId,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        fabric.settle_wire(); // what was sent before has met it
        let injected = self.get_mut(id);
        let was_over = std::mem::replace(&mut injected.over, true);
        let trigger = injected.trigger.take();
        let untriggered = self.mechanisms.release(id, Vec::from_iter(trigger), spec, fabric);
        let turned_off = self.turn_off(id, spec, fabric).and(untriggered);
        if !was_over {
            logging::ended(id);
        }
        turned_off
    }

    /// Ends every fault with such an effect: all that can be ended.
    ///
    /// # Errors
    /// The first refusal.
    pub(in crate::world) fn end_all(
        &mut self,
        matches: impl Fn(&FaultEffect) -> bool,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let present = self.present().filter(|(_, injected)| matches(injected.fault.effect()));
        let ids: Vec<FaultId> = present.map(|(id, _)| id).collect();
        let ended: Vec<_> = ids.into_iter().map(|id| self.end(id, spec, fabric)).collect();
        ended.into_iter().collect()
    }

    /// Ends other conditions where this one has replaced them, so that their schedules do
    /// not bring them back.
    fn end_replaced(&mut self, id: FaultId, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        let taken = rivals::links(self.get(id), spec);
        let others = self.present().filter(|(other, injected)| {
            *other != id && matches!(injected.fault.effect(), FaultEffect::Condition(_))
        });
        let others: Vec<(FaultId, Left)> =
            others.map(|(other, injected)| (other, rivals::left(injected, &taken, spec))).collect();
        for (other, left) in others {
            match left {
                Left::Most => {}
                Left::One(direction) => self.get_mut(other).fault.direction = Some(direction),
                Left::Nothing => {
                    self.end(other, spec, fabric)?;
                    self.get_mut(other).replaced = true;
                }
            }
        }
        Ok(())
    }

    /// Takes a link down on behalf of the test, until [`link_up`](Self::link_up).
    pub(in crate::world) fn link_down(
        &mut self,
        end: LinkEnd,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        self.mechanisms.carriers.down(Reason::Test, end, spec, fabric)
    }

    /// Ends [`link_down`](Self::link_down). The link stays down while a fault says so.
    pub(in crate::world) fn link_up(
        &mut self,
        end: LinkEnd,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        self.mechanisms.carriers.up(Reason::Test, end, spec, fabric)
    }

    /// Whether the schedule of a fault says that it is in force at a time.
    pub(in crate::world) fn is_on_at(&self, id: FaultId, at: Instant) -> bool {
        self.get(id).is_on_at(at)
    }

    /// When the schedule of a fault changes next, after a time or after its start.
    pub(in crate::world) fn next_change(
        &self,
        id: FaultId,
        after: Option<Instant>,
    ) -> Option<Instant> {
        self.get(id).next_change(after)
    }

    /// Starts the schedule of a fault, because its packet came at this time.
    pub(in crate::world) fn start(
        &mut self,
        id: FaultId,
        at: Instant,
        spec: &Spec,
        fabric: &mut Fabric,
    ) {
        self.get_mut(id).start(at);
        self.switch(id, at, spec, fabric);
    }

    /// Puts a fault into force or takes it out, as its schedule says for this time.
    pub(in crate::world) fn switch(
        &mut self,
        id: FaultId,
        at: Instant,
        spec: &Spec,
        fabric: &mut Fabric,
    ) {
        let injected = self.get(id);
        if injected.over {
            return;
        }
        let switched = match (injected.is_on_at(at), injected.on) {
            (true, true) => Ok(()),
            (true, false) => self.turn_on(id, spec, fabric),
            (false, _) => self.turn_off(id, spec, fabric),
        };
        if let Err(error) = switched {
            let fault = &self.get(id).fault;
            let failure = format!("cannot start or stop the fault `{fault}`: {error:?}");
            self.mechanisms.failures.push(failure);
        }
    }

    /// How many packets a fault has affected up to now.
    pub(in crate::world) fn affected(&self, id: FaultId) -> u64 {
        self.get(id).receipt.affected()
    }

    /// The mechanisms that carry a fault out at present, each once.
    pub(in crate::world) fn backends(&self, id: FaultId) -> Vec<Backend> {
        self.mechanisms.backends(id, &self.get(id).applied)
    }
}
