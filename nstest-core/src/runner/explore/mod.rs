//! Exploration: runs a test again and again, each time with one fault at one point.
//!
//! A first run without faults, the *census*, has listed the points. [`cases`] combines them
//! with the faults of the attribute; each case is a fault plan. [`sweep`](mod@sweep) runs the
//! cases, [`jobs`] limits how many run at a time, and [`report`] prints the results.

mod cases;
mod jobs;
mod report;
mod sweep;

use super::parent::launch::{BodyOutput, Launch};
use super::rerun;
use super::settings::{Exploration, Settings};
use super::test::Test;
use super::verdict::Verdict;
use crate::error::{Error, ErrorCode, Result};
use crate::fault::Plan;
use crate::ipc::Failure;
use crate::run_config::{FoundPoint, RunConfig};
use cases::Cases;
use jobs::Jobs;
use report::Report;
use sweep::{RunResult, sweep};

/// Runs a test with each fault at each point of its census.
pub(super) fn explore(
    test: &Test,
    exploration: &Exploration,
    name: &str,
    settings: &Settings,
    points: &[FoundPoint],
) -> Result<Verdict> {
    let run_config = &settings.run_config;
    if points.is_empty() {
        return Ok(Verdict::Broken(no_points()));
    }
    let jobs = Jobs::of_this_run(exploration.jobs)?;
    let cases = Cases::of(points, &exploration.explore, run_config.seed)?;
    if cases.list.is_empty() {
        return Ok(Verdict::Broken(
            no_points()
                .source("only TCP connections can be reset, and the test has none")
                .help("add a fault that affects any packet, such as `drop`"),
        ));
    }
    let run = |plan: Plan| {
        let run_config = RunConfig { plan: Some(plan.to_string()), census: false, ..*run_config };
        let launch =
            Launch { run_config, output: BodyOutput::Kept, ..Launch::of(test, name, settings) };
        let mut observed = launch.start()?.watch();
        let (found, printed) = (observed.found.take(), std::mem::take(&mut observed.printed));
        Ok(RunResult { verdict: observed.verdict(name, false), found, printed })
    };
    let results = sweep(&cases, jobs.count(), |worker| jobs.acquire(worker), run)?;
    let report = Report { name, seed: run_config.seed, cases: &cases, results: &results };
    Ok(match results.any_failed() {
        _ if results.none_reached() => Verdict::Broken(report.none_reached()),
        false => {
            print!("{}", report.passed());
            Verdict::Passed
        }
        true => Verdict::Failed(Failure::Reported(report.failed(&rerun::target_arguments(test)))),
    })
}

fn no_points() -> Error {
    Error::new(ErrorCode::Exploration, "explore the test: find a point at which to inject a fault")
        .source("no packet crossed a link in the run without faults")
        .help("give the test a node as a parameter (`server: Node`), and exchange packets with it")
}
