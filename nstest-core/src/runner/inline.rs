//! Runs the body in the parent's process, for debuggers (`NSTEST_INLINE=1`).
//!
//! Only the calling thread moves into a new network namespace, with unshare(2), which needs
//! CAP_SYS_ADMIN; threads that it starts are in that namespace, too. Nothing else is
//! isolated, there is no timeout, and a crash ends the whole test binary.

use std::process::Termination;

use nix::sched::{CloneFlags, unshare};

use super::body::current::Role;
use super::body::fixtures::Fixtures;
use super::body::play;
use super::settings::Settings;
use super::test::{Options, Test};
use super::verdict::{SeededVerdict, Verdict};
use crate::error::{Error, ErrorCode, Result};
use crate::sys::step::loopback_up;

/// Runs the test function on this thread.
pub(super) fn play<R: Termination>(
    test: &'static Test,
    settings: &Settings,
    function: impl FnOnce(&mut Fixtures) -> (Option<String>, R),
) -> SeededVerdict {
    if let Err(error) = refuse_unsuited(&test.options, settings).and_then(|()| isolate()) {
        return Verdict::Broken(error).into();
    }
    let Settings { timeout, run_config, seed_given, .. } = settings;
    let played = play::play(test, Role::Body, run_config.clone(), *timeout, function);
    let (result, findings) = played.conclude();
    let verdict = result.map_or_else(Verdict::Failed, |()| Verdict::Passed);
    SeededVerdict::with_findings(verdict, run_config, *seed_given, Some(&findings))
}

/// # Errors
/// If the test needs a process of its own.
fn refuse_unsuited(options: &Options, settings: &Settings) -> Result<()> {
    let refused = |what: &str, cause: &str| {
        Error::new(ErrorCode::Inline, format!("{what} in the test binary's own process"))
            .source(cause.to_owned())
    };
    if settings.exploration.is_some() {
        return Err(refused("explore a test", "each run of an exploration has a process of its own")
            .help("unset NSTEST_INLINE; or set NSTEST_PLAN to a plan that the exploration printed, to play one run"));
    }
    let argument = match options {
        Options { netns: Some(name), .. } => format!("netns = \"{name}\""),
        Options { uplink: true, .. } => "uplink".to_owned(),
        _ => return Ok(()),
    };
    let what = format!("run a test with `{argument}`");
    Err(refused(&what, "the process that starts the test has to provide it")
        .help("unset NSTEST_INLINE for this test"))
}

/// Moves the calling thread into a new network namespace with `lo` up.
fn isolate() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
        Error::new(ErrorCode::Inline, "make a network namespace in the test binary's own process: unshare")
            .source(errno)
            .help("start the test binary with `unshare -Urn`, which gives it the rights; or unset NSTEST_INLINE")
    })?;
    loopback_up().map_err(|errno| {
        Error::new(ErrorCode::Inline, "bring up `lo` of the test's network namespace")
            .source(std::io::Error::from_raw_os_error(errno))
    })
}
