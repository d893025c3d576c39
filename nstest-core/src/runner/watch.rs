//! Watching a child of this process, until all of it is dead.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::alive;
use super::output::{Drain, Text};
use super::verdict::Course;
use crate::ipc::Record;
use crate::sys::process::Process;

/// What a child of this process is watched through, until all of it is dead.
#[derive(Debug)]
pub(super) struct Watch {
    process: Process,
    report: Drain,
    output: Option<Drain>,
    text: Text,
    /// Whether what it prints is kept for later, and not printed at once.
    keeps: bool,
    /// Whether the body is known to write more than a pipe holds.
    tells_much: bool,
    records: Vec<u8>,
    course: Course,
}

impl Watch {
    pub(super) fn new(process: Process, report: Drain, output: Option<Drain>) -> Self {
        Self {
            process,
            report,
            output,
            text: Text::default(),
            keeps: false,
            tells_much: false,
            records: Vec::new(),
            course: Course::default(),
        }
    }

    pub(super) fn keeping(self, keeps: bool) -> Self {
        Self { keeps, ..self }
    }

    pub(super) fn telling_much(self, tells_much: bool) -> Self {
        Self { tells_much, ..self }
    }

    /// One wait never counts for more: while the whole process was stopped
    /// (SIGSTOP, a suspended laptop), the test's time stood still.
    const SLICE: Duration = Duration::from_millis(500);

    pub(super) fn until_the_end(mut self, timeout: Option<Duration>, start: Instant) -> Course {
        let mut spent = start.elapsed().min(Self::SLICE);
        let mut since = Instant::now();
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(spent));
            if left == Some(Duration::ZERO) && self.course.timed_out.is_none() {
                let alive = alive::processes(self.process.pid());
                self.course.timed_out = timeout.map(|timeout| (timeout, alive));
                self.process.kill();
            }
            let dead = self.wait(left.filter(|left| !left.is_zero()));
            self.relay();
            if dead {
                break;
            }
            spent += since.elapsed().min(Self::SLICE);
            since = Instant::now();
        }
        self.course.init_killed = self.process.reap();
        self.relay();
        if let Some(output) = self.output.take() {
            drop(output);
            let rest = std::mem::take(&mut self.text).finish();
            self.show(&rest);
        }
        self.course
    }

    /// Waits until something happens, or for a slice; true: init is dead, and
    /// with it every process of its namespace. Records wake nobody, unless a long
    /// one is expected or has begun, which would fill the pipe: they are read when
    /// init is dead, and once a slice.
    fn wait(&self, left: Option<Duration>) -> bool {
        let slice = left.map_or(Self::SLICE, |left| left.min(Self::SLICE));
        let slice =
            PollTimeout::try_from(slice + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let watched = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = vec![watched(self.process.as_fd())];
        fds.extend(self.output.as_ref().and_then(Drain::poll_fd).map(watched));
        if self.tells_much || !self.records.is_empty() {
            fds.extend(self.report.poll_fd().map(watched));
        }
        // Interrupted by a signal: the next round is at once.
        poll(&mut fds, slice).is_ok() && fds[0].any() == Some(true)
    }

    fn relay(&mut self) {
        if let Some(mut output) = self.output.take() {
            output.drain(|bytes| {
                let text = self.text.push(bytes);
                self.show(&text);
            });
            self.output = Some(output);
        }
        self.report.drain(|bytes| self.records.extend_from_slice(bytes));
        while let Some(record) = Record::decode(&mut self.records) {
            self.course.note(record);
        }
    }

    fn show(&mut self, text: &str) {
        if !self.keeps {
            return print!("{text}");
        }
        let kept = &mut self.course.printed;
        kept.push_str(text);
        if kept.len() > 2 * Self::KEPT {
            let cut = (kept.len() - Self::KEPT..).find(|&at| kept.is_char_boundary(at));
            kept.drain(..cut.unwrap_or_default());
        }
    }

    /// A test that prints without end must not fill the memory; its last words count.
    const KEPT: usize = 256 * 1024;
}
