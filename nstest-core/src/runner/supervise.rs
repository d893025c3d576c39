//! The parent's way through a test: launch, watch, verdict, and exploration if the test
//! has one.

use std::io::Write;

use super::explore::explore;
use super::keep::{keep, keep_exploration};
use super::parent::environment::refuse_stale_environment;
use super::parent::launch::Launch;
use super::record::TestRecord;
use super::settings::Settings;
use super::test::Test;
use super::verdict::{SeededVerdict, Verdict, interrupted};
use crate::error::Result;
use crate::run_config::FoundPoint;
use crate::sys::termination::{self, Work};

/// Runs a test in a process of its own.
pub(super) fn supervise(test: &Test, settings: &Settings) -> SeededVerdict {
    let work = settings.record.is_on().then(Work::begin);
    let verdict = attempt(test, settings).unwrap_or_else(|error| Verdict::Broken(error).into());
    if let (Some(work), Some(_)) = (work, termination::arrived()) {
        print_interrupted(test, &verdict);
        work.end_process();
    }
    verdict
}

/// Prints past libtest's capture, which is lost when the process ends.
fn print_interrupted(test: &Test, verdict: &SeededVerdict) {
    if verdict.verdict.is_failure(test.options.should_panic) {
        let evidence = verdict.evidence.as_deref().unwrap_or_default();
        let text = format!("nstest: {}: {}\n{evidence}\n", test.path(), verdict.verdict.describe());
        // It fails if standard error is closed; then there is nowhere to print.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

fn attempt(test: &Test, settings: &Settings) -> Result<SeededVerdict> {
    refuse_stale_environment()?;
    let names = test.names();
    test.refuse_second_call(&names[0])?;
    let mut not_started = None;
    for name in &names {
        let mut observed = Launch::of(test, name, settings).start()?.watch();
        let (points, record) = (observed.take_points(), std::mem::take(&mut observed.record));
        let should_panic = test.options.should_panic.is_some();
        match SeededVerdict::of(observed, name, should_panic, settings) {
            // libtest may know the test by the next name.
            SeededVerdict { verdict: Verdict::NotStarted(error), .. } => {
                not_started.get_or_insert(error);
            }
            verdict => return after_census(test, name, settings, verdict, &points, record),
        }
    }
    Ok(not_started.map_or(Verdict::Passed, Verdict::NotStarted).into())
}

/// Explores the test, if its attribute asks for it and its run without faults passed. Keeps
/// what was recorded of a failure.
fn after_census(
    test: &Test,
    name: &str,
    settings: &Settings,
    mut verdict: SeededVerdict,
    points: &[FoundPoint],
    record: TestRecord,
) -> Result<SeededVerdict> {
    match (&settings.exploration, &verdict.verdict) {
        (Some(exploration), Verdict::Passed) => {
            let mut explored = explore(test, exploration, name, settings, points)?;
            if let Some(signal) = termination::arrived() {
                return Ok(Verdict::Broken(interrupted(signal)).into());
            }
            verdict.verdict = std::mem::replace(&mut explored.verdict, Verdict::Passed);
            keep_exploration(test, name, settings, record, explored, &mut verdict);
        }
        (exploration, _) => {
            if exploration.is_some() {
                eprintln!("nstest: nothing was explored: the test fails in its run without faults");
            }
            keep(test, name, settings, record, &mut verdict);
        }
    }
    Ok(verdict)
}
