//! Waits until all processes of a test are dead, passes on what they print, and collects
//! what the verdict needs.

use std::os::fd::AsFd;
#[cfg(feature = "cli")]
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::output::{Drain, Text};
use super::pause::{PauseControl, Paused};
use super::process_tree;
#[cfg(feature = "cli")]
use super::refusal::descriptor_error;
use super::way_in::EntryPoint;
#[cfg(feature = "cli")]
use crate::error::Result;
use crate::ipc::Event;
use crate::preflight;
use crate::runner::record::TestRecord;
use crate::runner::test::Options;
use crate::runner::verdict::Observed;
use crate::sys::process::Process;
use crate::sys::termination;
use crate::uplink::Connected;

/// A body that was started.
#[derive(Debug)]
pub(crate) struct Running {
    /// The body's init.
    pub(super) process: Process,
    /// Whether the program was executed that init has started, which reports no beginning, or the
    /// `errno` with which it was not.
    #[cfg(feature = "cli")]
    pub(super) executed: Option<std::result::Result<(), i32>>,
    /// The pipe for events.
    pub(super) report: Drain,
    /// The pipe for output, if it goes through one.
    pub(super) output: Option<Drain>,
    pub(super) printed: Printed,
    pub(super) record: TestRecord,
    /// Present if the test may pause.
    pub(super) pauses: Option<PauseControl>,
    pub(super) options: Options,
    /// Whether the body is expected to write more events than a pipe holds.
    pub(super) long_report: bool,
    pub(super) timeout: Option<Duration>,
    /// When the start began, which counts as part of the test's time.
    pub(super) start: Instant,
    /// Held until the test has ended.
    pub(super) _uplink: Option<Connected>,
}

/// What becomes of what the body prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printed {
    /// It is printed at once.
    Shown,
    /// It is kept, to be printed if it matters.
    Kept,
}

/// One wait never counts as more than this: while the whole process was stopped (SIGSTOP, a
/// suspended laptop), the test's time did not pass.
const SLICE: Duration = Duration::from_millis(500);

/// Of kept output, at least this much is kept, the end of it.
const KEPT: usize = 256 * 1024;

impl Running {
    /// A copy of this process, with the pipe into which it reports.
    ///
    /// # Errors
    /// If the pipe cannot be prepared.
    #[cfg(feature = "cli")]
    pub(crate) fn copy(process: Process, report: OwnedFd) -> Result<Self> {
        Ok(Self {
            process,
            executed: Some(Ok(())),
            report: Drain::new(report).map_err(descriptor_error("prepare a pipe", "fcntl"))?,
            output: None,
            printed: Printed::Shown,
            record: TestRecord::default(),
            pauses: None,
            options: Options::DEFAULT,
            long_report: false,
            timeout: None,
            start: Instant::now(),
            _uplink: None,
        })
    }

    /// Returns when all processes of the test are dead. Kills them at the timeout.
    pub(crate) fn watch(self) -> Observed {
        let mut spent = self.start.elapsed().min(SLICE);
        let mut watch = Watch::of(self);
        let mut since = Instant::now();
        loop {
            watch.advance_pause();
            watch.end_if_interrupted();
            let timeout = watch.running.timeout.filter(|_| !watch.is_paused());
            let left = timeout.map(|timeout| timeout.saturating_sub(spent));
            if left == Some(Duration::ZERO) && watch.observed.timed_out.is_none() {
                let alive = process_tree::describe(watch.running.process.pid());
                watch.observed.timed_out = timeout.map(|timeout| (timeout, alive));
                let processes = process_tree::directories(watch.running.process.pid());
                watch.running.record.take_snapshot(processes);
                watch.end_at_timeout();
            }
            // No time passes for a test that is paused.
            let counts = !watch.is_paused();
            let dead = watch.wait(left.filter(|left| !left.is_zero()));
            watch.relay();
            if dead {
                return watch.finish();
            }
            if counts {
                spent += since.elapsed().min(SLICE);
            }
            since = Instant::now();
        }
    }
}

/// A body that is being watched.
pub(super) struct Watch {
    pub(super) running: Running,
    text: Text,
    /// The beginning of an event that is not complete yet.
    events: Vec<u8>,
    pub(super) observed: Observed,
}

