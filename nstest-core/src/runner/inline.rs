//! The body in this very process: for debuggers, and for whoever wants to see
//! a test without a second process (`NSTEST_INLINE=1`).
//!
//! The calling thread alone moves into a new network namespace, which
//! unshare(2) allows to whoever has CAP_SYS_ADMIN; threads that it starts are
//! born there. Nothing else is isolated, there is no timeout, and a crash is the
//! whole process's.

use std::process::Termination;

use nix::sched::{CloneFlags, unshare};

use super::verdict::{self, Judged, Verdict};
use super::{Fixtures, Test, body, settings};
use crate::error::{Error, ErrorCode, Result};
use crate::run_config::RunConfig;
use crate::sys::step::loopback_up;

pub(super) fn play<R: Termination>(test: &'static Test, function: impl FnOnce(&mut Fixtures) -> R) {
    let run_config = settings::run_config(&test.options)
        .and_then(|run_config| possible(test, &run_config.0).map(|()| run_config))
        .and_then(|run_config| isolate().map(|()| run_config));
    let judged = match run_config {
        Ok((run_config, chosen)) => {
            let (outcome, findings) = body::play(test, run_config.clone(), function).conclude();
            let verdict = outcome.map_or_else(Verdict::Failed, |()| Verdict::Passed);
            Judged::of(verdict, &run_config, chosen, Some(&findings))
        }
        Err(error) => Verdict::Broken(error).into(),
    };
    verdict::announce(test, judged);
}

/// What needs a process of its own cannot be had here.
fn possible(test: &Test, run_config: &RunConfig) -> Result<()> {
    let argument = match test.options {
        super::Options { explore: Some(_), .. } if run_config.plan.is_none() => {
            return Err(Error::new(ErrorCode::Inline, "explore a test in this process")
                .source("each run of an exploration has a process of its own")
                .help("leave NSTEST_INLINE unset; or play one run, with the NSTEST_PLAN that the exploration printed"));
        }
        super::Options { netns: Some(name), .. } => format!("netns = \"{name}\""),
        super::Options { uplink: true, .. } => "uplink".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorCode::Inline, format!("play a test with `{argument}` in this process"))
        .source("that is made for the test by the process that starts it")
        .help("leave NSTEST_INLINE unset for it"))
}

/// Moves the calling thread into a new network namespace with `lo` up.
fn isolate() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
        Error::new(ErrorCode::Inline, "make a network namespace for the test, in this process: unshare")
            .source(errno)
            .help("inline mode needs the rights for it: start the test binary with `unshare -Urn`, or leave NSTEST_INLINE unset")
    })?;
    loopback_up().map_err(|errno| {
        Error::new(ErrorCode::Inline, "bring up `lo` of the test's network namespace")
            .source(std::io::Error::from_raw_os_error(errno))
    })
}
