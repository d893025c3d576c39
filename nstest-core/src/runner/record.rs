//! What the parent records of a test while it runs: packets, events, and what the test prints.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::evidence::timeline::{Entry, TimelineEvent, since_epoch};
use crate::recorder::{Recorder, RecorderOutput};
use crate::snapshot;

/// How many bytes of output are kept, the end of it.
const OUTPUT: usize = 1 << 20;

/// The record of a test that runs or has ended.
#[derive(Debug, Default)]
pub(crate) struct TestRecord {
    /// Absent if nothing is recorded.
    recorder: Option<Recorder>,
    output: Output,
    /// What the parent itself has observed.
    observed: Vec<Entry>,
    /// Since the Unix epoch.
    started: Duration,
}

/// What a test has printed, in the pieces in which it arrived.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pieces: VecDeque<(Duration, Vec<u8>)>,
    kept: usize,
    /// How many bytes at the start were dropped.
    pub(crate) dropped: u64,
}

impl TestRecord {
    pub(crate) fn start(recorder: Option<Recorder>) -> Self {
        Self { recorder, started: now(), ..Self::default() }
    }

    /// What becomes readable when there is something to [`take`](Self::take).
    pub(crate) fn poll_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.recorder.iter().flat_map(Recorder::poll_fds)
    }

    /// Takes the packets that have arrived.
    pub(crate) fn take(&mut self) {
        if let Some(recorder) = &mut self.recorder {
            recorder.take();
        }
    }

    /// Keeps what the test has printed.
    pub(crate) fn printed(&mut self, bytes: &[u8]) {
        if self.recorder.is_some() {
            self.output.push(now(), bytes);
        }
    }

    /// Records what the sockets and threads of a test do now. Its processes are directories in
    /// /proc, the body first.
    pub(crate) fn take_snapshot(&mut self, processes: Vec<PathBuf>) {
        let Some(recorder) = &mut self.recorder else { return };
        recorder.take();
        let time = now();
        let events = snapshot::take_from_outside(processes, &recorder.entries());
        self.observed.extend(events.into_iter().map(|event| Entry { time, event }));
    }

    /// Records what the parent has to say about a time since the Unix epoch.
    pub(crate) fn note(&mut self, time: Duration, text: String) {
        self.observed.push(Entry { time, event: TimelineEvent::Note { text } });
    }

    /// When the test was started, since the Unix epoch.
    pub(crate) fn started(&self) -> Duration {
        self.started
    }

    /// All that was recorded, if anything was. To be called when the body is dead.
    pub(crate) fn finish(self) -> Option<(RecorderOutput, Output)> {
        let mut recorded = self.recorder?.finish();
        recorded.entries.extend(self.observed);
        snapshot::keep_last(&mut recorded.entries);
        Some((recorded, self.output))
    }
}

impl Output {
    fn push(&mut self, time: Duration, bytes: &[u8]) {
        self.kept += bytes.len();
        self.pieces.push_back((time, bytes.to_vec()));
        while self.kept > OUTPUT {
            let Some((_, oldest)) = self.pieces.pop_front() else { return };
            self.kept -= oldest.len();
            self.dropped += oldest.len() as u64;
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect()
    }

    /// The lines, with U+FFFD in place of invalid bytes, each with the time at which its end
    /// arrived.
    pub(crate) fn lines(&self) -> Vec<(Duration, String)> {
        let mut lines = Vec::new();
        let mut line = Vec::new();
        let text = |line: &[u8]| String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
        for (time, bytes) in &self.pieces {
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                line.extend_from_slice(piece);
                if let Some(complete) = line.strip_suffix(b"\n") {
                    lines.push((*time, text(complete)));
                    line.clear();
                }
            }
        }
        if let (false, Some((time, _))) = (line.is_empty(), self.pieces.back()) {
            lines.push((*time, text(&line)));
        }
        lines
    }
}

/// The time since the Unix epoch, by the clock that packets have.
pub(crate) fn now() -> Duration {
    since_epoch(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_time_of_their_end_and_the_oldest_are_dropped() {
        let mut output = Output::default();
        let at = Duration::from_secs;
        output.push(at(1), b"one\r\ntw");
        output.push(at(2), b"o\n\xff");
        let expected = [(at(1), "one"), (at(2), "two"), (at(2), "\u{fffd}")];
        assert_eq!(output.lines(), expected.map(|(time, line)| (time, line.to_owned())));
        output.push(at(3), &vec![b'x'; OUTPUT]);
        assert_eq!((output.bytes().len(), output.dropped), (OUTPUT, 10));
    }
}
