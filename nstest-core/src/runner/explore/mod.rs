//! Exploration: runs a test again and again, each time with one fault at one point.
//!
//! A first run without faults, the *census*, has listed the points. [`cases`] combines them
//! with the faults of the attribute; each case is a fault plan. [`sweep`](mod@sweep) runs the
//! cases, [`jobs`] limits how many run at a time, and [`report`] prints the results.

mod cases;
mod jobs;
mod report;
mod sweep;
mod target;

use std::path::PathBuf;

use super::parent::launch::{BodyOutput, Launch};
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
use target::Package;

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
        true => Verdict::Failed(Failure::Reported(report.failed(&target_arguments(test)))),
    })
}

fn no_points() -> Error {
    Error::new(ErrorCode::Exploration, "explore the test: find a point at which to inject a fault")
        .source("no packet crossed a link in the run without faults")
        .help("give the test a node as a parameter (`server: Node`), and exchange packets with it")
}

/// The arguments by which cargo finds the test's target: `-p shop --test orders`. Cargo and
/// nextest tell a test binary its package.
fn target_arguments(test: &Test) -> String {
    let Ok(name) = std::env::var("CARGO_PKG_NAME") else { return String::new() };
    let mut arguments = format!("-p {name} ");
    let directory = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    let exists = |file: &str| directory.join(file).is_file();
    let package = Package { name: &name, manifest: &manifest, exists: &exists };
    if let Some(argument) = target::argument(test.krate(), &package) {
        arguments.push_str(&argument);
        arguments.push(' ');
    }
    arguments
}
