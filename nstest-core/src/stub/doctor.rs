//! `nstest doctor` on platforms without network namespaces.

use std::time::Duration;

use super::capability::ALL;
use super::report::{Check, CheckStatus, Examination, Problem, Runs};
use crate::error::ErrorCode;

/// Which trials a child makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trials {
    /// Those of `nstest run`.
    Run,
    /// The same, without a fault.
    RunNode,
    /// The same, without a node.
    RunWorld,
    /// None: it is the body of a program that has a node.
    Node,
    /// None: it is the body of a program that has a node and a fault.
    Fault,
    /// None: it is the program that `nstest run` starts.
    Nothing,
    /// On the machine.
    Outside,
    /// In the world of a test.
    Inside,
    /// Those of an uplink.
    Uplink,
}

/// Makes no trials.
pub fn run_trials(_: Trials) {}

/// Finds out what this machine lets nstest do: nothing.
#[must_use]
pub fn examine(_: &[&str]) -> Examination {
    let problem = Problem {
        code: ErrorCode::Platform.to_string(),
        what: "make a network namespace".to_owned(),
        cause: "this is not Linux, and only Linux has network namespaces".to_owned(),
        fix: "run the tests on Linux".to_owned(),
    };
    let checks = ALL.iter().map(|capability| Check {
        capability: *capability,
        status: CheckStatus::Untried,
        detail: None,
        problem: (capability.name == "world").then(|| problem.clone()),
    });
    let (kernel, container, nodes) = (None, None, None);
    Examination {
        checks: checks.collect(),
        programs: Runs::Nothing,
        kernel,
        container,
        nodes,
        took: Duration::ZERO,
    }
}
