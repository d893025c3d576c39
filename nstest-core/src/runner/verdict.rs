//! From what was seen of a test to what is said about it.
//!
//! A test has passed if its body said that it began, said that it passed, and
//! its process then ended with status 0. Everything else is a failure, and the
//! first rule that applies names it.

use std::io::Write;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::Signal;

use super::Test;
use super::body::VERDICT_LOST;
use crate::error::{Error, ErrorCode, Result};
use crate::ipc::{Failure, Record};
use crate::preflight::policy::{self, Policy};
use crate::preflight::{self, Refusal, Step};
use crate::run_config::{Findings, RunConfig};

/// What was seen of a test, from its clone to the death of its last process.
#[derive(Debug, Default)]
pub(super) struct Course {
    started: Option<u32>,
    aborting: Option<String>,
    end: Option<std::result::Result<(), Failure>>,
    init_failed: Option<i32>,
    /// The wait status of the body's process.
    status: Option<i32>,
    /// The signal that killed init, before or after it was init.
    pub(super) init_killed: Option<i32>,
    /// What the body found.
    pub(super) found: Option<Findings>,
    /// What it printed, if that was to be kept.
    pub(super) printed: String,
    /// The timeout that passed, and what was alive then.
    pub(super) timed_out: Option<(Duration, String)>,
}

/// What the test has come to.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    /// The body's own doing, in a way that tests fail.
    Failed(Failure),
    /// The test did not come to an end of its own.
    Broken(Error),
    /// The second libtest does not know the name: another one may be right.
    NotStarted(Error),
}

/// A verdict, and the seed to repeat it with, where that matters.
#[derive(Debug)]
pub(super) struct Judged {
    verdict: Verdict,
    seed: Option<u64>,
}

impl From<Verdict> for Judged {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, seed: None }
    }
}

impl Judged {
    /// A plan that affected nothing tests nothing. Where the body did not live to
    /// say whether anything was random, a seed that somebody chose is told.
    pub(super) fn of(
        verdict: Verdict,
        run_config: &RunConfig,
        chosen: bool,
        found: Option<&Findings>,
    ) -> Self {
        let passed = matches!(verdict, Verdict::Passed);
        let verdict = match &run_config.plan {
            Some(plan) if passed && !found.is_some_and(Findings::reached) => {
                Verdict::Broken(unreached(plan))
            }
            _ => verdict,
        };
        let ended = matches!(verdict, Verdict::Passed | Verdict::Failed(_));
        let random = found.map_or(chosen && !ended, |found| found.random);
        Self { verdict, seed: random.then_some(run_config.seed) }
    }
}

impl Judged {
    /// The exploration of a test whose run without faults has been judged.
    pub(super) fn and_then(self, explore: impl FnOnce() -> Result<Verdict>) -> Result<Self> {
        if matches!(self.verdict, Verdict::Passed) {
            return Ok(Self { verdict: explore()?, ..self });
        }
        eprintln!("nstest: nothing was explored: the test fails in its run without faults");
        Ok(self)
    }
}

fn unreached(plan: &str) -> Error {
    Error::new(ErrorCode::FaultUnmatched, format!("apply the plan `{plan}`"))
        .source("no packet was affected by it: what it waits for did not come")
        .help("see that the plan is of this test, and that the test is as it was when the plan was printed")
}

impl Course {
    pub(super) fn note(&mut self, record: Record) {
        match record {
            Record::Started(pid) => self.started = Some(pid),
            Record::Panicked(text) => self.aborting = Some(text),
            Record::Found(found) => self.found = Some(found),
            Record::Passed => self.end = Some(Ok(())),
            Record::Failed(failure) => self.end = Some(Err(failure)),
            Record::InitFailed(errno) => self.init_failed = Some(errno),
            Record::Ended(status) => self.status = Some(status),
        }
    }

    /// The wait status of a program that delivers no verdict.
    pub(super) fn into_status(self) -> Result<i32> {
        if let Some(errno) = self.init_failed {
            return Err(init_failed(errno));
        }
        self.status.ok_or_else(|| ended_early(None, "before it ended itself"))
    }

