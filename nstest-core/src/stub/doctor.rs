//! `nstest doctor` on platforms without network namespaces.

use std::time::Duration;

use super::capability::ALL;
use super::report::{Check, CheckStatus, Examination, Problem, Runs};
use super::trials::Trials;
use crate::error::ErrorCode;

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
