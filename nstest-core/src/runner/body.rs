//! The body's side: the process in which the test function runs.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::process::{ExitCode, Termination};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Test;
use super::ambient::{Current, Entered};
use crate::error::{Error, ErrorCode};
use crate::fixture::{Fixture, FixtureParam};
use crate::ipc::{Failure, Record};
use crate::panics;
use crate::run_config::{Findings, RunConfig};
use crate::sync::lock;
use crate::sys::init::{self, Chosen};
use crate::sys::process::{adopt, exit_now, redirect_stdout};

/// With this status the body's process ends when it cannot deliver its verdict.
pub(super) const VERDICT_LOST: i32 = 121;

/// The way from the body to the parent.
pub(super) struct Channel {
    chosen: &'static Chosen,
    report: Mutex<File>,
}

impl Channel {
    /// The channel, if this process was started as the body of `test`, and the
    /// body has not begun. A nested test finds it taken and starts its own.
    pub(super) fn claim(test: &Test) -> Option<Self> {
        Self::claim_named(&test.path())
    }

    /// As [`claim`](Self::claim), by the name that the parent passed.
    pub(super) fn claim_named(name: &str) -> Option<Self> {
        static CLAIMED: AtomicBool = AtomicBool::new(false);
        let chosen = init::chosen().filter(|chosen| chosen.test == name)?;
        if CLAIMED.swap(true, Ordering::Relaxed) {
            return None;
        }
        let report = Mutex::new(File::from(adopt(chosen.report)));
        Some(Self { chosen, report })
    }

    /// Begins: from here on, what is printed is the test's.
    pub(super) fn begin(&self) {
        let stdout = adopt(self.chosen.stdout);
        if redirect_stdout(stdout.as_fd()).is_err() {
            self.lost();
        }
        self.send(&Record::Started(std::process::id()));
    }

    /// Runs the test function, delivers the verdict, and ends the process.
    pub(super) fn play<R: Termination>(
        self,
        test: &'static Test,
        body: impl FnOnce(&mut Fixtures) -> R,
    ) -> ! {
        self.begin();
        let pid = std::process::id();
        let channel = Arc::new(self);
        report_aborting_panics(&channel);
        let played = play(test, channel.chosen.run_config.clone(), body);
        if std::process::id() != pid {
            eprintln!(
                "nstest: a fork of the test's process came back from the test; only the first counts"
            );
            exit_now(0);
        }
        let (outcome, findings) = played.conclude();
        channel.conclude(outcome, findings)
    }

    fn conclude(&self, outcome: Result<(), Failure>, findings: Findings) -> ! {
        let _ = std::io::stdout().flush();
        if !findings.is_empty() {
            self.send(&Record::Found(findings));
        }
        let (record, status) = match outcome {
            Ok(()) => (Record::Passed, 0),
            Err(failure) => (Record::Failed(failure), 101),
        };
        self.send(&record);
        std::process::exit(status)
    }

    /// The body may have closed the descriptor, and the number may stand for a
    /// file of its own by now.
    fn send(&self, record: &Record) {
        let mut report = lock(&self.report);
        if !self.chosen.report_is_open() || report.write_all(&record.encode()).is_err() {
            self.lost();
        }
    }

    fn lost(&self) -> ! {
        eprintln!("nstest: the pipe for the verdict was closed");
        exit_now(VERDICT_LOST)
    }
}

/// Whether this process was started in namespaces of its own.
pub(super) fn is_body() -> bool {
    init::chosen().is_some()
}

