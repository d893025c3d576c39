//! Writes the record of a failed test into the target directory, and says what it shows.
//!
//! What cannot be written is a note. The verdict stays as it is.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::record::{Output, TestRecord, now};
use super::rerun;
use super::settings::{RecordPolicy, Settings};
use super::test::Test;
use super::verdict::SeededVerdict;
use crate::evidence::capture::capture;
use crate::evidence::card::card;
use crate::evidence::commit::commit;
use crate::evidence::matching::{Networks, match_frames};
use crate::evidence::packets::{TracedPacket, trace};
use crate::evidence::report::report;
use crate::evidence::store::{Folder, Subject};
use crate::evidence::story::Story;
use crate::evidence::timeline::{Entry, TimelineEvent, VERSION};
use crate::recorder::RecorderOutput;

/// The line between the verdict and what follows.
const HEADING: &str = "=== nstest: what happened ===";

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
    if settings.recording == RecordPolicy::Off || !failed && settings.recording != RecordPolicy::All
    {
        return;
    }
    let started = record.started();
    let Some((recorded, output)) = record.finish() else { return };
    let kept = RecordWriter { test, name, settings, failed, verdict, started };
    let (entries, packets) = kept.events(recorded, &output);
    let folder = kept.folder();
    let mut story = Story::of(&entries, &packets);
    story.folder = folder.as_ref().ok().map(|folder| folder.path().display().to_string());
    let card = card(&story, false);
    let written = folder.and_then(|folder| {
        let events = json(&entries, started);
        let files = [
            ("card.txt", card.clone().into_bytes()),
            ("report.html", report(name, &events).into_bytes()),
            ("events.jsonl", events.into_bytes()),
            ("capture.pcapng", capture(&kept.comments(), &entries, &packets)?),
            ("output.txt", output.bytes()),
        ];
        let bytes = files.iter().map(|(_, content)| content.len() as u64).sum();
        folder.reserve(&this_run(), bytes)?;
        files.iter().try_for_each(|(name, content)| folder.write(name, content))?;
        folder.finish()
    });
    let place = match written {
        Ok(path) => format!("nstest: record in {0}\n[[ATTACHMENT|{0}]]", path.display()),
        Err(error) => format!("nstest: no record: {error}"),
    };
    verdict.evidence = Some(format!("{HEADING}\n{card}{place}"));
}

/// The test that a record is of.
struct RecordWriter<'a> {
    test: &'a Test,
    name: &'a str,
    settings: &'a Settings,
    failed: bool,
    verdict: &'a SeededVerdict,
    started: Duration,
}

impl RecordWriter<'_> {
    fn folder(&self) -> io::Result<Folder> {
        Folder::create(Subject {
            binary: &std::env::current_exe()?,
            package: std::env::var("CARGO_PKG_NAME").ok().as_deref(),
            test: self.name,
            attempt: &attempt(),
        })
    }

    /// All events in the order of their time, and the packets.
    fn events(
        &self,
        mut recorded: RecorderOutput,
        output: &Output,
    ) -> (Vec<Entry>, Vec<TracedPacket>) {
        let ended = now();
        let networks = Networks::of(&recorded.entries);
        let matched = match_frames(&recorded.frames, &recorded.verdicts, &networks);
        let packets = trace(std::mem::take(&mut recorded.frames), matched);
        let mut entries = vec![Entry { time: self.started, event: self.started_event() }];
        entries.append(&mut recorded.entries);
        entries.extend(packets.iter().map(TracedPacket::entry));
        let lines = output.lines().into_iter();
        entries.extend(
            lines.map(|(time, line)| Entry { time, event: TimelineEvent::Output { line } }),
        );
        entries.extend(
            notes(&recorded, output.dropped)
                .into_iter()
                .map(|text| Entry { time: ended, event: TimelineEvent::Note { text } }),
        );
        entries.sort_by_key(|entry| entry.time);
        let event =
            TimelineEvent::Ended { passed: !self.failed, verdict: self.verdict.verdict.describe() };
        entries.push(Entry { time: ended, event });
        (entries, packets)
    }

    fn started_event(&self) -> TimelineEvent {
        let run_config = &self.settings.run_config;
        TimelineEvent::Started {
            version: VERSION,
            unix_time: self.started.as_nanos().to_string(),
            test: self.name.to_owned(),
            binary: self.test.krate().to_owned(),
            commit: std::env::var_os("CARGO_MANIFEST_DIR").and_then(|at| commit(Path::new(&at))),
            seed: run_config.seed.to_string(),
            plan: run_config.plan.clone(),
            rerun: self.rerun(),
        }
    }

    fn rerun(&self) -> String {
        let plan = self.settings.run_config.plan.as_deref();
        rerun::command(self.name, &rerun::target_arguments(self.test), plan, self.verdict.seed)
    }

    /// What a reader of the capture is told about the test.
    fn comments(&self) -> Vec<String> {
        let run_config = &self.settings.run_config;
        let mut comments = vec![
            format!("test: {}", self.name),
            format!("result: {}", self.verdict.verdict.describe()),
            format!("seed: {}", run_config.seed),
        ];
        comments.extend(run_config.plan.as_ref().map(|plan| format!("plan: {plan}")));
        comments.push(format!("run again: {}", self.rerun()));
        comments
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

fn json(entries: &[Entry], started: Duration) -> String {
    let mut lines = String::new();
    entries.iter().for_each(|entry| entry.write_json(started, &mut lines));
    lines
}

/// What is missing in the record.
fn notes(recorded: &RecorderOutput, output: u64) -> Vec<String> {
    let RecorderOutput { dropped, missed, overwritten, .. } = recorded;
    let packets: u64 = dropped.values().sum();
    let mut notes = Vec::new();
    if packets > 0 {
        notes.push(format!("the {packets} oldest packets are not in the record, which keeps 1 MiB of each interface and 16 MiB of all"));
    }
    if *missed > 0 {
        notes.push(format!(
            "{missed} packets are not in the record: they came faster than they could be recorded"
        ));
    }
    if *overwritten > 0 {
        notes.push(format!(
            "the {overwritten} oldest effects of faults on packets are not in the record"
        ));
    }
    if output > 0 {
        notes.push(format!(
            "the first {output} bytes of the output are not in the record, which keeps 1 MiB"
        ));
    }
    notes
}
