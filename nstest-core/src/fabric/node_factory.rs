//! Creates the nodes of a list of changes on several threads.
//!
//! Most of a node's cost is its namespace and the settings there. That work keeps a
//! processor busy and hardly waits for locks, while links are created under RTNL, one
//! after the other. So other threads create nodes only, if there are idle processors and
//! if the changes have nodes beside the test's own.
//!
//! One thread carries the changes out, in their order. When it comes to a node, it takes the
//! node that was created, or the error. Until then it creates links, or nodes itself.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use super::member::Member;
use crate::error::Result;
use crate::node::{Panics, open_files};
use crate::sync::lock;
use crate::sysctl::Unwritten;
use crate::topology::Sysctl;
use crate::topology::changes::{Change, Changes, NodeRef};
use crate::topology::spec::NodeId;

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

/// The nodes of a list of changes, and the progress of each.
#[derive(Debug)]
pub(super) struct NodeFactory<'p> {
    new_nodes: Vec<NodeToMake<'p>>,
    panics: Arc<Panics>,
    progress: Mutex<Vec<Progress>>,
    changed: Condvar,
}

/// A node that a change adds.
#[derive(Debug, Clone, Copy)]
struct NodeToMake<'p> {
    at: &'p NodeRef,
    hostname: &'p str,
    /// What the next change sets right after the node.
    settings: Option<&'p [Sysctl]>,
}

#[derive(Debug)]
enum Progress {
    Open,
    Begun,
    Made(Box<Result<Made>>),
    Taken,
}

/// A node that was created and not taken yet.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) member: Member,
    /// The settings that were refused, if they were written.
    pub(super) unwritten: Option<Vec<Unwritten>>,
}

impl<'p> NodeFactory<'p> {
    /// None of them is created yet.
    pub(super) fn of(changes: &'p Changes, panics: &Arc<Panics>) -> Self {
        let mut new_nodes = new_nodes(changes);
        // The test's own is needed first, so the thread that carries the changes out creates it.
        new_nodes.sort_by_key(|new| new.at.id == NodeId::TEST);
        let open = new_nodes.iter().map(|_| Progress::Open).collect();
        Self {
            new_nodes,
            panics: Arc::clone(panics),
            progress: Mutex::new(open),
            changed: Condvar::new(),
        }
    }

    /// Runs `body`, which takes the nodes, while up to `count` threads create nodes. The
    /// threads have ended when this returns.
    pub(super) fn with_helpers<R>(&self, count: usize, body: impl FnOnce() -> R) -> R {
        thread::scope(|scope| {
            let here = sched_getcpu().ok();
            let help = move || {
                leave(here);
                while let Some(nth) = self.claim() {
                    self.make(nth);
                }
            };
            let started = (0..count.min(self.new_nodes.len()))
                // If no thread can be started, this one creates all nodes.
                .map_while(|_| thread::Builder::new().spawn_scoped(scope, help).ok())
                .count();
            // Threads that begin on this processor run now, and move to another.
            (0..started).for_each(|_| thread::yield_now());
            let result = body();
            self.close();
            result
        })
    }

    /// How many threads are worth their start: one more than there are idle processors,
    /// but not more than may open files, and none if more threads are runnable than there are
    /// processors, or for the test's own node alone. Beside a test it is often the kernel that
    /// runs, for some 100 µs, and removes the namespaces of the last test. A node that no helper
    /// has begun is not waited for.
    ///
    /// `available_parallelism` would also read the files of the control group.
    pub(super) fn helpers(&self) -> usize {
        if self.new_nodes.iter().all(|new| new.at.id == NodeId::TEST) {
            return 0;
        }
        let Ok(allowed) = sched_getaffinity(SELF) else { return 0 };
        let processors =
            (0..CpuSet::count()).filter(|nth| allowed.is_set(*nth) == Ok(true)).count();
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let busy = runnable(&text).unwrap_or(usize::MAX);
        let idle = (processors + 1).saturating_sub(busy).min(processors.saturating_sub(1));
        idle.min(open_files::most_helpers(self.new_nodes.len()))
    }

    /// The node, if it has been created.
    pub(super) fn made(&self, id: NodeId) -> Option<Result<Made>> {
        let nth = self.position(id)?;
        take(&mut self.lock()[nth])
    }

