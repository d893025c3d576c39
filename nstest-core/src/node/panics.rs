//! The panics of a node's threads and tasks.
//!
//! A panic outside of the test function does not end the test, so it is recorded here. A
//! thread that is joined, or a task that is awaited, hands its panic to the test, and the
//! record is removed. A test that leaves a record behind fails.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::panic_hook;
use crate::sync::lock;

/// The threads and tasks that have not ended, and the panics that the test has not received
/// by a join or an await.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    unjoined: Mutex<Vec<Panicked>>,
    not_ended: Mutex<NotEnded>,
    finished: Condvar,
}

#[derive(Debug, Default)]
struct NotEnded {
    /// How many threads and tasks have not returned.
    unfinished: usize,
    /// The threads that have returned, with their directories in `/proc`. Such a thread still
    /// drops its result and its thread-local values, and a destructor may panic.
    leaving: Vec<(u64, PathBuf)>,
}

impl NotEnded {
    fn count(&mut self) -> usize {
        self.leaving.retain(|(_, directory)| directory.exists());
        self.unfinished + self.leaving.len()
    }
}

/// A thread or task of a node that panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(super) id: u64,
    pub(crate) node: String,
    pub(crate) message: String,
}

/// A thread or task that has not returned.
#[derive(Debug)]
pub(super) struct Unfinished {
    panics: Arc<Panics>,
    thread: Option<u64>,
}

impl Unfinished {
    /// Of a thread that drops this value itself.
    pub(super) fn thread(mut self, id: u64) -> Self {
        self.thread = Some(id);
        self
    }

    fn directory() -> Option<PathBuf> {
        Some(Path::new("/proc").join(std::fs::read_link("/proc/thread-self").ok()?))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let leaving = self.thread.and_then(|id| Some((id, Self::directory()?)));
        let mut not_ended = lock(&self.panics.not_ended);
        not_ended.unfinished -= 1;
        not_ended.leaving.extend(leaving);
        self.panics.finished.notify_all();
    }
}

impl Panics {
    pub(super) fn record(&self, panicked: Panicked) {
        lock(&self.unjoined).push(panicked);
    }

    /// Removes the panic of a thread or task that was joined or awaited.
    pub(super) fn joined(&self, id: u64) {
        lock(&self.unjoined).retain(|p| p.id != id);
        lock(&self.not_ended).leaving.retain(|thread| thread.0 != id);
    }

    pub(crate) fn unjoined(&self) -> Vec<Panicked> {
        lock(&self.unjoined).clone()
    }

    /// To be called when a thread or task starts, and to be dropped after its panic has been
    /// recorded.
    pub(super) fn start(self: &Arc<Self>) -> Unfinished {
        panic_hook::install();
        lock(&self.not_ended).unfinished += 1;
        Unfinished { panics: Arc::clone(self), thread: None }
    }

    /// How many threads and tasks have not ended.
    pub(super) fn unfinished(&self) -> usize {
        lock(&self.not_ended).count()
    }

    /// Waits until one returns, but not longer than this.
    pub(super) fn await_finished(&self, limit: Duration) {
        let mut not_ended = lock(&self.not_ended);
        if not_ended.count() > 0 {
            drop(self.finished.wait_timeout(not_ended, limit));
        }
    }
}
