//! Exploration: the same test again, with one fault at one point of it at a time.
//!
//! The *census*, a run without faults, has said which points there are. From
//! them and the faults of the attribute follow the [`cases`], each a plan as
//! text; a [`sweep`] runs them, as many at a time as the [`jobs`] of the whole
//! test run allow; the [`report`] says what became of them.

mod cases;
mod jobs;
mod report;
mod sweep;

use std::time::Duration;

use super::parent::{Output, launch};
use super::verdict::Verdict;
use super::{Explore, Test, Timeout, settings};
use crate::error::{Code, Error, Result};
use crate::orders::{FoundPoint, Orders};
use crate::record::Failure;
use cases::Cases;
use jobs::Jobs;
use report::Report;
use sweep::{Ran, sweep};

/// Runs a test, whose census took that long, at each of its points.
pub(super) fn explore(
    test: &Test,
    explore: &Explore,
    name: &str,
    orders: &Orders,
    points: &[FoundPoint],
    took: Duration,
) -> Result<Verdict> {
    if points.is_empty() {
        return Ok(Verdict::Broken(no_points()));
    }
    let limit = limit(test.options.timeout, took)?;
    let jobs = Jobs::of_this_run(settings::jobs()?)?;
    let cases = Cases::of(points, explore, orders.seed);
    let run = |plan: String| {
        let orders = Orders { plan: Some(plan), census: false, ..*orders };
        let mut course = launch(test, name, &orders, limit, Output::Kept).run()?;
        let (found, printed) = (course.found.take(), std::mem::take(&mut course.printed));
        Ok(Ran { verdict: course.verdict(name), found, printed })
    };
    let swept = sweep(&cases, jobs.count(), |worker| jobs.hold(worker), run)?;
    let package = std::env::var("CARGO_PKG_NAME").ok();
    let report = Report { name, package, seed: orders.seed, cases: &cases, swept: &swept };
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
    Error::new(Code::Exploration, "explore the test: find a point at which to inject a fault")
        .source("in its run without faults no packet went over its network")
        .help("let the test take its nodes as parameters (`server: Node`), and talk to them")
}

/// How long a run may take: what the attribute says; else less than the default,
/// since it is many runs, and a fault may make each of them hang. Long enough for a
/// few retransmissions: a lost SYN is sent again after 1, 3 and 7 s (RFC 6298 §2,
/// §5.7), a query for a name after 5 s (resolv.conf(5)).
fn limit(asked: Timeout, took: Duration) -> Result<Option<Duration>> {
    let own = settings::timeout(asked)?;
    if asked != Timeout::Default {
        return Ok(own);
    }
    Ok(shorter(own, settings::timeout(Timeout::After(RUN))?, took))
}

/// The least that a run gets which says nothing else; documented on the facade.
const RUN: Duration = Duration::from_secs(10);

fn shorter(own: Option<Duration>, least: Option<Duration>, took: Duration) -> Option<Duration> {
    own.zip(least).map(|(own, least)| own.min(least.max(took.saturating_mul(4))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_gets_four_times_the_census_within_bounds() {
        let seconds = Duration::from_secs;
        let of = |own, took| shorter(Some(seconds(own)), Some(RUN), seconds(took));
        assert_eq!(of(60, 0), Some(RUN));
        assert_eq!(of(60, 4), Some(seconds(16)));
        assert_eq!(of(60, 40), Some(seconds(60)));
        assert_eq!(of(6, 1), Some(seconds(6)));
        assert_eq!(shorter(None, None, seconds(1)), None);
    }

    #[test]
    fn a_timeout_of_the_attribute_is_that_of_each_run() {
        let five = Duration::from_secs(5);
        let limit = limit(Timeout::After(five), Duration::from_secs(60)).unwrap();
        assert_eq!(limit, Some(five));
    }
}
