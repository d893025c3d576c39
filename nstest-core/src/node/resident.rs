//! A thread that lives in a node, and starts there what is to be born there.
//!
//! A child inherits the namespaces of the *thread* that starts it (clone(2)), so
//! a program needs no code of ours between fork and exec: `pre_exec` would turn
//! std's vfork into a fork that copies the test's memory.

use std::fmt;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::view::View;
use crate::error::{Error, ErrorCode, Result};
use crate::netns::Namespace;

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
    /// Returns once the thread is there. It lives until the handle is dropped.
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
                // Whoever waits for this holds the other end.
                let _ = settled.send(moved);
                if here {
                    inbox.into_iter().for_each(|job| job());
                }
            })
            .map_err(|error| gone(&name, "start a thread").source(error))?;
        arrival.recv().map_err(|_| gone(&name, "settle a thread"))??;
        Ok(Self { jobs, name })
    }

    /// Has the thread do something, and waits for what comes of it.
    pub(super) fn perform<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R> {
        let (done, result) = mpsc::sync_channel(1);
        let job = Box::new(move || {
            let _ = done.send(work());
        });
        self.jobs.send(job).map_err(|_| gone(&self.name, "reach the thread"))?;
        result.recv().map_err(|_| gone(&self.name, "hear from the thread"))
    }
}

fn gone(node: &str, what: &str) -> Error {
    Error::new(ErrorCode::Namespace, format!("{what} that lives in node {node}"))
}
