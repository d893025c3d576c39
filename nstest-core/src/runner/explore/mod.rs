//! Exploration: the same test again, with one fault at one point of it at a time.
//!
//! The *census*, a run without faults, has said which points there are. From
//! them and the faults of the attribute follow the [`cases`], each a plan as
//! text; a [sweep](mod@sweep) runs them, as many at a time as the [`jobs`] of the whole
//! test run allow; the [`report`] says what became of them.

mod cases;
mod jobs;
mod report;
mod sweep;

use super::parent::launch::{BodyOutput, Launch};
use super::settings::{Exploration, Settings};
use super::test::Test;
use super::verdict::Verdict;
use crate::error::{Error, ErrorCode, Result};
use crate::ipc::Failure;
use crate::run_config::{FoundPoint, RunConfig};
use cases::Cases;
use jobs::Jobs;
use report::Report;
use sweep::{Ran, sweep};

/// Runs a test with each fault at each of the points that its census has found.
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
    let cases = Cases::of(points, &exploration.explore, run_config.seed);
    if cases.list.is_empty() {
        return Ok(Verdict::Broken(
            no_points().source("only TCP can be reset, and the test has none"),
        ));
    }
    let run = |plan: String| {
        let run_config = RunConfig { plan: Some(plan), census: false, ..*run_config };
        let launch =
            Launch { run_config, output: BodyOutput::Kept, ..Launch::of(test, name, settings) };
        let mut observed = launch.start()?.watch();
        let (found, printed) = (observed.found.take(), std::mem::take(&mut observed.printed));
        Ok(Ran { verdict: observed.verdict(name), found, printed })
    };
    let swept = sweep(&cases, jobs.count(), |worker| jobs.hold(worker), run)?;
    let package = std::env::var("CARGO_PKG_NAME").ok();
    let report = Report { name, package, seed: run_config.seed, cases: &cases, swept: &swept };
    Ok(match swept.fails() {
        _ if swept.reaches_nothing() => Verdict::Broken(report.nothing_reached()),
        false => {
            print!("{}", report.survived());
            Verdict::Passed
        }
        true => Verdict::Failed(Failure::Reported(report.failed())),
    })
}

fn no_points() -> Error {
    Error::new(ErrorCode::Exploration, "explore the test: find a point at which to inject a fault")
        .source("in its run without faults no packet went over its network")
        .help("let the test take its nodes as parameters (`server: Node`), and talk to them")
}
