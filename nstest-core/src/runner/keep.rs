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
use crate::evidence::shown;
use crate::evidence::store::{Folder, Subject, set_aside};
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
        return set_aside_if(policy != RecordPolicy::Off, test, name);
    }
    let summary = summary(test, name, settings, verdict, !failed);
    let Some(run) = RecordedRun::of(summary, record) else { return };
    verdict.evidence = Some(write(folder(test, name), &run, None, None));
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
    let Some(FailedRun { plan, how, record }) = explored.failed else {
        let passed = matches!(verdict.verdict, Verdict::Passed);
        return set_aside_if(passed && settings.record.is_on(), test, name);
    };
    let summary = summary(test, name, settings, verdict, true);
    let failed = RunSummary {
        rerun: rerun_command(test, name, Some(&plan), Some(summary.seed)),
        plan: Some(plan),
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
    let folder = folder(test, name);
    verdict.evidence = Some(write(folder, &failed, Some(&census), difference.as_deref()));
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
        name,
        binary: test.krate(),
        rerun: rerun_command(test, name, run_config.plan.as_deref(), verdict.seed),
        plan: run_config.plan.clone(),
        seed: run_config.seed,
        passed,
        keeps_output: true,
        verdict: described(test, &verdict.verdict, passed),
    }
}

fn rerun_command(test: &Test, name: &str, plan: Option<&str>, seed: Option<u64>) -> String {
    rerun::command(name, &rerun::selection(test), plan, seed)
}

/// What a record says about a verdict: a test that is meant to panic fails otherwise.
fn described(test: &Test, verdict: &Verdict, passed: bool) -> String {
    let text = if passed { Verdict::Passed.describe() } else { verdict.describe() };
    match (test.options.should_panic, verdict) {
        (Some(_), Verdict::Passed) if !passed => {
            format!("{text}, but #[should_panic] expects a panic")
        }
        (Some(expected), Verdict::Failed(_)) if !passed => {
            format!("{text}\n#[should_panic] expects `{expected}`")
        }
        _ => text,
    }
}

/// Writes the files of a run, and returns what is printed.
fn write(
    folder: io::Result<Folder>,
    run: &RecordedRun<'_>,
    census: Option<&RecordedRun<'_>>,
    difference: Option<&str>,
) -> String {
    let card = Card::of(&run.story(folder.as_ref().ok().map(Folder::path)));
    let written = folder.and_then(|folder| write_into(folder, run, &card, census));
    let (card, place) = match written {
        Ok(Written { path, lacks }) => {
            // Jenkins takes the path as it is.
            let (word, path) = (shown::path(&path), path.display());
            let place = format!("nstest: record in {word}\n{lacks}[[ATTACHMENT|{path}]]");
            (card, place)
        }
        // There is no place that the card could name.
        Err(error) => (Card::of(&run.story(None)), format!("nstest: no record: {error}")),
    };
    let difference = difference.map(|text| format!("{text}\n")).unwrap_or_default();
    format!("{HEADING}\n{}{difference}{place}", card.text(has_colour()))
}

/// Whether the card is for a terminal, and the user has not declined colour (no-color.org).
fn has_colour() -> bool {
    let declined = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !declined
}

/// A record that was written.
pub(super) struct Written {
    pub(super) path: PathBuf,
    /// A line for each file that could not be written.
    pub(super) lacks: String,
}

/// # Errors
/// If nothing could be written.
pub(super) fn write_into(
    folder: Folder,
    run: &RecordedRun<'_>,
    card: &Card,
    census: Option<&RecordedRun<'_>>,
) -> io::Result<Written> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    files.extend(run.files(card)?.into_iter().map(|(name, content)| (name.into(), content)));
    if let Some(census) = census {
        let card = Card::of(&census.story(Some(&folder.path().join(CENSUS))));
        let of_census = census.files(&card)?.into_iter();
        files.extend(of_census.map(|(name, content)| (PathBuf::from(CENSUS).join(name), content)));
    }
    let bytes = files.iter().map(|(_, content)| content.len() as u64).sum();
    folder.reserve(&this_run(), bytes)?;
    let (mut lacks, mut first, mut written) = (String::new(), None, 0);
    for (name, content) in &files {
        match folder.write(name, content) {
            Ok(()) => written += content.len(),
            Err(error) => {
                lacks += &format!("nstest: not in the record: {}: {error}\n", name.display());
                first.get_or_insert(error);
            }
        }
    }
    match first.filter(|_| written == 0) {
        Some(error) => Err(io::Error::other(format!("{}: {error}", folder.path().display()))),
        None => Ok(Written { path: folder.finish()?, lacks }),
    }
}

fn folder(test: &Test, name: &str) -> io::Result<Folder> {
    of_subject(test, name, Folder::create)?
}

/// Calls a function with what identifies the record of a test.
fn of_subject<T>(test: &Test, name: &str, call: impl FnOnce(Subject<'_>) -> T) -> io::Result<T> {
    let binary = rerun::binary()?;
    Ok(call(Subject {
        binary: &binary,
        package: std::env::var("CARGO_PKG_NAME").ok().as_deref(),
        kind: rerun::ambiguous_kind(test, &binary),
        test: name,
        attempt: &attempt(),
    }))
}

/// Sets aside the record that an earlier run left of a test that passed. Where the runner
/// repeats the test, it may be that of this run, and stays.
fn set_aside_if(wanted: bool, test: &Test, name: &str) {
    if wanted && attempt() == "1" {
        // Without its path, the binary has left no record either.
        let _ = of_subject(test, name, set_aside);
    }
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
