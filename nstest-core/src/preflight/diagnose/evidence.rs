//! What a diagnosis is made from, and the diagnosis.

use nix::errno::Errno;

use super::super::caller::Caller;
use super::super::facts::{Container, Facts};
use super::super::probe::Probes;
use super::super::refusal::{Operation, Refusal};
use crate::error::ErrorCode;

/// The cause of a refusal, and a remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) code: ErrorCode,
    pub(crate) cause: String,
    pub(crate) remedy: String,
    /// Whether there is some of what is missing, and it is in use, or may be: what is
    /// exhausted now may be there for the next test.
    pub(crate) exhausted: bool,
}

/// What is known about one refusal.
pub(super) struct Evidence<'a> {
    pub(super) refusal: &'a Refusal,
    pub(super) errno: Errno,
    pub(super) facts: &'a Facts,
    pub(super) probes: &'a Probes,
}

impl Evidence<'_> {
    pub(super) fn at(&self, step: &Operation) -> bool {
        self.refusal.kind == *step
    }

    pub(super) fn at_mount(&self) -> bool {
        matches!(self.refusal.kind, Operation::Mount { .. })
    }

    pub(super) fn is(&self, errnos: &[Errno]) -> bool {
        errnos.contains(&self.errno)
    }

    pub(super) fn denied(&self) -> bool {
        self.is(&[Errno::EPERM, Errno::EACCES])
    }

    pub(super) fn limit(&self, kind: &str) -> Option<u64> {
        self.facts.namespace_limits.get(kind).copied()
    }

    pub(super) fn has(&self, capability: u64) -> bool {
        self.facts.capabilities.is_some_and(|has| has & capability != 0)
    }

    pub(super) fn caller(&self) -> Caller {
        self.facts.caller
    }

    pub(super) fn container(&self) -> Option<Container> {
        self.facts.container
    }
}

pub(super) fn found(
    code: ErrorCode,
    cause: impl Into<String>,
    remedy: impl Into<String>,
) -> Option<Diagnosis> {
    Some(Diagnosis { code, cause: cause.into(), remedy: remedy.into(), exhausted: false })
}

/// As [`found`], for something that is exhausted.
pub(super) fn exhausted(
    code: ErrorCode,
    cause: impl Into<String>,
    remedy: impl Into<String>,
) -> Option<Diagnosis> {
    found(code, cause, remedy).map(|diagnosis| Diagnosis { exhausted: true, ..diagnosis })
}
