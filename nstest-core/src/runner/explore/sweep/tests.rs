use std::sync::{Barrier, Condvar};

use super::*;
use crate::error::ErrorCode;
use crate::run_config::{FoundPoint, PlanOutcome};
use crate::runner::test::Explore;

const EXPLORE: Explore = Explore { faults: &["reset", "drop"], max: None };

fn points(count: usize) -> Vec<FoundPoint> {
    let point = |n| FoundPoint { point: format!("p{n}"), packet: format!("packet {n}") };
    (0..count).map(point).collect()
}

fn found(reached: bool) -> Option<Findings> {
    let injected = Some(PlanOutcome { reached, packet: None });
    Some(Findings { injected, ..Findings::default() })
}

fn passed(reached: bool) -> Ran {
    Ran { verdict: Verdict::Passed, found: found(reached), printed: String::new() }
}

fn failed(text: &str) -> Ran {
    let verdict = Verdict::Failed(Failure::Panic(text.to_owned()));
    Ran { verdict, found: None, printed: format!("printed by {text}") }
}

fn free(_: usize) -> Result<()> {
    Ok(())
}

#[test]
fn fates_are_in_the_order_of_the_cases_whoever_ends_first() {
    let points = points(3);
    let cases = Cases::of(&points, &EXPLORE, 1);
    // The first case ends last: it waits until the five others have.
    let (others, ended) = (Mutex::new(0), Condvar::new());
    let swept = sweep(&cases, 2, free, |plan| {
        let mut others = others.lock().unwrap();
        if plan == "p0: then reset" {
            drop(ended.wait_while(others, |others| *others < 5).unwrap());
            return Ok(failed("first"));
        }
        *others += 1;
        ended.notify_all();
        Ok(match plan.as_str() {
            "p1: drop" => failed("second"),
            "p2: then reset" => passed(false),
            _ => passed(true),
        })
    });
    let swept = swept.unwrap();
    let failing = |how: &str| {
        Fate::Failed(Failing { how: format!("panicked: {how}"), missed: false, packet: None })
    };
    let (survived, missed) = (Fate::Survived, Fate::NotReached);
    assert_eq!(
        swept.fates,
        [failing("first"), survived.clone(), survived.clone(), failing("second"), missed, survived]
    );
    assert_eq!(swept.printed, "printed by first");
    assert!(swept.fails() && !swept.reaches_nothing());
    let plans: Vec<_> = swept.failing(&cases).map(|(case, _)| case.plan()).collect();
    assert_eq!(plans, ["p0: then reset", "p1: drop"]);
    let plans: Vec<_> = swept.not_reached(&cases).map(Case::plan).collect();
    assert_eq!(plans, ["p2: then reset"]);
}

#[test]
fn a_run_that_tells_nothing_is_not_known_to_have_met_its_point() {
    let points = points(1);
    let cases = Cases::of(&points, &EXPLORE, 1);
    let swept = sweep(&cases, 1, free, |_| Ok(Ran { found: None, ..passed(true) })).unwrap();
    assert!(swept.reaches_nothing());
    let swept = sweep(&cases, 1, free, |_| Ok(Ran { found: found(false), ..failed("x") })).unwrap();
    assert!(!swept.reaches_nothing());
    assert_eq!(swept.not_reached(&cases).count(), 2);
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
    let cases = Cases::of(&points, &EXPLORE, 1);
    let gauge = Gauge::default();
    // Two by two: there are as many at a time as workers.
    let both = Barrier::new(2);
    let hold = |worker| {
        assert!(worker < 2);
        Ok(gauge.enter())
    };
    let swept = sweep(&cases, 2, hold, |_| {
        both.wait();
        Ok(passed(true))
    });
    assert_eq!(swept.unwrap().fates, vec![Fate::Survived; 60]);
    assert_eq!(gauge.most(), 2);
    assert_eq!(gauge.0.lock().unwrap().0, 0);
}

#[test]
fn there_are_no_more_workers_than_cases() {
    let points = points(1);
    let cases = Cases::of(&points, &EXPLORE, 1);
    let hold = |worker| {
        assert!(worker < 2);
        Ok(())
    };
    sweep(&cases, 1000, hold, |_| Ok(passed(true))).unwrap();
}

#[test]
fn what_the_machine_refuses_ends_the_sweep() {
    let points = points(100);
    let cases = Cases::of(&points, &EXPLORE, 1);
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
