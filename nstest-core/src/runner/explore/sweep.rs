//! Running the cases, several at a time.
//!
//! Generic over how a case is run, so that order, budget and failure are tested
//! without processes. Each worker starts, watches and ends a run on its own
//! thread, as PR_SET_PDEATHSIG demands (it counts threads, not processes), and
//! holds a job meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread;

use super::cases::{Case, Cases};
use crate::error::{Error, Result};
use crate::ipc::Failure;
use crate::run_config::Findings;
use crate::runner::verdict::Verdict;
use crate::sync::{ignore_poison, lock};

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) verdict: Verdict,
    /// Nothing where it did not live to tell.
    pub(super) found: Option<Findings>,
    pub(super) printed: String,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Survived,
    /// It passed, and its fault affected nothing.
    NotReached,
    Failed(Failing),
}

/// How a run failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failing {
    /// What a user reads of it, on one line or more.
    pub(super) how: String,
    /// Whether it is known that the fault affected nothing.
    pub(super) missed: bool,
    /// The packet that the fault affected, as far as the run lived to tell.
    pub(super) packet: Option<String>,
}

/// What became of all.
#[derive(Debug)]
pub(super) struct Swept {
    /// By case.
    pub(super) fates: Vec<Fate>,
    /// What the first failing run printed.
    pub(super) printed: String,
}

impl Swept {
    pub(super) fn fails(&self) -> bool {
        self.fates.iter().any(|fate| matches!(fate, Fate::Failed(_)))
    }

    /// An exploration that injected nothing has shown nothing.
    pub(super) fn reaches_nothing(&self) -> bool {
        self.fates.iter().all(|fate| *fate == Fate::NotReached)
    }

    /// The cases that failed, and how; the first one first.
    pub(super) fn failing<'a>(
        &'a self,
        cases: &'a Cases<'a>,
    ) -> impl Iterator<Item = (&'a Case<'a>, &'a Failing)> {
        cases.list.iter().zip(&self.fates).filter_map(|(case, fate)| match fate {
            Fate::Failed(failing) => Some((case, failing)),
            _ => None,
        })
    }

    /// The cases whose fault affected nothing, failed ones included.
    pub(super) fn not_reached<'a>(
        &'a self,
        cases: &'a Cases<'a>,
    ) -> impl Iterator<Item = &'a Case<'a>> {
        let missed = |fate: &Fate| match fate {
            Fate::Survived => false,
            Fate::NotReached => true,
            Fate::Failed(failing) => failing.missed,
        };
        cases
            .list
            .iter()
            .zip(&self.fates)
            .filter(move |(_, fate)| missed(fate))
            .map(|(case, _)| case)
    }
}

/// Runs every case by `run`, on up to `workers` threads, each of which calls `hold`
/// with its number before a run, and drops what it got after it. An error of either
/// ends the sweep: the machine's doing, not the test's.
pub(super) fn sweep<G>(
    cases: &Cases<'_>,
    workers: usize,
    hold: impl Fn(usize) -> Result<G> + Sync,
    run: impl Fn(String) -> Result<Ran> + Sync,
) -> Result<Swept> {
    let sweep = Sweep {
        cases,
        next: AtomicUsize::new(0),
        kept: Mutex::default(),
        stopped: OnceLock::new(),
    };
    let work = |worker| sweep.work(worker, &hold, &run);
    thread::scope(|scope| {
        // This thread is the first worker: there is always one.
        for worker in 1..workers.min(cases.list.len()) {
            let work = &work;
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, move || work(worker)) {
                eprintln!("nstest: note: explores on {worker} threads: the next one: {error}");
                break;
            }
        }
        work(0);
    });
    let Kept { mut fates, first } = ignore_poison(sweep.kept.into_inner());
    if let Some(error) = sweep.stopped.into_inner() {
        return Err(error);
    }
    fates.sort_unstable_by_key(|(index, _)| *index);
    let fates = fates.into_iter().map(|(_, fate)| fate).collect();
    Ok(Swept { fates, printed: first.map(|(_, printed)| printed).unwrap_or_default() })
}

struct Sweep<'a> {
    cases: &'a Cases<'a>,
    next: AtomicUsize,
    kept: Mutex<Kept>,
    stopped: OnceLock<Error>,
}

#[derive(Default)]
struct Kept {
    fates: Vec<(usize, Fate)>,
    /// Of the failing case that comes first, its index and what it printed.
    first: Option<(usize, String)>,
}

impl Sweep<'_> {
    fn work<G>(
        &self,
        worker: usize,
        hold: &impl Fn(usize) -> Result<G>,
        run: &impl Fn(String) -> Result<Ran>,
    ) {
        while self.stopped.get().is_none() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = self.cases.list.get(index) else { return };
            let ran = hold(worker).and_then(|_held| run(case.plan()));
            match ran {
                Ok(ran) => self.keep(index, ran),
                Err(error) => {
                    let _ = self.stopped.set(error); // the first one counts
                    return;
                }
            }
        }
    }

    fn keep(&self, index: usize, Ran { verdict, found, printed }: Ran) {
        let fate = match how(verdict) {
            None if found.as_ref().is_some_and(Findings::reached) => Fate::Survived,
            None => Fate::NotReached,
            Some(how) => {
                let missed = found.as_ref().is_some_and(|found| !found.reached());
                let packet = found.and_then(|found| found.injected?.packet);
                Fate::Failed(Failing { how, missed, packet })
            }
        };
        let mut kept = self.lock();
        if matches!(fate, Fate::Failed(_)) && kept.first.as_ref().is_none_or(|(i, _)| index < *i) {
            kept.first = Some((index, printed));
        }
        kept.fates.push((index, fate));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

/// In which way a run failed, if it did.
fn how(verdict: Verdict) -> Option<String> {
    Some(match verdict {
        Verdict::Passed => return None,
        Verdict::Failed(Failure::Panic(text)) => format!("panicked: {text}"),
        Verdict::Failed(Failure::PanicAny) => "panicked, with no text".to_owned(),
        Verdict::Failed(Failure::Returned(code)) => format!("returned a failure: {code}"),
        Verdict::Failed(Failure::Reported(report)) => report,
        Verdict::Broken(error) | Verdict::NotStarted(error) => error.to_string(),
    })
}

#[cfg(test)]
mod tests;
