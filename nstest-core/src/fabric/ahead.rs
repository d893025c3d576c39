//! The nodes that a plan asks for, made by several threads.
//!
//! To make a namespace and write its settings is the larger part of what a node
//! costs. It keeps one processor busy and hardly waits for locks, while links are
//! made under RTNL, one after the other. So threads help with the former only, if there
//! are processors for them, and more nodes than the test's own.
//!
//! The plan is carried out in its own order all the same, by one thread. It takes each
//! node when its operation comes, and so an error; until then it has the links made
//! that are wanted by then, or makes a node itself.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use super::member::Member;
use crate::error::Result;
use crate::node::Panics;
use crate::sysctl::Unwritten;
use crate::topology::Sysctl;
use crate::topology::changes::{Change, Changes, NodeRef};
use crate::topology::spec::NodeId;

/// The thread that asks.
const SELF: Pid = Pid::from_raw(0);

/// The nodes of a plan, and how far they are.
#[derive(Debug)]
pub(super) struct Ahead<'p> {
    orders: Vec<Order<'p>>,
    panics: Arc<Panics>,
    progress: Mutex<Vec<Progress>>,
    changed: Condvar,
}

/// A node that a plan adds.
#[derive(Debug, Clone, Copy)]
struct Order<'p> {
    at: &'p NodeRef,
    hostname: &'p str,
    /// Written as the plan says right behind the node, if it does.
    settings: Option<&'p [Sysctl]>,
}

#[derive(Debug)]
enum Progress {
    Open,
    Begun,
    Made(Box<Result<Made>>),
    Taken,
}

/// A node that was made: nobody has been told of it yet.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) member: Member,
    /// What its settings were refused, if they were written.
    pub(super) unwritten: Option<Vec<Unwritten>>,
}

impl<'p> Ahead<'p> {
    /// None of them is made yet.
    pub(super) fn of(changes: &'p Changes, panics: &Arc<Panics>) -> Self {
        let mut orders = orders(changes);
        // The test's own is the first that is asked for, and by then the asker's to make.
        orders.sort_by_key(|order| order.at.id == NodeId::TEST);
        let open = orders.iter().map(|_| Progress::Open).collect();
        Self {
            orders,
            panics: Arc::clone(panics),
            progress: Mutex::new(open),
            changed: Condvar::new(),
        }
    }

    /// Does something that asks for the nodes, with so many threads to help, if there
    /// can be any. They are gone when it returns.
    pub(super) fn with_helpers<R>(&self, count: usize, body: impl FnOnce() -> R) -> R {
        thread::scope(|scope| {
            let here = sched_getcpu().ok();
            let help = move || {
                leave(here);
                while let Some(nth) = self.claim() {
                    self.make(nth);
                }
            };
            let started = (0..count.min(self.orders.len()))
                // Where there can be no thread, this one does it all.
                .map_while(|_| thread::Builder::new().spawn_scoped(scope, help).ok())
                .count();
            // Where they begin on this processor, they do so now, and leave it.
            (0..started).for_each(|_| thread::yield_now());
            let result = body();
            self.close();
            result
        })
    }

    /// How many threads are worth their start: as many as there are processors with
    /// nothing to do, and one more, but none where more is runnable than there are
    /// processors, or for the test's own node alone. What runs beside a test is often the
    /// kernel, busy for some 100 µs with the namespaces of the last one; and what a
    /// helper has not begun, nobody waits for.
    ///
    /// `available_parallelism` would read the files of the control group as well.
    pub(super) fn helpers(&self) -> usize {
        if self.orders.iter().all(|order| order.at.id == NodeId::TEST) {
            return 0;
        }
        let Ok(allowed) = sched_getaffinity(SELF) else { return 0 };
        let processors =
            (0..CpuSet::count()).filter(|nth| allowed.is_set(*nth) == Ok(true)).count();
        let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let busy = runnable(&text).unwrap_or(usize::MAX);
        (processors + 1).saturating_sub(busy).min(processors.saturating_sub(1))
    }

    /// The node, if it has been made.
    pub(super) fn made(&self, id: NodeId) -> Option<Result<Made>> {
        let nth = self.position(id)?;
        take(&mut self.lock()[nth])
    }

    /// The node, made by this thread if nobody has begun it. While others are at it,
    /// this thread makes what is still open.
    pub(super) fn wait_for(&self, id: NodeId) -> Result<Made> {
        let nth = self.position(id).expect("a node that is added is among the orders");
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

    /// Whoever has begun one makes it; what is open stays so.
    fn close(&self) {
        for progress in self.lock().iter_mut() {
            if matches!(progress, Progress::Open) {
                *progress = Progress::Taken;
            }
        }
    }

    /// One that is open: it is the caller's to make.
    fn claim(&self) -> Option<usize> {
        begin(&mut self.lock(), 0)
    }

    fn make(&self, nth: usize) {
        let mut claim = Claim { ahead: self, nth, becomes: Progress::Open };
        let made = self.orders[nth].make(&self.panics);
        claim.becomes = Progress::Made(Box::new(made));
    }

    fn position(&self, id: NodeId) -> Option<usize> {
        self.orders.iter().position(|order| order.at.id == id)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A node that somebody is making; dropped by a panic, it is open again.
struct Claim<'a> {
    ahead: &'a Ahead<'a>,
    nth: usize,
    becomes: Progress,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let becomes = std::mem::replace(&mut self.becomes, Progress::Taken);
        self.ahead.lock()[self.nth] = becomes;
        self.ahead.changed.notify_all();
    }
}

impl Order<'_> {
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

/// The nodes that a plan adds.
fn orders(changes: &Changes) -> Vec<Order<'_>> {
    let list = changes.list.iter().enumerate();
    list.filter_map(|(index, change)| match change {
        Change::AddNode { at, hostname } => {
            let settings = match changes.list.get(index + 1) {
                Some(Change::SetSysctls { at: same, settings }) if same.id == at.id => {
                    Some(settings.as_slice())
                }
                _ => None,
            };
            Some(Order { at, hostname: hostname.as_str(), settings })
        }
        _ => None,
    })
    .collect()
}

/// Has the calling thread run on another processor than this one, if it may.
///
/// A new thread may begin where its parent runs, and wait there for a slice of some
/// milliseconds beside an idle processor: schedulers balance late, and on some
/// machines are told to pack.
fn leave(processor: Option<usize>) {
    let Some(processor) = processor.filter(|that| sched_getcpu() == Ok(*that)) else { return };
    if let Ok(mut others) = sched_getaffinity(SELF) {
        // Refused where there is no other.
        let _ = others.unset(processor).and_then(|()| sched_setaffinity(SELF, &others));
    }
}

/// The threads of the machine that are running or waiting for a processor, the
/// caller among them: the fourth field of /proc/loadavg (proc_loadavg(5)).
fn runnable(loadavg: &str) -> Option<usize> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.0.parse().ok()
}
