//! The panics of a node's threads and tasks.
//!
//! A panic outside of the test function does not end the test, so it is recorded here. A
//! thread that is joined, or a task that is awaited, hands its panic to the test, and the
//! record is removed. A test that leaves a record behind fails.

use std::sync::Mutex;

use crate::sync::lock;

/// The panics that the test has not received by a join or an await.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    unjoined: Mutex<Vec<Panicked>>,
}

/// A thread or task of a node that panicked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(super) id: u64,
    pub(crate) node: String,
    pub(crate) message: String,
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
}
