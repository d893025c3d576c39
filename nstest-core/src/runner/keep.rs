//! Keeps the record of a failed test in the target directory, and says what it shows.
//!
//! What cannot be written is a note. The verdict stays as it is.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use super::explore::{Explored, FailedRun};
use super::record::TestRecord;
use super::recorded_run::{RecordedRun, RunSummary};
use super::rerun;
use super::settings::{RecordPolicy, Settings};
use super::test::Test;
use super::verdict::{SeededVerdict, Verdict};
use crate::evidence::card::Card;
use crate::evidence::difference::difference;
use crate::evidence::store::{Folder, Subject};
use crate::evidence::timeline::TimelineEvent;

/// The line between the verdict and what follows.
const HEADING: &str = "=== nstest: what happened ===";

/// The directory of the run without faults, in that of an exploration's first failure.
const CENSUS: &str = "census";

/// Keeps the record of a test that libtest knows by `name`, if it failed or the user asked
/// for all.
pub(super) fn keep(
    test: &Test,
    name: &str,
    settings: &Settings,
    record: TestRecord,
    verdict: &mut SeededVerdict,
) {
    let failed = verdict.verdict.is_failure(test.options.should_panic);
    let policy = settings.record.policy;
    if policy == RecordPolicy::Off || !failed && policy != RecordPolicy::All {
        return;
    }
    let summary = summary(test, name, settings, verdict, !failed);
    let Some(run) = RecordedRun::of(summary, record) else { return };
    verdict.evidence = Some(write(name, &run, None, None));
}

/// Keeps the records of an exploration that found a failure: that of the first run that failed,
/// and that of the run without faults, the census.
pub(super) fn keep_exploration(
    test: &Test,
    name: &str,
    settings: &Settings,
    census: TestRecord,
    explored: Explored,
    verdict: &mut SeededVerdict,
) {
    let Some(FailedRun { plan, how, record }) = explored.failed else { return };
    let summary = summary(test, name, settings, verdict, true);
    let failed = RunSummary {
        plan: Some(plan),
        seed_matters: true,
        passed: false,
        verdict: how,
        ..summary.clone()
    };
    let (Some(mut census), Some(mut failed)) =
        (RecordedRun::of(summary, census), RecordedRun::of(failed, record))
    else {
        return;
    };
    let points: Vec<_> = explored
        .points
        .into_iter()
        .map(|point| TimelineEvent::ExplorationPoint {
            packet: census.packet(&point.packet),
            point: point.point,
            fault: point.fault,
            outcome: point.outcome.to_owned(),
        })
        .collect();
    census.add(points);
    let difference = difference(&census.story(None), &failed.story(None));
    let difference = difference.map(|text| format!("first difference: {text}"));
    failed.add(difference.clone().map(|text| TimelineEvent::Note { text }));
    verdict.evidence = Some(write(name, &failed, Some(&census), difference.as_deref()));
}

fn summary<'a>(
    test: &'a Test,
    name: &'a str,
    settings: &Settings,
    verdict: &SeededVerdict,
    passed: bool,
) -> RunSummary<'a> {
    let run_config = &settings.run_config;
    RunSummary {
        test,
        name,
        target: rerun::target_arguments(test),
        plan: run_config.plan.clone(),
        seed: run_config.seed,
        seed_matters: verdict.seed.is_some(),
        passed,
        verdict: if passed { Verdict::Passed.describe() } else { verdict.verdict.describe() },
    }
}

/// Writes the files of a run, and returns what is printed.
fn write(
    name: &str,
    run: &RecordedRun<'_>,
    census: Option<&RecordedRun<'_>>,
    difference: Option<&str>,
) -> String {
    let folder = folder(name);
    let path = folder.as_ref().ok().map(|folder| folder.path().to_owned());
    let card = Card::of(&run.story(path.as_deref()));
    let written = folder.and_then(|folder| write_into(folder, run, &card, census));
    let place = match written {
        Ok(path) => format!("nstest: record in {0}\n[[ATTACHMENT|{0}]]", path.display()),
        Err(error) => format!("nstest: no record: {error}"),
    };
    let difference = difference.map(|text| format!("{text}\n")).unwrap_or_default();
    format!("{HEADING}\n{}{difference}{place}", card.text(has_colour()))
}

/// Whether the card is for a terminal, and the user has not declined colour (no-color.org).
fn has_colour() -> bool {
    let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !declined
}

fn write_into(
    folder: Folder,
    run: &RecordedRun<'_>,
    card: &Card,
    census: Option<&RecordedRun<'_>>,
) -> io::Result<PathBuf> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    files.extend(run.files(card)?.into_iter().map(|(name, content)| (name.into(), content)));
    if let Some(census) = census {
        let card = Card::of(&census.story(Some(&folder.path().join(CENSUS))));
        let of_census = census.files(&card)?.into_iter();
        files.extend(of_census.map(|(name, content)| (PathBuf::from(CENSUS).join(name), content)));
    }
    let bytes = files.iter().map(|(_, content)| content.len() as u64).sum();
    folder.reserve(&this_run(), bytes)?;
    files.iter().try_for_each(|(name, content)| folder.write(name, content))?;
    folder.finish()
}

/// The test binary. It may be gone, or rebuilt, by now.
fn binary() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(text.map_or_else(|| path.clone(), PathBuf::from))
}

fn folder(name: &str) -> io::Result<Folder> {
    Folder::create(Subject {
        binary: &binary()?,
        package: std::env::var("CARGO_PKG_NAME").ok().as_deref(),
        test: name,
        attempt: &attempt(),
    })
}

/// Which run of the test this is, where nextest repeats it: after a failure, or in a stress run.
fn attempt() -> String {
    let number = |name| std::env::var(name).ok().filter(|value| value.parse::<u32>().is_ok());
    let attempt = number("NEXTEST_ATTEMPT").unwrap_or_else(|| "1".to_owned());
    match number("NEXTEST_STRESS_CURRENT") {
        Some(stress) => format!("{stress}.{attempt}"),
        None => attempt,
    }
}

/// What the processes of one test run have in common, and those of others do not: nextest's
/// run, or the process of cargo.
fn this_run() -> String {
    let of_nextest = std::env::var("NEXTEST_RUN_ID").ok();
    of_nextest.unwrap_or_else(|| std::os::unix::process::parent_id().to_string())
}
