//! From what the parent observed of a test to the verdict: pure functions.
//!
//! A test has passed if its body reported that it began, reported that it passed, and its
//! process then ended with status 0. Everything else is a failure, and the first rule that
//! applies names it.

use std::time::Duration;

use nix::libc;
use nix::sys::signal::Signal;

use super::record::TestRecord;
use super::settings::Settings;
use crate::error::{Error, ErrorCode, Result};
use crate::ipc::{Event, FAILED, Failure};
use crate::preflight::{Operation, Refusal};
use crate::run_config::{Findings, FoundPoint, RunConfig};

/// What the parent observed of a test, from the clone to the death of the last process.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// Whether the body reported that it began.
    pub(super) started: bool,
    /// The message of a panic after which the process may have aborted.
    aborting: Option<String>,
    /// The body's result, if it reported one.
    result: Option<std::result::Result<(), Failure>>,
    /// Whether the test closed the pipe through which the body reports.
    pipe_closed: bool,
    /// The call that init could not make, and its `errno`.
    init_failed: Option<(&'static str, i32)>,
    /// The wait status of the body's process.
    status: Option<i32>,
    /// The `errno` with which the program that the body was to start was not executed.
    pub(super) not_executed: Option<i32>,
    /// Whether the body, or the program that is its child, is stopped.
    pub(super) stopped: bool,
    /// The signal that killed init, before or after it was init.
    pub(super) init_killed: Option<i32>,
    /// What the body found in its network.
    pub(super) found: Option<Findings>,
    /// What the body printed, if it was kept.
    pub(super) printed: String,
    /// The timeout, if it passed, and the processes that were alive then.
    pub(super) timed_out: Option<(Duration, String)>,
    /// The signal that was to end the parent's process, if one arrived.
    pub(super) interrupted: Option<Signal>,
    /// The record of the test.
    pub(super) record: TestRecord,
    /// The cause of the [refusal](Self::refusal), if there is one.
    pub(super) explanation: Option<Error>,
}

/// How a test ended.
#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    /// The body failed in a way in which tests fail.
    Failed(Failure),
    /// The body did not end by itself, or could not be started.
    Broken(Error),
    /// The libtest in the body's process does not know the name. Another name may be right.
    NotStarted(Error),
}

/// A verdict, and what is printed beside it.
#[derive(Debug)]
pub(super) struct SeededVerdict {
    pub(super) verdict: Verdict,
    /// Faults of the plan without effect, if the test failed in another way.
    pub(super) note: Option<Error>,
    /// The seed with which the test is to be repeated, if it matters.
    pub(super) seed: Option<u64>,
    /// What is printed after a failure: what the record of the test shows, and where it is.
    pub(super) evidence: Option<String>,
}

impl From<Verdict> for SeededVerdict {
    fn from(verdict: Verdict) -> Self {
        Self { verdict, note: None, seed: None, evidence: None }
    }
}

impl SeededVerdict {
    /// The verdict about a test that libtest was to find by `name`.
    pub(super) fn of(
        mut observed: Observed,
        name: &str,
        should_panic: bool,
        settings: &Settings,
    ) -> Self {
        let found = observed.found.take();
        let verdict = observed.verdict(name, should_panic);
        Self::with_findings(verdict, &settings.run_config, settings.seed_given, found.as_ref())
    }

    /// Fails a test that passed although a fault of its plan had no effect, and notes that
    /// beside another failure. Adds the seed, if something in the
    /// network was random; also if that is not known, since the body died, and the user
    /// chose the seed.
    pub(super) fn with_findings(
        verdict: Verdict,
        run_config: &RunConfig,
        seed_given: bool,
        found: Option<&Findings>,
    ) -> Self {
        let plan = run_config.plan.as_ref().filter(|_| !found.is_some_and(Findings::reached));
        let (verdict, note) = match (verdict, plan) {
            (Verdict::Passed, Some(plan)) => (Verdict::Broken(unmatched(plan, found)), None),
            (Verdict::Failed(failure), Some(plan)) if found.is_some() => {
                (Verdict::Failed(failure), Some(unmatched(plan, found)))
            }
            (verdict, _) => (verdict, None),
        };
        let ended = matches!(verdict, Verdict::Passed | Verdict::Failed(_));
        let random = found.map_or(seed_given && !ended, |found| found.random);
        let seed = random.then_some(run_config.seed);
        Self { verdict, note, seed, evidence: None }
    }
}

fn unmatched(plan: &str, found: Option<&Findings>) -> Error {
    let outcome = found.and_then(|found| found.injected.as_ref());
    let why = match outcome {
        None => "the test has no network".to_owned(),
        Some(outcome) => format!("these had no effect:\n{}", outcome.unmatched.join("\n")),
    };
    Error::new(ErrorCode::FaultUnmatched, format!("apply the plan `{plan}`"))
        .source(why)
        .help("correct its names, packets or numbers; a plan that was printed belongs to the test as it was then")
}