/// A test function and all of its parameters, from the first to the last.
pub(super) fn play<R: Termination>(
    test: &'static Test,
    run_config: RunConfig,
    body: impl FnOnce(&mut Fixtures) -> R,
) -> Played {
    let mut current = None;
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let mut fixtures = Fixtures::new(test, run_config);
        current = Some(fixtures.current.shared());
        let code = body(&mut fixtures).report();
        let unseen = fixtures.current.unseen_failure();
        if code == ExitCode::SUCCESS && unseen.is_none() {
            fixtures.current.check_used().unwrap_or_else(|error| refuse(&error));
        }
        (code, unseen)
    }));
    let outcome = match result {
        Ok((code, None)) if code == ExitCode::SUCCESS => Ok(()),
        Ok((code, Some(unseen))) if code == ExitCode::SUCCESS => Err(Failure::Reported(unseen)),
        Ok((code, _)) => Err(Failure::Returned(format!("{code:?}"))),
        Err(payload) => Err(match payload.downcast::<SetupFailed>() {
            Ok(failed) => Failure::Reported(failed.0),
            Err(payload) => panics::message(&*payload)
                .map_or(Failure::PanicAny, |text| Failure::Panic(text.to_owned())),
        }),
    };
    Played { test, outcome, current }
}

/// A test function that has ended; its world is still there.
pub(super) struct Played {
    test: &'static Test,
    outcome: Result<(), Failure>,
    current: Option<Arc<Current>>,
}

impl Played {
    /// The verdict of the body, and what there is to tell of its network.
    pub(super) fn conclude(self) -> (Result<(), Failure>, Findings) {
        let Some(current) = self.current else { return (self.outcome, Findings::default()) };
        let findings = current.findings();
        let planned = current.run_config().plan.is_some();
        if is_body() {
            // The world goes with the process, all at once, and its packet sockets after
            // that: `wire::custody`.
            current.end();
            std::mem::forget(current);
        }
        let outcome = match self.outcome {
            Err(Failure::Panic(_) | Failure::PanicAny)
                if self.test.options.should_panic.is_some() =>
            {
                check_matched(&findings, planned).and(self.outcome)
            }
            Ok(()) => check_matched(&findings, planned),
            failed => failed,
        };
        (outcome, findings)
    }
}

/// A fault that never happened would make a test pass that tests nothing. A plan
/// changes the course of a test, and its faults may pass by those declared.
fn check_matched(findings: &Findings, planned: bool) -> Result<(), Failure> {
    if planned || findings.unmatched.is_empty() {
        return Ok(());
    }
    let faults = findings.unmatched.join("\n");
    let error = Error::new(ErrorCode::FaultUnmatched, "inject every fault that the test declares")
        .source(format!("this affected nothing:\n{faults}"))
        .help("see that what it waits for is sent while it is there; or say `.optional()` of it");
    Err(Failure::Reported(format!("{error:?}")))
}

/// Where a panic aborts, the hook is the last to see its message. libtest's own
/// hook would end the process with a verdict of its own: it makes way for std's.
fn report_aborting_panics(channel: &Arc<Channel>) {
    if cfg!(panic = "abort") {
        let channel = Arc::clone(channel);
        let (process, thread) = (std::process::id(), std::thread::current().id());
        drop(std::panic::take_hook());
        let printer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            printer(info);
            if std::thread::current().id() == thread && std::process::id() == process {
                let text = panics::message(info.payload()).unwrap_or_default();
                channel.send(&Record::Panicked(text.to_owned()));
            }
        }));
    }
}

/// Unwinds out of a test whose parameters could not be made: no panic of the test's.
struct SetupFailed(String);

/// Makes the parameters of one test.
#[derive(Debug)]
pub struct Fixtures {
    current: Entered,
}

impl Fixtures {
    fn new(test: &Test, run_config: RunConfig) -> Self {
        let current = Current::of(test, run_config).unwrap_or_else(|error| refuse(&error));
        Self { current: Entered::enter(current) }
    }

    /// First phase of one parameter. Ends the test where it fails.
    pub fn plan<F: Fixture>(&mut self, name: &str) -> F::Plan {
        self.current
            .plan(|spec| F::plan(spec, FixtureParam::new(name)))
            .unwrap_or_else(|error| refuse(&error))
    }

    /// Second phase of one parameter; the first call builds the world.
    pub fn setup<F: Fixture>(&mut self, plan: F::Plan) -> F {
        let world = self.current.world().unwrap_or_else(|error| refuse(&error));
        F::setup(plan, world).unwrap_or_else(|error| refuse(&error))
    }
}

pub(super) fn refuse(error: &Error) -> ! {
    std::panic::resume_unwind(Box::new(SetupFailed(format!("{error:?}"))))
}