    /// The node, created by this thread if no other has begun it. While another creates
    /// it, this thread creates other nodes.
    pub(super) fn wait_for(&self, id: NodeId) -> Result<Made> {
        let nth = self.position(id).expect("a change adds this node");
        loop {
            let mut progress = self.lock();
            if let Some(made) = take(&mut progress[nth]) {
                return made;
            }
            match begin(&mut progress, nth) {
                Some(next) => {
                    drop(progress);
                    self.make(next);
                }
                None => drop(self.changed.wait(progress)),
            }
        }
    }

    /// Lets no thread begin another node.
    fn close(&self) {
        for progress in self.lock().iter_mut() {
            if matches!(progress, Progress::Open) {
                *progress = Progress::Taken;
            }
        }
    }

    /// Begins a node that is open, for the caller to create.
    fn claim(&self) -> Option<usize> {
        begin(&mut self.lock(), 0)
    }

    fn make(&self, nth: usize) {
        let mut claim = Claim { factory: self, nth, becomes: Progress::Open };
        let made = self.new_nodes[nth].make(&self.panics);
        claim.becomes = Progress::Made(Box::new(made));
    }

    fn position(&self, id: NodeId) -> Option<usize> {
        self.new_nodes.iter().position(|new| new.at.id == id)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Progress>> {
        lock(&self.progress)
    }
}

/// Begins this one if it is open, or else the first that is.
fn begin(progress: &mut [Progress], first: usize) -> Option<usize> {
    let is_open = |nth: &usize| matches!(progress.get(*nth), Some(Progress::Open));
    let nth = Some(first).filter(is_open).or_else(|| (0..progress.len()).find(is_open))?;
    progress[nth] = Progress::Begun;
    Some(nth)
}

fn take(progress: &mut Progress) -> Option<Result<Made>> {
    match std::mem::replace(progress, Progress::Taken) {
        Progress::Made(made) => Some(*made),
        other => {
            *progress = other;
            None
        }
    }
}

/// A node that a thread creates. If it is dropped by a panic, the node is open again.
struct Claim<'a> {
    factory: &'a NodeFactory<'a>,
    nth: usize,
    becomes: Progress,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let becomes = std::mem::replace(&mut self.becomes, Progress::Taken);
        self.factory.lock()[self.nth] = becomes;
        self.factory.changed.notify_all();
    }
}

impl NodeToMake<'_> {
    fn make(self, panics: &Arc<Panics>) -> Result<Made> {
        let Self { at, hostname, settings } = self;
        let all = settings.unwrap_or_default();
        let (member, unwritten) = if at.id == NodeId::TEST {
            Member::of_test(at, hostname, all, panics)?
        } else {
            Member::create(at, hostname, all, panics)?
        };
        Ok(Made { member, unwritten: settings.map(|_| unwritten) })
    }
}

/// The nodes that the changes add.
fn new_nodes(changes: &Changes) -> Vec<NodeToMake<'_>> {
    let list = changes.list.iter().enumerate();
    list.filter_map(|(index, change)| match change {
        Change::AddNode { at, hostname } => {
            let settings = match changes.list.get(index + 1) {
                Some(Change::SetSysctls { at: same, settings }) if same.id == at.id => {
                    Some(settings.as_slice())
                }
                _ => None,
            };
            Some(NodeToMake { at, hostname: hostname.as_str(), settings })
        }
        _ => None,
    })
    .collect()
}

/// Moves the calling thread to another processor than this one, if it may.
///
/// A new thread may begin on the processor of its parent and wait there for some
/// milliseconds, although another processor is idle: schedulers balance late, and some
/// are configured to fill one processor first.
fn leave(processor: Option<usize>) {
    let Some(processor) = processor.filter(|that| sched_getcpu() == Ok(*that)) else { return };
    if let Ok(mut others) = sched_getaffinity(SELF) {
        // The kernel refuses this if there is no other.
        let _ = others.unset(processor).and_then(|()| sched_setaffinity(SELF, &others));
    }
}

/// The threads of the machine that are running or waiting for a processor, the
/// caller among them: the fourth field of /proc/loadavg (proc_loadavg(5)).
fn runnable(loadavg: &str) -> Option<usize> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.0.parse().ok()
}
