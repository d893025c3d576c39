//! Calls a test function with its parameters, and turns its end into a result.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use super::current::{Current, Role};
use super::fixtures::{Fixtures, or_unwind};
use super::{pause, setup_failure};
use crate::error::{Error, ErrorCode};
use crate::ipc::Failure;
use crate::panics;
use crate::run_config::{Findings, RunConfig};
use crate::runner::test::Test;
use crate::snapshot;
use crate::sys::init;

/// Calls the test function; its parameters are made first. It returns the text of its error, if
/// it returns one, before its value.
pub(crate) fn play<R: Termination>(
    test: &'static Test,
    role: Role,
    run_config: RunConfig,
    timeout: Option<Duration>,
    function: impl FnOnce(&mut Fixtures) -> (Option<String>, R),
) -> Played {
    let mut current = None;
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut fixtures = Fixtures::new(Current::of(test, role, run_config, timeout));
        current = Some(fixtures.current.shared());
        let (error, returned) = function(&mut fixtures);
        let code = returned.report();
        if code == ExitCode::SUCCESS {
            fixtures.current.await_quiescence();
        }
        let unseen = fixtures.current.unseen_failure();
        if code != ExitCode::SUCCESS {
            snapshot::at_error();
        } else if unseen.is_some() {
            snapshot::at_failure();
        }
        if code == ExitCode::SUCCESS && unseen.is_none() {
            or_unwind(fixtures.current.check_used());
        }
        (code, unseen, error)
    }));
    let result = match ended {
        Ok((code, None, _)) if code == ExitCode::SUCCESS => Ok(()),
        Ok((code, Some(unseen), _)) if code == ExitCode::SUCCESS => Err(Failure::Reported(unseen)),
        Ok((_, _, Some(error))) => Err(Failure::Error(error)),
        Ok((code, _, None)) => Err(Failure::Returned(match prints_its_error::<R>() {
            true => None,
            false => Some(number_of(code)),
        })),
        Err(payload) => {
            snapshot::at_end_of_panic();
            Err(match (setup_failure::message(&*payload), panics::message(&*payload)) {
                (Some(report), _) => Failure::Reported(report.to_owned()),
                (None, Some(text)) => Failure::Panic(text.to_owned()),
                (None, None) => Failure::PanicAny,
            })
        }
    };
    Played { test, result, current }
}

/// Whether `Termination::report` has printed `Error: …` if it returned a failure. It does so
/// for `Err`, and a result without an exit code fails in no other way.
fn prints_its_error<R>() -> bool {
    // The text is not guaranteed. Without it there is one line more in the output.
    std::any::type_name::<R>().starts_with("core::result::Result<()")
}

/// The number of an exit code, which only its `Debug` shows.
fn number_of(code: ExitCode) -> String {
    let text = format!("{code:?}");
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    if number.is_empty() { text } else { number }
}

/// A test function that has ended, while its network still exists.
pub(crate) struct Played {
    test: &'static Test,
    result: Result<(), Failure>,
    current: Option<Arc<Current>>,
}

impl Played {
    /// The result of the body, and what happened in its network.
    pub(crate) fn conclude(self) -> (Result<(), Failure>, Findings) {
        let Some(current) = self.current else { return (self.result, Findings::default()) };
        let findings = current.findings();
        let planned = current.run_config().plan.is_some();
        let matched = check_matched(&findings, planned);
        if self.result.is_ok() && matched.is_err() {
            snapshot::at_failure();
        }
        let result = match self.result {
            Err(Failure::Panic(_) | Failure::PanicAny)
                if self.test.options.should_panic.is_some() =>
            {
                matched.and(self.result)
            }
            Ok(()) => matched,
            failed => failed,
        };
        pause::at_end(&result);
        if init::handover().is_some() {
            // The kernel removes the network with the process, all at once, and faster than
            // handle by handle. The packet sockets are closed later: `wire::deferred_close`.
            current.end();
            std::mem::forget(current);
        }
        (result, findings)
    }
}

/// Fails a test that would pass although a fault that it declares affected no packet. Under
/// a plan it may: the plan changes what happens in the test.
fn check_matched(findings: &Findings, planned: bool) -> Result<(), Failure> {
    if planned || findings.unmatched.is_empty() {
        return Ok(());
    }
    let error = Error::new(ErrorCode::FaultUnmatched, "a declared fault had no effect")
        .source(findings.unmatched.join("\n"))
        .help("send matching packets or queries while it is active, or mark it `.optional()`");
    Err(Failure::Reported(format!("{error:?}")))
}