impl Watch {
    pub(super) fn of(running: Running) -> Self {
        Self { running, text: Text::default(), events: Vec::new(), observed: Observed::default() }
    }

    /// Waits until something happens, or for a slice. True: init is dead, and with it every
    /// process of its namespace.
    ///
    /// Short events do not end the wait: they are read once a slice, and when init is
    /// dead. A long one could fill the pipe, so it does, if it is expected or has begun.
    fn wait(&self, left: Option<Duration>) -> bool {
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        let slice =
            PollTimeout::try_from(slice + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let watched = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![watched(self.running.process.as_fd())];
        fds.extend(self.running.output.as_ref().and_then(Drain::poll_fd).map(watched));
        if self.running.long_report || !self.events.is_empty() {
            fds.extend(self.running.report.poll_fd().map(watched));
        }
        fds.extend(self.running.record.poll_fds().map(watched));
        if self.observed.interrupted.is_none() {
            fds.extend(termination::poll_fd().map(watched));
        }
        fds.extend(self.running.pauses.iter().flat_map(PauseControl::poll_fds).map(watched));
        // Interrupted by a signal, it fails, and is called again at once.
        poll(&mut fds, slice).is_ok() && fds[0].any() == Some(true)
    }

    fn is_paused(&self) -> bool {
        self.running.pauses.as_ref().is_some_and(PauseControl::is_active)
    }

    /// Kills the test, after a pause if the user wants one.
    fn end_at_timeout(&mut self) {
        let Some(pauses) = &mut self.running.pauses else { return self.running.process.kill() };
        pauses.begin(Paused::Timeout, "has reached its timeout".to_owned());
        self.advance_pause();
    }

    /// Kills the test if a signal has arrived that is to end this process.
    fn end_if_interrupted(&mut self) {
        let Some(signal) = termination::arrived() else { return };
        if self.observed.interrupted.replace(signal).is_some() {
            return;
        }
        termination::limit(signal);
        let processes = process_tree::directories(self.running.process.pid());
        // A signal for the process group has killed the body, too.
        if !processes.is_empty() {
            self.running.record.take_snapshot(processes);
        }
        self.running.process.kill();
    }

    /// Shows a pause that has begun, and ends one when the user wants that.
    fn advance_pause(&mut self) {
        let Some(pauses) = &mut self.running.pauses else { return };
        let init = self.running.process.pid();
        let entry = || EntryPoint::new(init, process_tree::body(init), &self.running.options);
        let Some(ended) = pauses.advance(entry) else { return };
        let lasted = format!("the test was paused for {:.1} s", ended.lasted.as_secs_f64());
        self.running.record.note(ended.since, lasted);
        if ended.paused == Paused::Timeout {
            self.running.process.kill();
        }
    }

    /// Passes on what has arrived in the pipes.
    pub(super) fn relay(&mut self) {
        self.running.record.take();
        if let Some(mut output) = self.running.output.take() {
            output.drain(|bytes| {
                self.running.record.printed(bytes);
                let text = self.text.push(bytes);
                self.show(&text);
            });
            self.running.output = Some(output);
        }
        self.running.report.drain(|bytes| self.events.extend_from_slice(bytes));
        while let Some(event) = Event::decode(&mut self.events) {
            match (event, &mut self.running.pauses) {
                (Event::Paused(why), Some(pauses)) => pauses.begin(Paused::Body, why),
                (event, _) => self.observed.note(event),
            }
        }
    }

    fn show(&mut self, text: &str) {
        if self.running.printed == Printed::Shown {
            return print!("{text}");
        }
        let kept = &mut self.observed.printed;
        kept.push_str(text);
        if kept.len() > 2 * KEPT {
            let cut = (kept.len() - KEPT..).find(|&at| kept.is_char_boundary(at));
            kept.drain(..cut.unwrap_or_default());
        }
    }

    /// Collects what is known about a body that is dead.
    pub(super) fn finish(mut self) -> Observed {
        self.observed.init_killed = self.running.process.reap();
        self.relay();
        self.observed.interrupted = self.observed.interrupted.or_else(termination::arrived);
        if self.running.output.take().is_some() {
            let rest = std::mem::take(&mut self.text).finish();
            self.show(&rest);
        }
        self.observed.record = std::mem::take(&mut self.running.record);
        self.observed.explanation = self.observed.refusal().map(preflight::explain);
        self.observed
    }
}
