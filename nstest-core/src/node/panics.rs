//! The panics of a node's threads and tasks.
//!
//! A panic outside of the test function does not end the test, so it is recorded here. A
//! thread that is joined, or a task that is awaited, hands its panic to the test, and the
//! record is removed. A test that leaves a record behind fails.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::panic_hook;
use crate::sync::lock;

/// The threads and tasks that have not ended, and the panics that the test has not received
/// by a join or an await.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    unjoined: Mutex<Vec<Panicked>>,
    unfinished: Mutex<usize>,
    finished: Condvar,
}

/// A thread or task of a node that panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(super) id: u64,
    pub(crate) node: String,
    pub(crate) message: String,
}

/// A thread or task that has not ended.
#[derive(Debug)]
pub(super) struct Unfinished(Arc<Panics>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        *lock(&self.0.unfinished) -= 1;
        self.0.finished.notify_all();
    }
}

impl Panics {
    pub(super) fn record(&self, panicked: Panicked) {
        lock(&self.unjoined).push(panicked);
    }

    /// Removes the panic of a thread or task that was joined or awaited.
    pub(super) fn joined(&self, id: u64) {
        lock(&self.unjoined).retain(|p| p.id != id);
    }

    pub(crate) fn unjoined(&self) -> Vec<Panicked> {
        lock(&self.unjoined).clone()
    }

    /// To be called when a thread or task starts, and to be dropped after its panic has been
    /// recorded.
    pub(super) fn start(self: &Arc<Self>) -> Unfinished {
        panic_hook::install();
        *lock(&self.unfinished) += 1;
        Unfinished(Arc::clone(self))
    }

    /// How many threads and tasks have not ended.
    pub(super) fn unfinished(&self) -> usize {
        *lock(&self.unfinished)
    }

    /// Waits until one ends, but not longer than this.
    pub(super) fn await_finished(&self, limit: Duration) {
        let unfinished = lock(&self.unfinished);
        if *unfinished > 0 {
            drop(self.finished.wait_timeout(unfinished, limit));
        }
    }
}