impl Verdict {
    /// Whether the test has failed, with the message that `#[should_panic]` expects, if it does.
    pub(super) fn is_failure(&self, should_panic: Option<&str>) -> bool {
        match (self, should_panic) {
            (Verdict::Passed, expected) => expected.is_some(),
            (Verdict::Failed(Failure::Panic(text)), Some(expected)) => !text.contains(expected),
            (Verdict::Failed(Failure::PanicAny), Some(expected)) => !expected.is_empty(),
            _ => true,
        }
    }

    /// In one line or more.
    pub(super) fn describe(&self) -> String {
        match self {
            Verdict::Passed => "the test passed".to_owned(),
            Verdict::Failed(Failure::Panic(text)) => format!("the test panicked: {text}"),
            Verdict::Failed(Failure::PanicAny) => "the test panicked".to_owned(),
            Verdict::Failed(Failure::Returned(Some(code))) => {
                format!("the test returned the exit code {code}")
            }
            Verdict::Failed(Failure::Returned(None)) => "the test returned an error".to_owned(),
            Verdict::Failed(Failure::Error(text)) => format!("the test returned an error: {text}"),
            Verdict::Failed(Failure::Reported(report)) => report.clone(),
            Verdict::Broken(error) | Verdict::NotStarted(error) => format!("{error:?}"),
        }
    }
}

impl Observed {
    pub(super) fn note(&mut self, event: Event) {
        match event {
            Event::Started(_) => self.started = true,
            Event::Panicked(text) => self.aborting = Some(text),
            Event::Paused(_) => {}
            Event::Found(found) => self.found = Some(found),
            Event::Passed => self.result = Some(Ok(())),
            Event::Failed(failure) => self.result = Some(Err(failure)),
            Event::PipeClosed => self.pipe_closed = true,
            Event::InitFailed(errno) => self.init_failed = Some(("clone", errno)),
            Event::NotAwaited(errno) => self.init_failed = Some(("wait4", errno)),
            Event::Ended(status) => self.status = Some(status),
            Event::Stopped(_) => self.stopped = true,
            Event::Continued => self.stopped = false,
            Event::NotExecuted(errno) => self.not_executed = Some(errno),
        }
    }

    /// The points at which a fault can be injected; the rest of the findings stay.
    pub(super) fn take_points(&mut self) -> Vec<FoundPoint> {
        self.found.as_mut().map(|found| std::mem::take(&mut found.points)).unwrap_or_default()
    }

    /// What the machine refused before the body began, if it did.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        if let Some((call, errno)) = self.init_failed {
            return Some(Refusal {
                step: "start the test's process, and wait for it".to_owned(),
                call: call.to_owned(),
                errno,
                kind: Operation::Other,
            });
        }
        let began = self.started || self.status.is_some() || self.timed_out.is_some();
        // Only a seccomp filter kills a process there by design, or by this signal.
        let by_filter = |signal: &i32| *signal == libc::SIGSYS && self.status.is_none();
        self.init_killed.filter(|signal| !began || by_filter(signal)).map(|signal| Refusal {
            step: "set up the test's process".to_owned(),
            call: "the process was killed".to_owned(),
            errno: 0,
            kind: Operation::Killed { signal },
        })
    }

    /// What failed before the body could start a program, if something did.
    #[cfg(feature = "cli")]
    pub(super) fn take_report(&mut self) -> Option<String> {
        match self.result.take_if(|result| matches!(result, Err(Failure::Reported(_))))? {
            Err(Failure::Reported(report)) => Some(report),
            _ => None,
        }
    }

    /// The wait status of a program that reports no result. `who`: what it is.
    pub(super) fn into_status(self, who: &str) -> Result<i32> {
        if let Some(error) = self.explanation {
            return Err(error);
        }
        self.status.ok_or_else(|| ended_early(who, None, "before it ended by itself"))
    }

    /// The verdict about a test that libtest was to find by `name`.
    /// `should_panic`: a panic is the test's success.
    pub(super) fn verdict(self, name: &str, should_panic: bool) -> Verdict {
        if let Some(error) = self.explanation {
            return Verdict::Broken(error);
        }
        if let Some((timeout, alive)) = self.timed_out {
            return Verdict::Broken(timed_out(timeout, &alive, self.started));
        }
        if let (Some(signal), None) = (self.interrupted, &self.result) {
            return Verdict::Broken(interrupted(signal));
        }
        if self.pipe_closed {
            return Verdict::Broken(verdict_lost());
        }
        let end = self.status.map(ProcessEnd::of);
        if !self.started {
            return match end {
                Some(ProcessEnd::Exited(_)) => Verdict::NotStarted(not_started(name)),
                end => Verdict::Broken(ended_early(TEST, end, "before the test began")),
            };
        }
        match (self.result, end) {
            (None, Some(ProcessEnd::Killed(Signal::SIGABRT))) if self.aborting.is_some() => {
                Verdict::Failed(Failure::Panic(self.aborting.unwrap_or_default()))
            }
            (None, end) => Verdict::Broken(ended_early(TEST, end, "before the test ended")),
            (Some(Ok(())), Some(ProcessEnd::Exited(0))) => Verdict::Passed,
            (Some(Ok(())), end) => Verdict::Broken(ended_badly("passed", end)),
            (Some(Err(Failure::Panic(_) | Failure::PanicAny)), end)
                if should_panic && !matches!(end, Some(ProcessEnd::Exited(FAILED))) =>
            {
                Verdict::Broken(ended_badly("panicked, as it should", end))
            }
            (Some(Err(failure)), _) => Verdict::Failed(failure),
        }
    }
}

