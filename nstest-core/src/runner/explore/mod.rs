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
use super::record::TestRecord;
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
use sweep::{CaseResult, RunResult, sweep};

/// What an exploration found.
#[derive(Debug)]
pub(super) struct Explored {
    pub(super) verdict: Verdict,
    /// The first case that failed, in the order of the cases.
    pub(super) failed: Option<FailedRun>,
    /// What became of each case.
    pub(super) points: Vec<ExploredPoint>,
}

/// A run that failed, of a case of an exploration.
#[derive(Debug)]
pub(super) struct FailedRun {
    pub(super) plan: String,
    /// How it failed.
    pub(super) how: String,
    pub(super) record: TestRecord,
}

/// What became of a case.
#[derive(Debug)]
pub(super) struct ExploredPoint {
    pub(super) point: String,
    /// The packet at this point in the census, as text.
    pub(super) packet: String,
    pub(super) fault: String,
    pub(super) outcome: &'static str,
}

impl From<Verdict> for Explored {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, failed: None, points: Vec::new() }
    }
}

/// Runs a test with each fault at each point of its census.
pub(super) fn explore(
    test: &Test,
    exploration: &Exploration,
    name: &str,
    settings: &Settings,
    points: &[FoundPoint],
) -> Result<Explored> {
    let run_config = &settings.run_config;
    if points.is_empty() {
        return Ok(Verdict::Broken(no_points()).into());
    }
    let jobs = Jobs::of_this_run(exploration.jobs)?;
    let cases = Cases::of(points, &exploration.explore, run_config.seed)?;
    if cases.list.is_empty() {
        return Ok(Verdict::Broken(
            no_points()
                .source("only TCP connections can be reset, and the test has none")
                .help("add a fault that affects any packet, such as `drop`"),
        )
        .into());
    }
    let run = |plan: Plan| {
        let run_config = RunConfig { plan: Some(plan.to_string()), census: false, ..*run_config };
        let launch =
            Launch { run_config, output: BodyOutput::Kept, ..Launch::of(test, name, settings) };
        let mut observed = launch.start()?.watch();
        let (found, printed) = (observed.found.take(), std::mem::take(&mut observed.printed));
        let record = std::mem::take(&mut observed.record);
        Ok(RunResult { verdict: observed.verdict(name, false), found, printed, record })
    };
    let mut results = sweep(&cases, jobs.count(), |worker| jobs.acquire(worker), run)?;
    let record = std::mem::take(&mut results.record);
    let report = Report { name, seed: run_config.seed, cases: &cases, results: &results };
    let verdict = match results.any_failed() {
        _ if results.none_reached() => Verdict::Broken(report.none_reached()),
        false => {
            print!("{}", report.passed());
            Verdict::Passed
        }
        true => Verdict::Failed(Failure::Reported(report.failed(&rerun::selection(test)))),
    };
    let failed = results.failed(&cases).next().map(|(case, failure)| FailedRun {
        plan: case.plan().to_string(),
        how: failure.text.clone(),
        record,
    });
    let cases = cases.list.iter().zip(&results.list);
    let points = cases.map(|(case, result)| ExploredPoint {
        point: case.point.to_string(),
        packet: case.packet.to_owned(),
        fault: case.fault.to_string(),
        outcome: match result {
            CaseResult::Passed => "passed",
            CaseResult::NotReached => "not-reached",
            CaseResult::Failed(_) => "failed",
        },
    });
    Ok(Explored { verdict, failed, points: points.collect() })
}

fn no_points() -> Error {
    Error::new(ErrorCode::Exploration, "explore the test: find a point at which to inject a fault")
        .source("no packet crossed a link in the run without faults")
        .help("give the test a node as a parameter (`server: Node`), and exchange packets with it")
}
