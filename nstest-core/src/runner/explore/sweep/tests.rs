use std::sync::{Barrier, Condvar};

use super::*;
use crate::error::ErrorCode;
use crate::fault::{Action, ExploreFault};
use crate::run_config::{FoundPoint, PlanOutcome};
use crate::runner::test::Explore;

const EXPLORE: Explore = Explore { faults: &[RESET, DROP], max: None };
const RESET: ExploreFault = ExploreFault { then: false, action: Action::Reset };
const DROP: ExploreFault = ExploreFault { then: false, action: Action::Drop };

const POINT: &str = "server egress tcp port 7000 #1 data nth ";

fn points(count: usize) -> Vec<FoundPoint> {
    let point = |n| FoundPoint { point: format!("{POINT}{n}"), packet: format!("packet {n}") };
    (1..=count).map(point).collect()
}

/// A plan without what all plans here have in common: `1: reset`.
fn short(plan: &Plan) -> String {
    plan.to_string().strip_prefix(POINT).expect("all are at one of the points").to_owned()
}

fn found(reached: bool) -> Option<Findings> {
    let unmatched = if reached { Vec::new() } else { vec!["the fault".to_owned()] };
    let injected = Some(PlanOutcome { unmatched, packet: None });
    Some(Findings { injected, ..Findings::default() })
}

fn passed(reached: bool) -> RunResult {
    RunResult {
        verdict: Verdict::Passed,
        found: found(reached),
        printed: String::new(),
        record: TestRecord::default(),
    }
}

fn failed(text: &str) -> RunResult {
    let verdict = Verdict::Failed(Failure::Panic(text.to_owned()));
    let printed = format!("printed by {text}");
    RunResult { verdict, found: None, printed, record: TestRecord::default() }
}

fn free(_: usize) -> Result<()> {
    Ok(())
}

#[test]
fn results_are_in_the_order_of_the_cases() {
    let points = points(3);
    let cases = Cases::of(&points, &EXPLORE, 1).unwrap();
    // The first case ends last: it waits until the five others have.
    let (others, ended) = (Mutex::new(0), Condvar::new());
    let results = sweep(&cases, 2, free, |plan| {
        let mut others = others.lock().unwrap();
        if short(&plan) == "1: reset" {
            drop(ended.wait_while(others, |others| *others < 5).unwrap());
            return Ok(failed("first"));
        }
        *others += 1;
        ended.notify_all();
        Ok(match short(&plan).as_str() {
            "2: drop" => failed("second"),
            "3: reset" => passed(false),
            _ => passed(true),
        })
    });
    let results = results.unwrap();
    let failure = |text: &str| {
        let text = format!("panicked: {text}");
        CaseResult::Failed(CaseFailure { text, not_reached: false, packet: None })
    };
    let expected = [
        failure("first"),
        CaseResult::Passed,
        CaseResult::Passed,
        failure("second"),
        CaseResult::NotReached,
        CaseResult::Passed,
    ];
    assert_eq!(results.list, expected);
    assert_eq!(results.printed, "printed by first");
    assert!(results.any_failed() && !results.none_reached());
    let plans: Vec<_> = results.failed(&cases).map(|(case, _)| short(&case.plan())).collect();
    assert_eq!(plans, ["1: reset", "2: drop"]);
    let plans: Vec<_> = results.not_reached(&cases).map(|case| short(&case.plan())).collect();
    assert_eq!(plans, ["3: reset"]);
}

#[test]
fn a_run_without_findings_did_not_reach_its_point() {
    let points = points(1);
    let cases = Cases::of(&points, &EXPLORE, 1).unwrap();
    let results =
        sweep(&cases, 1, free, |_| Ok(RunResult { found: None, ..passed(true) })).unwrap();
    assert!(results.none_reached());
    let results =
        sweep(&cases, 1, free, |_| Ok(RunResult { found: found(false), ..failed("x") })).unwrap();
    assert!(!results.none_reached());
    assert_eq!(results.not_reached(&cases).count(), 2);
}

/// Counts how many there are at a time.
#[derive(Default)]
struct Gauge(Mutex<(usize, usize)>);

struct Inside<'a>(&'a Gauge);

impl Gauge {
    fn enter(&self) -> Inside<'_> {
        let mut counts = self.0.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Inside(self)
    }

    fn most(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().0 -= 1;
    }
}

#[test]
fn every_worker_holds_a_job_while_it_runs_and_no_longer() {
    let points = points(30);
    let cases = Cases::of(&points, &EXPLORE, 1).unwrap();
    let gauge = Gauge::default();
    // Two by two: there are as many at a time as workers.
    let both = Barrier::new(2);
    let hold = |worker| {
        assert!(worker < 2);
        Ok(gauge.enter())
    };
    let results = sweep(&cases, 2, hold, |_| {
        both.wait();
        Ok(passed(true))
    });
    assert_eq!(results.unwrap().list, vec![CaseResult::Passed; 60]);
    assert_eq!(gauge.most(), 2);
    assert_eq!(gauge.0.lock().unwrap().0, 0);
}

#[test]
fn there_are_no_more_workers_than_cases() {
    let points = points(1);
    let cases = Cases::of(&points, &EXPLORE, 1).unwrap();
    let hold = |worker| {
        assert!(worker < 2);
        Ok(())
    };
    sweep(&cases, 1000, hold, |_| Ok(passed(true))).unwrap();
}

#[test]
fn an_error_of_the_machine_ends_the_sweep() {
    let points = points(100);
    let cases = Cases::of(&points, &EXPLORE, 1).unwrap();
    let refused = || Error::new(ErrorCode::Nproc, "start the test");
    let runs = AtomicUsize::new(0);
    let run = |_| {
        runs.fetch_add(1, Ordering::Relaxed);
        Err(refused())
    };
    let error = sweep(&cases, 2, free, run).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Nproc);
    assert!(runs.into_inner() <= 2);
    let held = |_| -> Result<()> { Err(refused()) };
    let error = sweep(&cases, 2, held, |_| panic!("without a job")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Nproc);
}
