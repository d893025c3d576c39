//! Faults that come and go by themselves.
//!
//! One thread for all of a test's, started for the first of them. It holds the
//! world only while it acts, and ends with it.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::{FaultId, Shared};
use crate::error::{Code, Error, Result};

/// The way to the thread.
#[derive(Debug, Default)]
pub(in crate::world) struct Clock {
    entries: Option<Sender<FaultId>>,
}

impl Clock {
    /// Has a fault come and go from now on.
    pub(in crate::world) fn follow(
        &mut self,
        id: FaultId,
        world: Weak<Mutex<Shared>>,
    ) -> Result<()> {
        let entries = match &self.entries {
            Some(entries) => entries,
            none => {
                let (entries, inbox) = mpsc::channel();
                let spawned = thread::Builder::new()
                    .name("nstest schedule".to_owned())
                    .spawn(move || run(&inbox, &world));
                spawned.map_err(|error| {
                    Error::new(Code::Setup, "start the thread for faults with a time").source(error)
                })?;
                debug_assert!(none.is_none());
                self.entries.insert(entries)
            }
        };
        // The thread ends with the world, which holds this end.
        let _ = entries.send(id);
        Ok(())
    }
}

fn run(inbox: &Receiver<FaultId>, world: &Weak<Mutex<Shared>>) {
    let mut due: BTreeSet<(Instant, FaultId)> = BTreeSet::new();
    loop {
        let now = Instant::now();
        while let Some((at, id)) = due.first().copied().filter(|(at, _)| *at <= now) {
            due.pop_first();
            let Some(world) = world.upgrade() else { return };
            let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
            due.extend(world.tick(id, at));
        }
        let entry = match due.first() {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((at, _)) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match entry {
            Ok(id) => {
                let Some(world) = world.upgrade() else { return };
                let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
                due.extend(world.next_change(id, Duration::ZERO));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Shared {
    /// When a fault comes or goes next.
    fn next_change(&mut self, id: FaultId, after: Duration) -> Option<(Instant, FaultId)> {
        let injected = self.faults.get(id);
        if injected.over {
            return None;
        }
        let (next, _) = injected.fault.schedule().next_change(after)?;
        Some((injected.since + next, id))
    }

    /// It is time for a fault to come or to go.
    fn tick(&mut self, id: FaultId, at: Instant) -> Option<(Instant, FaultId)> {
        let injected = self.faults.get(id);
        if injected.over {
            return None;
        }
        let elapsed = at.saturating_duration_since(injected.since);
        let text = injected.fault.to_string();
        let turned = match injected.fault.schedule().is_on(elapsed) {
            true if injected.on => Ok(()),
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
