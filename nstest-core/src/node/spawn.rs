//! Threads and tasks that live in a node, and their panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::executor::NodeExecutor;
use super::panics::{Panicked, Panics};
use crate::error::{Error, ErrorCode, Result};

/// A thread in a node. Dropping it detaches the thread.
///
/// A panic of the thread fails the test, unless [`join`](Self::join) hands it to
/// somebody.
#[derive(Debug)]
pub struct JoinHandle<T> {
    thread: thread::JoinHandle<T>,
    ticket: Ticket,
}

impl<T> JoinHandle<T> {
    /// Waits for the thread, and returns what it returned.
    ///
    /// # Errors
    /// The payload of its panic, as [`std::thread::JoinHandle::join`].
    pub fn join(self) -> thread::Result<T> {
        let result = self.thread.join();
        self.ticket.heard();
        result
    }

    /// Whether the thread has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// The thread itself.
    #[must_use]
    pub fn thread(&self) -> &thread::Thread {
        self.thread.thread()
    }
}

impl NodeExecutor {
    /// Starts a thread that lives here.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let ticket = self.ticket();
        let witness = ticket.clone();
        let name = thread::current().name().map(|test| format!("{test} in {}", self.name()));
        let start = move || {
            let builder = thread::Builder::new().name(name.unwrap_or_default());
            builder.spawn(move || witness.witness(body))
        };
        let thread = self.resident()?.perform(start)?.map_err(|error| {
            Error::new(ErrorCode::Namespace, format!("start a thread in node {}", self.name()))
                .source(error)
        })?;
        Ok(JoinHandle { thread, ticket })
    }

    pub(super) fn ticket(&self) -> Ticket {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        Ticket {
            id: COUNTER.fetch_add(1, Ordering::Relaxed),
            node: self.name().to_owned(),
            panics: Arc::clone(self.panics()),
        }
    }
}

/// By which a panic is noted, and then known to have been heard of.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    id: u64,
    node: String,
    panics: Arc<Panics>,
}

impl Ticket {
    /// Runs `body`; its panic is noted, and goes on.
    pub(super) fn witness<T>(&self, body: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
            let message = message(&*payload);
            self.panics.record(Panicked { id: self.id, node: self.node.clone(), message });
            resume_unwind(payload)
        })
    }

    pub(super) fn heard(&self) {
        self.panics.joined(self.id);
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "Box<dyn Any>".to_owned())
}