/// The process of a test, in messages.
const TEST: &str = "the test's process";

/// How a process ended.
#[derive(Debug, Clone, Copy)]
enum ProcessEnd {
    Exited(i32),
    Killed(Signal),
    /// By a signal without a name, such as a real-time signal.
    KilledBy(i32),
}

impl ProcessEnd {
    fn of(status: i32) -> Self {
        if libc::WIFEXITED(status) {
            return ProcessEnd::Exited(libc::WEXITSTATUS(status));
        }
        let number = libc::WTERMSIG(status);
        Signal::try_from(number).map_or(ProcessEnd::KilledBy(number), ProcessEnd::Killed)
    }

    fn describe(end: Option<Self>) -> String {
        match end {
            Some(ProcessEnd::Exited(status)) => format!("exited with status {status}"),
            Some(ProcessEnd::Killed(signal)) => {
                format!("was killed by {signal} (signal {})", signal as i32)
            }
            Some(ProcessEnd::KilledBy(number)) => format!("was killed by signal {number}"),
            None => "was killed, and so was its init".to_owned(),
        }
    }
}

fn timed_out(timeout: Duration, alive: &str, started: bool) -> Error {
    let more = "allow more with #[netns_test(timeout = \"…\")], or for all tests with NSTEST_TIMEOUT=3 (a factor, or `none`)";
    let help = match started {
        true => more.to_owned(),
        false => format!(
            "the test function did not begin. If an attribute below #[netns_test] locks a file, both processes of the test want the lock: write it above. Otherwise {more}"
        ),
    };
    Error::new(
        ErrorCode::Timeout,
        format!("the test did not end within {timeout:?}; it was killed{alive}"),
    )
    .help(help)
}

pub(super) fn interrupted(signal: Signal) -> Error {
    Error::new(
        ErrorCode::Signal,
        format!("the test did not end before {signal}, which ends all tests of this process; it was killed"),
    )
    .help("if nextest sent the signal, see `slow-timeout` in its configuration")
}

fn not_started(name: &str) -> Error {
    Error::new(
        ErrorCode::NotStarted,
        format!("the test binary, started again with `--exact {name}`, did not run this test"),
    )
    .help("libtest must call the test under that name: with a macro that makes tests of its own, put #[netns] on a sync function and #[nstest::test] on an async one, below that macro")
}

fn verdict_lost() -> Error {
    Error::new(ErrorCode::VerdictLost, "the test closed the pipe through which its process reports the result")
        .help("it, or something that it called, closed file descriptors that it had not opened (close_range, closefrom); leave open what others opened")
}

fn ended_early(who: &str, end: Option<ProcessEnd>, when: &str) -> Error {
    let (code, help) = match end {
        Some(ProcessEnd::Exited(_)) => (
            ErrorCode::EarlyExit,
            "exit, _exit and exec end the test function without a verdict; return from it instead",
        ),
        Some(ProcessEnd::Killed(Signal::SIGKILL)) | None => (
            ErrorCode::Signal,
            "if it did not kill itself, the kernel may have run out of memory: see `dmesg`",
        ),
        Some(ProcessEnd::Killed(Signal::SIGSYS)) => (
            ErrorCode::Signal,
            "a seccomp filter forbids a system call that the test or nstest made: `dmesg` may have a line `type=1326` with its number (`syscall=`); allow it in the filter",
        ),
        Some(ProcessEnd::Killed(Signal::SIGABRT)) => (
            ErrorCode::Signal,
            "abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above",
        ),
        Some(ProcessEnd::Killed(_) | ProcessEnd::KilledBy(_)) => {
            (ErrorCode::Signal, "see the output above, which is what the test printed before")
        }
    };
    Error::new(code, format!("{who} {} {when}", ProcessEnd::describe(end))).help(help)
}

/// A test function has done what it should, and its process has not.
fn ended_badly(did: &str, end: Option<ProcessEnd>) -> Error {
    Error::new(
        ErrorCode::ExitAfterPass,
        format!("the test function {did}, and then its process {}", ProcessEnd::describe(end)),
    )
    .help("check what runs after main: atexit handlers, destructors of statics, threads that are still alive")
}

#[cfg(test)]
mod tests;
