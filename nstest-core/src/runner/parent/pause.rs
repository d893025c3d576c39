//! Keeps a test at its end, with its network, until the user lets it go on.
//!
//! The body asks for a pause and waits for a byte; a test at its timeout is not killed yet.
//! The commands that enter it are printed to the terminal. Tests of one process pause one
//! after the other.

use std::fs::File;
use std::io::Write;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::terminal::Terminal;
use super::way_in::EntryPoint;
use crate::runner::pause_policy::PausePolicy;
use crate::runner::record::now;
use crate::sys::interrupt::CaughtInterrupts;

/// The pauses of a test.
#[derive(Debug)]
pub(super) struct PauseControl {
    test: String,
    limit: Option<Duration>,
    terminal: Terminal,
    /// What the body waits for.
    resume: File,
    active: Option<ActivePause>,
}

/// What waits for the end of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paused {
    /// The body, for a byte.
    Body,
    /// The death of the body, at its timeout.
    Timeout,
}

#[derive(Debug)]
struct ActivePause {
    paused: Paused,
    why: String,
    /// Since the Unix epoch.
    since: Duration,
    shown: Option<Shown>,
}

/// A pause that the terminal shows.
#[derive(Debug)]
struct Shown {
    since: Instant,
    interrupts: Option<CaughtInterrupts>,
    _turn: Turn,
}

/// The right to use the terminal, which one test of this process has.
#[derive(Debug)]
struct Turn;

static TAKEN: AtomicBool = AtomicBool::new(false);

impl Turn {
    fn take() -> Option<Self> {
        (!TAKEN.swap(true, Ordering::Acquire)).then_some(Self)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TAKEN.store(false, Ordering::Release);
    }
}

impl PauseControl {
    /// Of a test that pauses by this policy, if there is a terminal. The body waits for what is
    /// written to `resume`.
    pub(super) fn prepare(test: &str, policy: PausePolicy, resume: OwnedFd) -> Option<Self> {
        static NOTED: Once = Once::new();
        match Terminal::open() {
            Ok(terminal) => Some(Self {
                test: test.to_owned(),
                limit: policy.limit,
                terminal,
                resume: File::from(resume),
                active: None,
            }),
            Err(error) => {
                // Past libtest's capture, which shows nothing of a test that passes.
                NOTED.call_once(|| {
                    let _ = writeln!(
                        std::io::stderr(),
                        "nstest: note: no test pauses, since there is no terminal (/dev/tty: {error})"
                    );
                });
                None
            }
        }
    }

    pub(super) fn begin(&mut self, paused: Paused, why: String) {
        let before = self.active.as_ref().map(|active| active.paused);
        // One that is at its timeout stays so.
        if before.is_none() {
            self.active = Some(ActivePause { paused, why, since: now(), shown: None });
        }
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// What becomes readable when the pause may end.
    pub(super) fn poll_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        let shown = self.active.as_ref().and_then(|active| active.shown.as_ref());
        let interrupts = shown.and_then(|shown| shown.interrupts.as_ref()).map(AsFd::as_fd);
        let terminal = shown.filter(|_| self.terminal.is_ours()).map(|_| self.terminal.as_fd());
        interrupts.into_iter().chain(terminal)
    }

    /// Shows a pause when it is its turn, and ends it when that is wanted. Returns what the
    /// record says about a pause that has ended, and what has waited for it.
    pub(super) fn advance(&mut self, entry: impl FnOnce() -> EntryPoint) -> Option<EndedPause> {
        let active = self.active.as_mut()?;
        let Some(shown) = &active.shown else {
            let turn = Turn::take()?;
            let interrupts = CaughtInterrupts::catch().ok();
            self.terminal.forget_input();
            let (entry, typed) = (entry(), self.terminal.is_ours());
            entry.mark_paused(&self.test);
            self.terminal.print(&text(&self.test, &active.why, entry, self.limit, typed));
            active.shown = Some(Shown { since: Instant::now(), interrupts, _turn: turn });
            return None;
        };
        let interrupted = shown.interrupts.as_ref().is_some_and(CaughtInterrupts::arrived);
        let typed = self.terminal.is_ours() && self.terminal.has_line();
        let late = self.limit.is_some_and(|limit| shown.since.elapsed() >= limit);
        if !(interrupted || typed || late) {
            return None;
        }
        let active = self.active.take()?;
        entry().mark_running();
        self.terminal.print(&format!("nstest: {} goes on\n", self.test));
        if active.paused == Paused::Body {
            // It fails if the body is dead.
            let _ = self.resume.write_all(b"\n");
        }
        let lasted = now().saturating_sub(active.since);
        Some(EndedPause { paused: active.paused, since: active.since, lasted })
    }
}

/// A pause that has ended.
#[derive(Debug)]
pub(super) struct EndedPause {
    pub(super) paused: Paused,
    /// Since the Unix epoch.
    pub(super) since: Duration,
    pub(super) lasted: Duration,
}

fn text(test: &str, why: &str, entry: EntryPoint, limit: Option<Duration>, typed: bool) -> String {
    let why = why.trim_end().replace('\n', "\n  ");
    let pid = std::process::id();
    let signal = format!("kill -INT {pid}");
    let mut end = match typed {
        true => format!("press Enter here (or `{signal}`)"),
        false => format!("`{signal}`"),
    };
    if let Some(limit) = limit {
        end.push_str(&format!("; it goes on by itself after {limit:?}"));
    }
    format!(
        "nstest: PAUSED: {test} {why}\nTo enter its nodes from another terminal (or: nstest shell /NODE):\n{}To go on: {end}\n",
        entry.describe()
    )
}
