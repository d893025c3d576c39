//! A thread that lives in a node and starts the node's threads and programs.
//!
//! A child inherits the namespaces of the *thread* that starts it (clone(2)). So a program
//! needs no code of nstest between fork and exec, unless the limit of open files was raised
//! (`open_files`): `pre_exec` makes std use fork instead of vfork, and copy the memory of the
//! test.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::view::View;
use crate::error::{Error, ErrorCode, Result};
use crate::netns::Namespace;
use crate::preflight;

type ResidentJob = Box<dyn FnOnce() + Send>;

pub(super) struct Resident {
    jobs: Sender<ResidentJob>,
    name: String,
}

impl fmt::Debug for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resident").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Resident {
    /// Starts the thread, which lives until the handle is dropped. It is in the node when this
    /// returns.
    pub(super) fn start(namespace: &Namespace, view: &View) -> Result<Self> {
        let name = namespace.name().to_owned();
        let (jobs, inbox) = mpsc::channel::<ResidentJob>();
        let (settled, arrival) = mpsc::sync_channel(1);
        let (namespace, view) = (namespace.clone(), view.clone());
        thread::Builder::new()
            .name(format!("node {name}"))
            .spawn(move || {
                let moved = namespace.settle().and_then(|()| view.take());
                let here = moved.is_ok();
                // The receiver exists: this function waits for it below.
                let _ = settled.send(moved);
                if here {
                    inbox.into_iter().for_each(|job| job());
                }
            })
            .map_err(|error| no_thread(step("start", &name), &error))?;
        arrival.recv().map_err(|_| failed("start", &name).source(ENDED))??;
        Ok(Self { jobs, name })
    }

    /// Runs `work` on the thread, and waits for its result.
    pub(super) fn perform<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R> {
        let (done, result) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            let _ = done.send(work());
        });
        let ended = || failed("run code on", &self.name).source(ENDED);
        self.jobs.send(job).map_err(|_| ended())?;
        result.recv().map_err(|_| ended())
    }
}

/// Says what refused a thread.
pub(super) fn no_thread(step: String, error: &io::Error) -> Error {
    preflight::no_thread(step, error)
}

const ENDED: &str = "the thread has ended unexpectedly";

fn step(operation: &str, node: &str) -> String {
    format!("{operation} the thread for threads, tasks and programs in node {node}")
}

/// The node's threads, tasks and programs are started by this thread.
fn failed(operation: &str, node: &str) -> Error {
    Error::new(ErrorCode::Namespace, step(operation, node))
}
