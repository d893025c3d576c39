//! Faults that come and go by themselves, at their times or with a packet.
//!
//! One thread for all of a test's, started for the first of them. It holds the
//! world only while it acts, and ends with it.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::FaultId;
use crate::error::{Error, ErrorCode, Result};
use crate::fault::Receipt;
use crate::world::network::Network;

/// The way to the thread, which is started when there is something to do.
#[derive(Debug)]
pub(in crate::world) struct Clock {
    world: Weak<Mutex<Network>>,
    entries: Option<Sender<Entry>>,
}

/// What the thread is told.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// The times of a fault have begun.
    Begun(FaultId),
    /// The packet has come that a fault begins with.
    Triggered(FaultId, Instant),
}

impl Clock {
    pub(in crate::world) fn new(world: Weak<Mutex<Network>>) -> Self {
        Self { world, entries: None }
    }

    /// Has a fault come and go from now on.
    pub(super) fn follow(&mut self, id: FaultId) -> Result<()> {
        // The thread ends with the world, which holds this end.
        let _ = self.entries()?.send(Entry::Begun(id));
        Ok(())
    }

    fn entries(&mut self) -> Result<&Sender<Entry>> {
        match &mut self.entries {
            Some(entries) => Ok(entries),
            none => {
                let (entries, inbox) = mpsc::channel();
                let world = Weak::clone(&self.world);
                let thread = thread::Builder::new().name("nstest schedule".to_owned());
                thread.spawn(move || run(&inbox, &world)).map_err(|error| {
                    Error::new(ErrorCode::Setup, "start the thread for faults with a time")
                        .source(error)
                })?;
                Ok(none.insert(entries))
            }
        }
    }
}

fn run(inbox: &Receiver<Entry>, world: &Weak<Mutex<Network>>) {
    let mut due: BTreeSet<(Instant, FaultId)> = BTreeSet::new();
    loop {
        let now = Instant::now();
        while let Some(at) = due.first().map(|(at, _)| *at).filter(|at| *at <= now) {
            let Some(world) = world.upgrade() else { return };
            let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
            let later = due.split_off(&(at + Duration::from_nanos(1), FaultId::FIRST));
            let ids = std::mem::replace(&mut due, later).into_iter().map(|(_, id)| id);
            // What follows another comes before that goes: no packet slips through.
            let (come, go): (Vec<_>, Vec<_>) = ids.partition(|id| world.comes(*id, at));
            for id in come.into_iter().chain(go) {
                due.extend(world.tick(id, at));
            }
        }
        let entry = match due.first() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, _)) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match entry {
            Ok(entry) => {
                let Some(world) = world.upgrade() else { return };
                let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
                due.extend(match entry {
                    Entry::Begun(id) => world.next_change(id, Duration::ZERO),
                    Entry::Triggered(id, at) => world.triggered(id, at),
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Network {
    /// Waits for the packet that a fault begins with. The thread learns of it from
    /// the wire, and acts within a millisecond where the machine has the time.
    pub(super) fn await_packet(&mut self, id: FaultId) -> Result<()> {
        let entries = self.clock.entries()?.clone();
        let fault = self.faults.get(id).fault.clone();
        let Some(end) = self.ends_of(&fault)?.into_iter().next() else { return Ok(()) };
        let principal = self.topology.spec().principal(end);
        self.port(principal)?.set_listener(Some(Box::new(move |number, at| {
            let _ = entries.send(Entry::Triggered(FaultId(number), at));
        })));
        let receipt = Receipt::new(fault.to_string());
        let force = self.add_rule(end, fault.trigger(id.0, receipt.clone()))?;
        self.faults.get(id).trigger = Some((force, receipt));
        Ok(())
    }

    /// The packet has come.
    fn triggered(&mut self, id: FaultId, at: Instant) -> Option<(Instant, FaultId)> {
        self.faults.get(id).since = at;
        self.tick(id, at)
    }

    /// When a fault comes or goes next.
    fn next_change(&mut self, id: FaultId, after: Duration) -> Option<(Instant, FaultId)> {
        let injected = self.faults.get(id);
        if injected.over {
            return None;
        }
        let (next, _) = injected.fault.schedule().next_change(after)?;
        Some((injected.since + next, id))
    }

    /// Whether a fault is to be there at a time.
    fn comes(&mut self, id: FaultId, at: Instant) -> bool {
        let injected = self.faults.get(id);
        injected.fault.schedule().is_on(at.saturating_duration_since(injected.since))
    }

    /// It is time for a fault to come or to go.
    fn tick(&mut self, id: FaultId, at: Instant) -> Option<(Instant, FaultId)> {
        let injected = self.faults.get(id);
        if injected.over {
            return None;
        }
        let elapsed = at.saturating_duration_since(injected.since);
        let (text, is_on) = (injected.fault.to_string(), injected.on);
        let turned = match self.comes(id, at) {
            true if is_on => Ok(()),
            true => self.turn_on(id),
            false => self.turn_off(id),
        };
        if let Err(error) = turned {
            self.faults
                .failures
                .push(format!("the fault `{text}` could not come or go: {error:?}"));
        }
        self.next_change(id, elapsed)
    }
}
