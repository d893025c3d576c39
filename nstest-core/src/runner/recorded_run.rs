//! One run of a test with all that was recorded of it, and its files.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::record::{Output, TestRecord, now};
use crate::evidence::capture::capture;
use crate::evidence::card::Card;
use crate::evidence::commit::commit;
use crate::evidence::files::{FILES, OUTPUT};
use crate::evidence::matching::{Networks, match_frames};
use crate::evidence::packets::{TracedPacket, trace};
use crate::evidence::report::report;
use crate::evidence::shown;
use crate::evidence::story::Story;
use crate::evidence::timeline::{Entry, TimelineEvent, VERSION};
use crate::recorder::RecorderOutput;

/// Which run it is, and how it ended.
#[derive(Debug, Clone)]
pub(super) struct RunSummary<'a> {
    /// The name by which libtest knows the test.
    pub(super) name: &'a str,
    /// The crate of the test.
    pub(super) binary: &'a str,
    /// A command that runs the test again in the same way.
    pub(super) rerun: String,
    pub(super) plan: Option<String>,
    pub(super) seed: u64,
    pub(super) passed: bool,
    /// Whether the record has what was printed.
    pub(super) keeps_output: bool,
    /// The verdict in words.
    pub(super) verdict: String,
}

/// Said about a record with secrets.
const SECRETS: &str = "this record contains TLS secrets: with the file capture.pcapng, the encrypted packets can be read";

/// A run with its record.
#[derive(Debug)]
pub(super) struct RecordedRun<'a> {
    summary: RunSummary<'a>,
    started: Duration,
    /// In the order of their time.
    entries: Vec<Entry>,
    packets: Vec<TracedPacket>,
    output: Output,
    /// TLS secrets.
    secrets: Vec<u8>,
}

impl<'a> RecordedRun<'a> {
    /// `None` if nothing was recorded.
    pub(super) fn of(summary: RunSummary<'a>, record: TestRecord) -> Option<Self> {
        let started = record.started();
        let (mut recorded, output) = record.finish()?;
        let ended = now();
        let networks = Networks::of(&recorded.entries);
        let matched = match_frames(&recorded.frames, &recorded.verdicts, &networks);
        let packets = trace(std::mem::take(&mut recorded.frames), matched);
        let mut entries = vec![Entry { time: started, event: summary.started(started) }];
        entries.append(&mut recorded.entries);
        entries.extend(packets.iter().map(TracedPacket::entry));
        let lines = output.lines().into_iter();
        entries.extend(
            lines.map(|(time, line)| Entry { time, event: TimelineEvent::Output { line } }),
        );
        let notes = notes(&recorded, output.dropped).into_iter();
        entries
            .extend(notes.map(|text| Entry { time: ended, event: TimelineEvent::Note { text } }));
        entries.sort_by_key(|entry| entry.time);
        let secrets = recorded.secrets;
        let mut run = Self { summary, started, entries, packets, output, secrets };
        let (passed, verdict) = (run.summary.passed, run.summary.verdict.clone());
        run.entries.push(Entry { time: ended, event: TimelineEvent::Ended { passed, verdict } });
        Some(run)
    }

    /// Adds events to the end.
    pub(super) fn add(&mut self, events: impl IntoIterator<Item = TimelineEvent>) {
        let time = self.entries.last().map_or(self.started, |entry| entry.time);
        self.entries.extend(events.into_iter().map(|event| Entry { time, event }));
    }

    /// Says where all of its faults come from.
    #[cfg(feature = "cli")]
    pub(super) fn attribute_faults(&mut self, to: &str) {
        for entry in &mut self.entries {
            if let TimelineEvent::FaultInjected { place, .. } = &mut entry.event {
                to.clone_into(place);
            }
        }
    }

    /// The number of the packet that a node sent and that reads like this.
    pub(super) fn packet(&self, text: &str) -> Option<u64> {
        self.entries.iter().find_map(|entry| match &entry.event {
            TimelineEvent::Packet { packet, summary, received: false, .. } if summary == text => {
                Some(*packet)
            }
            _ => None,
        })
    }

    /// What happened. `folder` is where the files are to be.
    pub(super) fn story(&self, folder: Option<&Path>) -> Story {
        let mut story = Story::of(&self.entries, &self.packets);
        story.folder = folder.map(shown::path);
        story
    }

    /// The files, with their names.
    ///
    /// # Errors
    /// If a text is too long for the capture.
    pub(super) fn files(&self, card: &Card) -> io::Result<Vec<(&'static str, Vec<u8>)>> {
        let events = json(&self.entries, self.started);
        let page = report(self.summary.name, card.hints(), card.notes(), &events).into_bytes();
        let mut comments = self.summary.comments();
        if !self.secrets.is_empty() {
            comments.push(SECRETS.to_owned());
        }
        let capture = capture(&comments, &self.entries, &self.packets, &self.secrets)?;
        let card = card.text(false).into_bytes();
        let content = [card, self.output.bytes(), events.into_bytes(), capture, page];
        let files = FILES.into_iter().zip(content);
        Ok(files.filter(|(name, _)| self.summary.keeps_output || *name != OUTPUT).collect())
    }
}

impl RunSummary<'_> {
    fn started(&self, started: Duration) -> TimelineEvent {
        TimelineEvent::Started {
            version: VERSION,
            unix_time: started.as_nanos().to_string(),
            test: self.name.to_owned(),
            binary: self.binary.to_owned(),
            commit: std::env::var_os("CARGO_MANIFEST_DIR").and_then(|at| commit(Path::new(&at))),
            seed: self.seed.to_string(),
            plan: self.plan.clone(),
            rerun: self.rerun.clone(),
        }
    }

    /// What the capture says about the test.
    fn comments(&self) -> Vec<String> {
        let mut comments = vec![
            format!("test: {}", self.name),
            format!("result: {}", self.verdict),
            format!("seed: {}", self.seed),
        ];
        comments.extend(self.plan.as_ref().map(|plan| format!("plan: {plan}")));
        comments.push(format!("run again: {}", self.rerun));
        comments
    }
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
    if !recorded.secrets.is_empty() {
        notes.push(SECRETS.to_owned());
    }
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
