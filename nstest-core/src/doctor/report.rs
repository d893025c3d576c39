//! What was found out about a machine, as data.

use std::time::Duration;

use super::capability::{Capability, Need};

/// What was found out about this machine.
#[derive(Debug, Clone)]
pub struct Examination {
    /// What was tried, in the order of docs/src/doctor.md.
    pub checks: Vec<Check>,
    /// What `nstest run` can do. A test needs some more.
    pub programs: Runs,
    /// The release of the kernel.
    pub kernel: Option<String>,
    /// The container runtime: `docker`, `podman`, `kubernetes`, `other`.
    pub container: Option<&'static str>,
    /// How many nodes a network can have. Absent if it was not found out.
    pub nodes: Option<u64>,
    /// How long it took to find out.
    pub took: Duration,
}

/// What `nstest run` can start on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// No program.
    Nothing,
    /// Programs without nodes and faults.
    WithoutNodes,
    /// Programs with nodes, without faults.
    WithoutFaults,
    /// Programs with nodes and faults.
    Everything,
}

/// What was found out about one capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was tried.
    pub capability: Capability,
    /// Whether it is there.
    pub status: CheckStatus,
    /// What was found.
    pub detail: Option<String>,
    /// Why it is missing. Absent if that follows from another problem.
    pub problem: Option<Problem>,
}

/// Whether a capability is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// It was used, and works.
    Works,
    /// It is missing, and nstest uses something else.
    Replaced,
    /// It is missing.
    Missing,
    /// It could not be tried, since something before it failed.
    Untried,
    /// nstest does not need it.
    Unneeded,
}

impl CheckStatus {
    /// The name in the report for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckStatus::Works => "works",
            CheckStatus::Replaced => "replaced",
            CheckStatus::Missing => "missing",
            CheckStatus::Untried => "untried",
            CheckStatus::Unneeded => "unneeded",
        }
    }

    #[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Works, Self::Replaced, Self::Missing, Self::Untried, Self::Unneeded]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// Why a capability is missing, as an error of a test would say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The code of the error: a section of the page on troubleshooting.
    pub code: String,
    /// The operation that was refused.
    pub what: String,
    /// Why it was refused.
    pub cause: String,
    /// The command or the setting that helps.
    pub fix: String,
}

impl Examination {
    /// Whether tests can run, perhaps without nodes or faults.
    #[must_use]
    pub fn runs_tests(&self) -> bool {
        self.has_all(|need| need == Need::Required)
    }

    /// Whether tests can run, with nodes and faults.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.has_all(Need::is_required)
    }

    fn has_all(&self, of: fn(Need) -> bool) -> bool {
        let mut checks = self.checks.iter().filter(|check| of(check.capability.need));
        checks.all(|check| check.status == CheckStatus::Works)
    }

    /// What has a known cause: what is required first, what is optional last.
    #[must_use]
    pub fn problems(&self) -> Vec<(&Check, &Problem)> {
        let mut found: Vec<_> =
            self.checks.iter().filter_map(|check| Some((check, check.problem.as_ref()?))).collect();
        found.sort_by_key(|(check, _)| match check.capability.need {
            Need::Required => 0,
            Need::Nodes => 1,
            Need::Faults | Need::CodeInNodes => 2,
            Need::Part(_) => 3,
            Need::Optional(_) => 4,
            Need::Unneeded => 5,
        });
        found
    }
}
