//! Causes in the kernel: it is too old, or was built without something.

use nix::errno::Errno;

use super::super::probe::{KINDS, TrialOutcome};
use super::super::refusal::Operation;
use super::evidence::{Diagnosis, Evidence, found};
use crate::error::ErrorCode;

/// EINVAL on the kernel of WSL 1 (`4.4.0-19041-Microsoft`; that of WSL 2 is in lower case).
pub(super) fn wsl1(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let kernel = evidence.facts.kernel.as_deref()?;
    if !(kernel.ends_with("-Microsoft")
        && evidence.is(&[Errno::EINVAL, Errno::ENOSYS, Errno::EPERM]))
    {
        return None;
    }
    found(
        ErrorCode::Wsl1,
        format!("this is WSL 1 (kernel {kernel}), which has no namespaces"),
        "run in PowerShell, with the NAME that `wsl --list` shows: wsl --set-version NAME 2",
    )
}

/// EINVAL: the kernel was built without a kind of namespace.
pub(super) fn no_namespaces(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Clone) && evidence.errno == Errno::EINVAL) {
        return None;
    }
    let missing = TrialOutcome::Refused(Errno::EINVAL);
    let option = if evidence.probes.user == missing {
        "CONFIG_USER_NS"
    } else {
        let (kind, _) = KINDS
            .iter()
            .map(|(kind, _)| *kind)
            .zip(evidence.probes.kinds)
            .find(|(_, outcome)| *outcome == missing)?;
        match kind {
            "pid" => "CONFIG_PID_NS",
            "uts" => "CONFIG_UTS_NS",
            "ipc" => "CONFIG_IPC_NS",
            _ => "CONFIG_NET_NS",
        }
    };
    let kernel = evidence.facts.kernel.as_deref().unwrap_or("of this machine");
    found(
        ErrorCode::NoNamespaces,
        format!("the kernel {kernel} was built without {option}"),
        format!(
            "run {} on a kernel with {option}=y, such as that of any large distribution",
            evidence.caller().name()
        ),
    )
}

/// The first version of Linux with all that nstest needs.
const OLDEST_KERNEL: (u32, u32) = (5, 11);

/// The call that needs it: docs/src/limits.md.
const CLOSE_RANGE: &str = "close_range";

/// EINVAL or ENOSYS from a kernel without CLOSE_RANGE_CLOEXEC (5.11) or CLONE_PIDFD (5.2).
pub(super) fn old_kernel(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let call = evidence.at(&Operation::Clone) || evidence.refusal.call == CLOSE_RANGE;
    let unknown = evidence.is(&[Errno::EINVAL, Errno::ENOSYS]);
    let facts = evidence.facts;
    if !(call && unknown && facts.kernel_before(OLDEST_KERNEL)) {
        return None;
    }
    let (major, minor) = OLDEST_KERNEL;
    let kernel = facts.kernel.as_deref().unwrap_or_default();
    found(
        ErrorCode::OldKernel,
        format!("this is Linux {kernel}, and nstest needs Linux {major}.{minor} or later"),
        format!(
            "run {} on a newer kernel; a container has that of its host",
            evidence.caller().name()
        ),
    )
}