    pub(super) fn verdict(self, name: &str) -> Verdict {
        if let Some(errno) = self.init_failed {
            return Verdict::Broken(init_failed(errno));
        }
        if let Some((timeout, alive)) = self.timed_out {
            return Verdict::Broken(timed_out(timeout, &alive));
        }
        let end = self.status.map(End::of);
        if self.started.is_none() {
            return match end {
                Some(End::Exited(_)) => Verdict::NotStarted(not_started(name)),
                None if self.init_killed.is_some() => {
                    Verdict::Broken(killed_in_setup(self.init_killed.unwrap_or_default()))
                }
                end => Verdict::Broken(ended_early(end, "before the test began")),
            };
        }
        match (self.end, end) {
            (None, Some(End::Killed(Signal::SIGABRT))) if self.aborting.is_some() => {
                Verdict::Failed(Failure::Panic(self.aborting.unwrap_or_default()))
            }
            (None, end) => Verdict::Broken(ended_early(end, "before the test function did")),
            (Some(Err(failure)), _) => Verdict::Failed(failure),
            (Some(Ok(())), Some(End::Exited(0))) => Verdict::Passed,
            (Some(Ok(())), end) => Verdict::Broken(ended_badly(end)),
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
enum End {
    Exited(i32),
    Killed(Signal),
    /// By a signal that has no name, such as a real-time one.
    KilledBy(i32),
}

impl End {
    fn of(status: i32) -> Self {
        if libc::WIFEXITED(status) {
            return End::Exited(libc::WEXITSTATUS(status));
        }
        let number = libc::WTERMSIG(status);
        Signal::try_from(number).map_or(End::KilledBy(number), End::Killed)
    }

    fn told(end: Option<Self>) -> String {
        match end {
            Some(End::Exited(status)) => format!("exited with status {status}"),
            Some(End::Killed(signal)) => {
                format!("was killed by {signal} (signal {})", signal as i32)
            }
            Some(End::KilledBy(number)) => format!("was killed by signal {number}"),
            None => "was killed, and so was its init".to_owned(),
        }
    }
}

fn init_failed(errno: i32) -> Error {
    preflight::explain(Refusal {
        step: "start the test's process".to_owned(),
        call: "clone".to_owned(),
        errno,
        kind: Step::Other,
    })
}

/// Nobody but a seccomp filter does that on purpose; then the cause is found.
fn killed_in_setup(signal: i32) -> Error {
    preflight::explain(Refusal {
        step: "set the test's process up".to_owned(),
        call: "the process was killed".to_owned(),
        errno: 0,
        kind: Step::Killed { signal },
    })
}

fn timed_out(timeout: Duration, alive: &str) -> Error {
    Error::new(ErrorCode::Timeout, format!("the test did not end within {timeout:?}; it was killed{alive}"))
        .help("allow more with #[netns_test(timeout = \"…\")], or for all tests with NSTEST_TIMEOUT=3 (a factor, or `none`)")
}

fn not_started(name: &str) -> Error {
    Error::new(
        ErrorCode::NotStarted,
        format!("the test binary, started again with `--exact {name}`, did not run this test"),
    )
    .help("nstest needs to be called by libtest under that name: with a macro that makes tests of its own, put #[netns] on a sync function and #[nstest::test] on an async one, below that macro")
}

fn ended_early(end: Option<End>, when: &str) -> Error {
    let (code, help) = match end {
        Some(End::Exited(VERDICT_LOST)) => (
            ErrorCode::VerdictLost,
            "the test, or something that it called, closed file descriptors that it had not opened (close_range, closefrom)",
        ),
        Some(End::Exited(_)) => (
            ErrorCode::EarlyExit,
            "std::process::exit and _exit end the test's process without a verdict: return from the test function instead",
        ),
        Some(End::Killed(Signal::SIGKILL)) | None => (
            ErrorCode::Signal,
            "if the test did not do it itself, the kernel may have run out of memory: see `dmesg`",
        ),
        Some(End::Killed(Signal::SIGSYS)) => {
            (ErrorCode::Signal, "a seccomp filter forbids a system call that was made")
        }
        Some(End::Killed(Signal::SIGABRT)) => (
            ErrorCode::Signal,
            "abort() was called; a panic while panicking, a stack overflow and a failed allocation do so: see the output above",
        ),
        Some(End::Killed(_) | End::KilledBy(_)) => {
            (ErrorCode::Signal, "the output above is all that the test printed before")
        }
    };
    Error::new(code, format!("the test's process {} {when}", End::told(end))).help(help)
}

fn ended_badly(end: Option<End>) -> Error {
    Error::new(
        ErrorCode::ExitAfterPass,
        format!("the test function passed, and then its process {}", End::told(end)),
    )
    .help("look at what runs after main: atexit handlers, destructors of statics, threads that are still alive")
}

/// Tells libtest. Nothing but a panic of the body may look like one: where one
/// is expected (`#[should_panic]`), all else is printed and then returned from,
/// so that libtest says that the test did not panic.
pub(super) fn announce(test: &Test, Judged { verdict, seed }: Judged) {
    if let (Some(seed), false) = (seed, matches!(verdict, Verdict::Passed)) {
        eprintln!("nstest: seed {seed} (repeat with NSTEST_SEED={seed})");
    }
    let (error, text) = match verdict {
        Verdict::Passed => return,
        Verdict::Failed(Failure::Panic(text)) => panic_as_the_body(test, text),
        Verdict::Failed(Failure::PanicAny) => std::panic::resume_unwind(Box::new(NotText)),
        Verdict::Failed(Failure::Returned(code)) => {
            (None, format!("the test returned a failure: {code}"))
        }
        Verdict::Failed(Failure::Reported(report)) => (None, report),
        Verdict::Broken(error) | Verdict::NotStarted(error) => {
            let text = format!("{error:?}");
            (Some(error), text)
        }
    };
    match Policy::parse(std::env::var_os(policy::VARIABLE).as_deref()) {
        Ok(policy) if error.is_some_and(|error| policy.skips(&error)) => return skip(test, &text),
        Ok(_) => {}
        Err(misread) => eprintln!("{misread:?}"),
    }
    eprintln!("{text}");
    if test.options.should_panic.is_none() {
        // The hook has nothing to add, so it is not called.
        std::panic::resume_unwind(Box::new(text));
    }
}

/// Says so where nobody captures it, for libtest has no word for a test that
/// was not run; a test that should panic must do so to count as skipped.
fn skip(test: &Test, text: &str) {
    // A closed standard error is nobody who could be told.
    let _ = writeln!(std::io::stderr(), "nstest: SKIPPED {}: {text}", test.path());
    if let Some(expected) = test.options.should_panic {
        std::panic::resume_unwind(Box::new(expected.to_owned()));
    }
}

/// Where panics abort, libtest compares the message in a hook, which only a new
/// panic reaches; it prints the message once more.
fn panic_as_the_body(test: &Test, text: String) -> ! {
    if cfg!(panic = "abort") && test.options.should_panic.is_some() {
        std::panic::panic_any(text);
    }
    std::panic::resume_unwind(Box::new(text));
}

/// Stands for a panic payload that is no text, which cannot travel.
struct NotText;

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(records: &[Record], timed_out: bool) -> Verdict {
        let mut course = Course::default();
        records.iter().cloned().for_each(|record| course.note(record));
        course.timed_out = timed_out.then(|| (Duration::from_secs(1), String::new()));
        course.verdict("a::b")
    }

    fn code(records: &[Record], timed_out: bool) -> ErrorCode {
        match verdict(records, timed_out) {
            Verdict::Broken(error) | Verdict::NotStarted(error) => error.code(),
            other => panic!("{other:?}"),
        }
    }

    const STARTED: Record = Record::Started(2);
    const EXIT_0: Record = Record::Ended(0);

    #[test]
    fn only_started_passed_and_status_0_is_a_pass() {
        assert!(matches!(verdict(&[STARTED, Record::Passed, EXIT_0], false), Verdict::Passed));
        for (records, expected) in [
            (vec![EXIT_0], ErrorCode::NotStarted),
            (vec![Record::Passed, EXIT_0], ErrorCode::NotStarted),
            (vec![STARTED, EXIT_0], ErrorCode::EarlyExit),
            (vec![STARTED, Record::Ended(VERDICT_LOST << 8)], ErrorCode::VerdictLost),
            (vec![STARTED, Record::Ended(libc::SIGSEGV)], ErrorCode::Signal),
            (vec![STARTED], ErrorCode::Signal),
            (vec![STARTED, Record::Passed, Record::Ended(1 << 8)], ErrorCode::ExitAfterPass),
            (vec![STARTED, Record::Passed], ErrorCode::ExitAfterPass),
            (
                vec![Record::InitFailed(libc::ENOMEM), STARTED, Record::Passed, EXIT_0],
                ErrorCode::Setup,
            ),
        ] {
            assert_eq!(code(&records, false), expected, "{records:?}");
        }
    }

    #[test]
    fn a_timeout_comes_before_what_the_body_said() {
        assert_eq!(code(&[STARTED, Record::Passed, EXIT_0], true), ErrorCode::Timeout);
    }

    #[test]
    fn an_aborting_panic_is_a_panic() {
        let records = [STARTED, Record::Panicked("x".into()), Record::Ended(libc::SIGABRT)];
        let Verdict::Failed(failure) = verdict(&records, false) else { panic!() };
        assert_eq!(failure, Failure::Panic("x".into()));
    }
}
