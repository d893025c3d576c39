//! Threads that live in a node, and the recording of panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::executor::NodeExecutor;
use super::panics::{Panicked, Panics};
use super::resident::no_thread;
use super::returned::ReturnedTasks;
use super::thread_name::KeptName;
use crate::error::Result;
use crate::panics;

/// A thread in a node. Dropping the handle detaches the thread.
///
/// A panic in the thread fails the test, unless the thread is [joined](Self::join). See
/// [`Node::spawn`](crate::Node::spawn).
#[derive(Debug)]
pub struct JoinHandle<T> {
    thread: thread::JoinHandle<T>,
    recorder: PanicRecorder,
}

impl<T> JoinHandle<T> {
    /// Waits for the end of the thread, and returns its result.
    ///
    /// # Errors
    /// The payload of its panic, as [`std::thread::JoinHandle::join`]. The panic then does not
    /// fail the test by itself: the caller decides, for example with `unwrap`.
    pub fn join(self) -> thread::Result<T> {
        let result = self.thread.join();
        self.recorder.joined();
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
    /// Starts a thread that lives in the node.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let recorder = self.panic_recorder();
        let of_thread = recorder.clone();
        let name = thread::current().name().map(|test| format!("{test} in {}", self.name()));
        let unfinished = self.panics().start().thread(recorder.id);
        let start = move || {
            let builder = thread::Builder::new().name(name.unwrap_or_default());
            builder.spawn(move || {
                let _unfinished = unfinished;
                let _name = KeptName::of_this_thread();
                let output = of_thread.run(body);
                of_thread.returned(&output);
                output
            })
        };
        let thread = self.resident()?.perform(start)?.map_err(|error| {
            no_thread(format!("start a thread in node {}", self.name()), &error)
        })?;
        Ok(JoinHandle { thread, recorder })
    }

    pub(super) fn panic_recorder(&self) -> PanicRecorder {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        PanicRecorder {
            id: COUNTER.fetch_add(1, Ordering::Relaxed),
            node: self.name().to_owned(),
            panics: Arc::clone(self.panics()),
            returned: Arc::clone(self.returned()),
        }
    }
}

/// Records the panic of one thread or task, and that it has returned.
#[derive(Debug, Clone)]
pub(super) struct PanicRecorder {
    id: u64,
    node: String,
    panics: Arc<Panics>,
    returned: Arc<ReturnedTasks>,
}

impl PanicRecorder {
    /// Runs `body`. Its panic is recorded, and continues.
    pub(super) fn run<T>(&self, body: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
            let message = panics::message(&*payload).unwrap_or("Box<dyn Any>").to_owned();
            self.panics.record(Panicked { id: self.id, node: self.node.clone(), message });
            resume_unwind(payload)
        })
    }

    pub(super) fn returned(&self, output: &dyn Any) {
        self.returned.add(self.id, output);
    }

    pub(super) fn joined(&self) {
        self.panics.joined(self.id);
        self.returned.joined(self.id);
    }
}
