//! What is wrong with a world, and what of it has happened.
//!
//! A fault that is given to the world is an [`Injected`]: data, and a record of
//! what it affected. While it is *on*, it is in force at the ends of links
//! ([`Force`]); an edit of the world may move these, and [`Network::reconcile`] lets
//! the faults follow.
//!
//! - this file: the register of faults;
//! - [`force`]: going on and off, whole or not at all;
//! - [`engine`]: who carries a condition out, the kernel or the wire;
//! - `apart`: partitions;
//! - `rivals`: faults that are in each other's way;
//! - `follow`: faults follow an edit of the world;
//! - [`clock`]: faults that come and go by themselves;
//! - [`observe`]: what the runner asks for and is told.

mod apart;
mod clock;
mod engine;
mod follow;
mod force;
mod observe;
mod rivals;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::network::Network;
use crate::error::Result;
use crate::fault::pipeline::Pipeline;
use crate::fault::traffic::Traffic;
use crate::fault::{Fault, FaultEffect, FaultSchedule, Plan, Receipt};
use crate::topology::spec::{LinkEnd, LinkEndId};
pub(super) use clock::Clock;
pub use engine::Backend;
use engine::Kernel;
use force::Force;
use observe::Census;

/// A fault of a world, by the order in which they were given to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FaultId(u64);

impl FaultId {
    const FIRST: Self = Self(0);
}

/// The register of a world's faults.
#[derive(Debug)]
pub(super) struct Faults {
    seed: u64,
    injected: BTreeMap<FaultId, Injected>,
    /// The ends of links at which the wire is.
    ports: BTreeMap<LinkEndId, Arc<Mutex<Pipeline>>>,
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

impl Faults {
    pub(super) fn new() -> Self {
        Self {
            seed: crate::run_config::DEFAULT_SEED,
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

impl Network {
    /// Registers a fault whose times count from `since`, and puts it into force unless
    /// they are yet to come. `replaces`: conditions of the same directions make way.
    pub(super) fn inject(
        &mut self,
        fault: Fault,
        since: Instant,
        replaces: bool,
    ) -> Result<(FaultId, Receipt)> {
        fault.check()?;
        if !replaces {
            self.check_rivals(&fault, since)?;
        }
        self.check_place(&fault)?;
        self.fabric.settle_wire(); // what was sent before does not meet it
        let id = self.register(fault, since);
        let begun = self.begin(id);
        if let Err(error) = begun {
            let _ = self.end(id); // the first error is the one to report
            self.faults.injected.remove(&id);
            return Err(error);
        }
        if replaces {
            self.make_way(id)?;
        }
        Ok((id, self.faults.get(id).receipt.clone()))
    }

    /// Registers the faults of a plan, whose links may come later: then their times
    /// begin.
    pub(super) fn await_links(&mut self, plan: &Plan) -> Result<Vec<FaultId>> {
        plan.check()?;
        let since = Instant::now();
        let mut ids = Vec::new();
        for fault in plan.faults() {
            let id = self.register(fault.clone(), since);
            self.faults.get(id).awaited = true;
            ids.push(id);
        }
        self.reconcile()?;
        Ok(ids)
    }

    /// Its time begins, or it waits for a packet.
    fn begin(&mut self, id: FaultId) -> Result<()> {
        let injected = self.faults.get(id);
        if injected.fault.is_triggered() {
            return self.await_packet(id);
        }
        let schedule = injected.fault.schedule();
        if schedule.is_on(Duration::ZERO) {
            self.turn_on(id)?;
        }
        if schedule == FaultSchedule::default() { Ok(()) } else { self.clock.follow(id) }
    }

    fn register(&mut self, fault: Fault, since: Instant) -> FaultId {
        let next = self.faults.injected.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        let id = FaultId(next);
        let injected = Injected {
            receipt: fault.receipt(),
            fault,
            since,
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

    /// Ends a fault for good.
    pub(super) fn end(&mut self, id: FaultId) -> Result<()> {
        self.fabric.settle_wire(); // what was sent before has met it
        let injected = self.faults.get(id);
        injected.over = true;
        let trigger = injected.trigger.as_ref().map(|(force, _)| force.clone());
        let untriggered = self.release(trigger.into_iter().collect());
        self.turn_off(id).and(untriggered)
    }

    /// Ends every fault that is like this, all that can be.
    pub(super) fn end_all(&mut self, like: impl Fn(&FaultEffect) -> bool) -> Result<()> {
        let present = self.faults.present().filter(|(_, present)| like(present.fault.effect()));
        let ids: Vec<FaultId> = present.map(|(id, _)| id).collect();
        let ended: Vec<Result<()>> = ids.into_iter().map(|id| self.end(id)).collect();
        ended.into_iter().collect()
    }
}
