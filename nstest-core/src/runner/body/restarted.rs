//! The test's own binary, started again by the test itself.
//!
//! rusty-fork, and proptest with `fork` or `timeout`, start the test binary once more with
//! `--exact NAME`, and run a part of the test function in the new process. Tests do it by
//! hand, too. The new process is in the test's namespaces. There libtest calls the wrapper,
//! which calls the test function, as libtest calls an ordinary `#[test]`. New namespaces
//! would lack what the test has prepared, and the process that started this one does not
//! expect a verdict.
//!
//! The body leaves its assignment in the test's own /run, since a process may be started
//! with another environment, as another user or with fewer capabilities.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Termination;

use super::current::Role;
use super::fixtures::Fixtures;
use super::play::play;
use crate::context::TimeLimit;
use crate::ipc::Assignment;
use crate::layout::BODY;
use crate::preflight::policy::Policy;
use crate::run_config::RunConfig;
use crate::runner::announce::announce;
use crate::runner::test::Test;
use crate::runner::verdict::Verdict;
use crate::sys::init;

/// A process in which the body's binary was started again.
#[derive(Debug)]
pub(crate) struct Restarted(Assignment);

impl Restarted {
    /// Present if this process is within the body of the test with the path `test`, is not
    /// the body, and has the same binary.
    pub(crate) fn within(test: &str) -> Option<Self> {
        if init::handover().is_some() {
            return None;
        }
        let target = fs::read_link(BODY).ok()?;
        let (binary, assignment) = target.to_str()?.split_once(' ')?;
        let assignment = Assignment::decode(assignment).filter(|it| it.test == test)?;
        (this_binary().as_deref() == Some(binary)).then_some(Self(assignment))
    }

    /// What the body was started with.
    pub(crate) fn run_config(self) -> RunConfig {
        self.0.run_config
    }

    /// Calls the test function. Panics if it fails.
    pub(crate) fn play<R: Termination>(
        self,
        test: &'static Test,
        function: impl FnOnce(&mut Fixtures) -> (Option<String>, R),
    ) {
        let Assignment { timeout, run_config, .. } = self.0;
        TimeLimit::begin(timeout);
        let (result, _) = play(test, Role::Restarted, run_config, timeout, function).conclude();
        let verdict = result.map_or_else(Verdict::Failed, |()| Verdict::Passed);
        announce(test, verdict.into(), Policy::default());
    }
}

/// Called in the body when it begins.
pub(super) fn leave_assignment(assignment: &Assignment) {
    let Some(binary) = this_binary() else { return };
    // It fails if the plan of faults is longer than a path. Then the binary, if it is
    // started again, starts a test of its own.
    let _ = symlink(format!("{binary} {}", assignment.encode()), BODY);
}

/// Which file this process runs: the same binary may have another path, and another
/// binary may have a test of the same path.
fn this_binary() -> Option<String> {
    let file = fs::metadata("/proc/self/exe").ok()?;
    Some(format!("{}:{}", file.dev(), file.ino()))
}
