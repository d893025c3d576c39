//! Running the cases of an exploration, several at a time.
//!
//! The function that runs one case is a parameter, so that order, limit and failures are
//! tested without processes. Each worker starts, watches and ends its runs on one thread,
//! because PR_SET_PDEATHSIG counts threads, not processes. It holds a job during a run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use super::cases::{Case, Cases};
use crate::error::{Error, Result};
use crate::fault::Plan;
use crate::ipc::Failure;
use crate::run_config::Findings;
use crate::runner::record::TestRecord;
use crate::runner::verdict::Verdict;
use crate::sync::{ignore_poison, lock};

/// A run that has ended.
#[derive(Debug)]
pub(super) struct RunResult {
    pub(super) verdict: Verdict,
    /// `None` if the run ended before it reported any.
    pub(super) found: Option<Findings>,
    pub(super) printed: String,
    pub(super) record: TestRecord,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CaseResult {
    Passed,
    /// It passed, and its fault affected no packet.
    NotReached,
    Failed(CaseFailure),
}

/// How a case failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CaseFailure {
    /// The failure as text, of one line or more.
    pub(super) text: String,
    /// Whether the run reported that its fault affected no packet.
    pub(super) not_reached: bool,
    /// The packet that the fault affected, if the run reported it.
    pub(super) packet: Option<String>,
}

/// The results of all cases.
#[derive(Debug)]
pub(super) struct Results {
    /// In the order of the cases.
    pub(super) list: Vec<CaseResult>,
    /// The output of the first case that failed.
    pub(super) printed: String,
    /// The record of that case.
    pub(super) record: TestRecord,
}

impl Results {
    pub(super) fn any_failed(&self) -> bool {
        self.list.iter().any(|result| matches!(result, CaseResult::Failed(_)))
    }

    /// Whether no run reached its point. Such an exploration has tested nothing.
    pub(super) fn none_reached(&self) -> bool {
        self.list.iter().all(|result| *result == CaseResult::NotReached)
    }

    /// The cases that failed, in order.
    pub(super) fn failed<'a>(
        &'a self,
        cases: &'a Cases<'a>,
    ) -> impl Iterator<Item = (&'a Case<'a>, &'a CaseFailure)> {
        cases.list.iter().zip(&self.list).filter_map(|(case, result)| match result {
            CaseResult::Failed(failure) => Some((case, failure)),
            _ => None,
        })
    }

    /// The cases whose fault affected no packet, including those that failed.
    pub(super) fn not_reached<'a>(
        &'a self,
        cases: &'a Cases<'a>,
    ) -> impl Iterator<Item = &'a Case<'a>> {
        let not_reached = |result: &CaseResult| match result {
            CaseResult::Passed => false,
            CaseResult::NotReached => true,
            CaseResult::Failed(failure) => failure.not_reached,
        };
        let both = cases.list.iter().zip(&self.list);
        both.filter(move |(_, result)| not_reached(result)).map(|(case, _)| case)
    }
}

/// Runs every case with `run`, on up to `workers` threads. Before each run, a thread calls
/// `acquire` with its number, and drops the returned value after the run.
///
/// # Errors
/// The first error of `acquire` or `run`. It ends the sweep: the machine failed, not the
/// test.
pub(super) fn sweep<G>(
    cases: &Cases<'_>,
    workers: usize,
    acquire: impl Fn(usize) -> Result<G> + Sync,
    run: impl Fn(Plan) -> Result<RunResult> + Sync,
) -> Result<Results> {
    let sweep = Sweep {
        cases,
        next: AtomicUsize::new(0),
        collected: Mutex::default(),
        error: OnceLock::new(),
    };
    let work = |worker| sweep.work(worker, &acquire, &run);
    thread::scope(|scope| {
        // The calling thread is the first worker, so there is always one.
        for worker in 1..workers.min(cases.list.len()) {
            let work = &work;
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, move || work(worker)) {
                eprintln!("nstest: note: exploring on {worker} threads only: {error}");
                break;
            }
        }
        work(0);
    });
    let Collected { mut results, first } = ignore_poison(sweep.collected.into_inner());
    if let Some(error) = sweep.error.into_inner() {
        return Err(error);
    }
    results.sort_unstable_by_key(|(index, _)| *index);
    let list = results.into_iter().map(|(_, result)| result).collect();
    let (printed, record) = first.map(|(_, run)| run).unwrap_or_default();
    Ok(Results { list, printed, record })
}

/// A sweep in progress.
struct Sweep<'a> {
    cases: &'a Cases<'a>,
    next: AtomicUsize,
    collected: Mutex<Collected>,
    error: OnceLock<Error>,
}

#[derive(Default)]
struct Collected {
    results: Vec<(usize, CaseResult)>,
    /// Of the failed case with the lowest index: that index, its output and its record.
    first: Option<(usize, (String, TestRecord))>,
}

impl Sweep<'_> {
    fn work<G>(
        &self,
        worker: usize,
        acquire: &impl Fn(usize) -> Result<G>,
        run: &impl Fn(Plan) -> Result<RunResult>,
    ) {
        while self.error.get().is_none() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = self.cases.list.get(index) else { return };
            match acquire(worker).and_then(|_job| run(case.plan())) {
                Ok(result) => self.collect(index, result),
                Err(error) => {
                    let _ = self.error.set(error); // the first one is reported
                    return;
                }
            }
        }
    }

    fn collect(&self, index: usize, run: RunResult) {
        let RunResult { verdict, found, printed, record } = run;
        let result = match failure_text(verdict) {
            None if found.as_ref().is_some_and(Findings::reached) => CaseResult::Passed,
            None => CaseResult::NotReached,
            Some(text) => {
                let not_reached = found.as_ref().is_some_and(|found| !found.reached());
                let packet = found.and_then(|found| found.injected?.packet);
                CaseResult::Failed(CaseFailure { text, not_reached, packet })
            }
        };
        let mut collected = lock(&self.collected);
        let is_first = collected.first.as_ref().is_none_or(|(first, _)| index < *first);
        if matches!(result, CaseResult::Failed(_)) && is_first {
            collected.first = Some((index, (printed, record)));
        }
        collected.results.push((index, result));
    }
}

/// How a run failed, if it did.
fn failure_text(verdict: Verdict) -> Option<String> {
    Some(match verdict {
        Verdict::Passed => return None,
        Verdict::Failed(Failure::Panic(text)) => format!("panicked: {text}"),
        Verdict::Failed(Failure::PanicAny) => "panicked without a message".to_owned(),
        Verdict::Failed(Failure::Returned(None) | Failure::Error(_)) => {
            "returned an error".to_owned()
        }
        Verdict::Failed(Failure::Returned(Some(code))) => format!("returned the exit code {code}"),
        Verdict::Failed(Failure::Reported(report)) => report,
        Verdict::Broken(error) | Verdict::NotStarted(error) => error.to_string(),
    })
}

#[cfg(test)]
mod tests;
