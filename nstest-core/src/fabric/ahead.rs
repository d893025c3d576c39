//! Namespaces that a plan asks for, made before it is carried out, by several
//! threads.
//!
//! To make a namespace and write its settings is the larger part of what a node
//! costs. It keeps one processor busy and hardly waits for locks, while links are
//! made under RTNL, one after the other. So threads help with the former only:
//! no more than there are idle processors and other nodes, none for one node, and
//! all of them gone before anything is carried out.
//!
//! The plan is carried out in its own order all the same: what was made waits
//! for its operation, and so does an error.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use super::member::Member;
use crate::error::Result;
use crate::node::Panics;
use crate::sysctl::Unwritten;
use crate::topology::Sysctl;
use crate::topology::plan::{At, Op, Plan};
use crate::topology::spec::NodeId;

/// A node that a plan adds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) at: &'a At,
    pub(super) hostname: &'a str,
    /// Written as the plan says right behind the node, if it does.
    pub(super) settings: Option<&'a [Sysctl]>,
}

/// A node that was made: nobody has been told of it yet.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) member: Member,
    /// What its settings were refused, if they were written.
    pub(super) unwritten: Option<Vec<Unwritten>>,
}

/// What came of the orders.
pub(super) type Ahead = BTreeMap<NodeId, Result<Made>>;

impl Order<'_> {
    pub(super) fn make(self, panics: &Arc<Panics>) -> Result<Made> {
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
fn orders(plan: &Plan) -> Vec<Order<'_>> {
    let ops = plan.ops.iter().enumerate();
    ops.filter_map(|(index, op)| match op {
        Op::AddNode { at, hostname } => {
            let settings = match plan.ops.get(index + 1) {
                Some(Op::SetSysctls { at: same, settings }) if same.id == at.id => {
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

/// Makes the nodes that a plan adds, with so many threads to help, if there can be
/// any; `first` is done before, by the caller's thread.
pub(super) fn make<R>(
    plan: &Plan,
    panics: &Arc<Panics>,
    helpers: usize,
    first: impl FnOnce() -> R,
) -> (R, Ahead) {
    // The test's node is where the caller's thread is.
    let (own, others): (Vec<_>, Vec<_>) =
        orders(plan).into_iter().partition(|order| order.at.id == NodeId::TEST);
    let next = AtomicUsize::new(0);
    let work = || {
        let mine = std::iter::from_fn(|| others.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.map(|order| (order.at.id, order.make(panics))).collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers.min(others.len()))
            // Where there can be no thread, this one does it all.
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let first = first();
        let mut ahead: Ahead = own.iter().map(|order| (order.at.id, order.make(panics))).collect();
        ahead.extend(work());
        for helper in helpers {
            match helper.join() {
                Ok(made) => ahead.extend(made),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (first, ahead)
    })
}

/// How many threads are worth their start for this plan: as many as there are
/// processors with nothing to do. A thread that waits for its turn on a busy machine,
/// among other tests perhaps, is waited for.
///
/// `available_parallelism` would read the files of the control group as well.
pub(super) fn helpers(plan: &Plan) -> usize {
    if !orders(plan).iter().any(|order| order.at.id != NodeId::TEST) {
        return 0;
    }
    let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else { return 0 };
    let processors = (0..CpuSet::count()).filter(|nth| allowed.is_set(*nth) == Ok(true)).count();
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    runnable(&text).map_or(0, |busy| processors.saturating_sub(busy))
}

/// The threads of the machine that are running or waiting for a processor, the
/// caller among them: the fourth field of /proc/loadavg (proc_loadavg(5)).
fn runnable(loadavg: &str) -> Option<usize> {
    loadavg.split_whitespace().nth(3)?.split_once('/')?.0.parse().ok()
}
