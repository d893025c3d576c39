//! Who forbids it in the kernel's stead: seccomp, AppArmor, SELinux, a missing capability.

use nix::errno::Errno;
use nix::libc;

use super::super::facts::Container;
use super::super::probe::{Filter, Outcome};
use super::super::{Step, remedy};
use super::{CAP_SETFCAP, CAP_SYS_ADMIN, Case, Diagnosis, found};
use crate::error::ErrorCode;

/// The profile into which Ubuntu puts a process that makes a user namespace.
const UBUNTU_PROFILE: &str = "unprivileged_userns";

/// SIGSYS, in the process that set up or in ours that tried the same.
pub(super) fn seccomp_kill(case: &Case<'_>) -> Option<Diagnosis> {
    let by_sigsys = |outcome: &Outcome| *outcome == Outcome::Killed(libc::SIGSYS);
    let killed = match case.refusal.kind {
        Step::Killed { signal } => signal == libc::SIGSYS,
        _ => {
            case.probes.clone_filter == Filter::Kills(libc::SIGSYS)
                || case.probes.mount_filter == Filter::Kills(libc::SIGSYS)
                || by_sigsys(&case.probes.user)
                || case.probes.kinds.iter().any(by_sigsys)
        }
    };
    if !killed {
        return None;
    }
    found(
        ErrorCode::SeccompKill,
        "a seccomp filter kills the process that makes this system call (SIGSYS)",
        remedy::seccomp(case.facts),
    )
}

/// EPERM or ENOSYS that is not the kernel's: it does not see the call.
pub(super) fn seccomp(case: &Case<'_>) -> Option<Diagnosis> {
    let filter = if case.at(&Step::Clone) {
        case.probes.clone_filter
    } else if case.at_mount() {
        case.probes.mount_filter
    } else {
        return None;
    };
    let Filter::Answers(errno) = filter else {
        return None;
    };
    let whose = match case.container() {
        Some(Container::Docker) => ", as Docker's default profile does",
        Some(Container::Podman) => ", as Podman's default profile does",
        Some(Container::Kubernetes) => ", as the profile RuntimeDefault does",
        Some(Container::Other) | None => "",
    };
    found(
        ErrorCode::Seccomp,
        format!("a seccomp filter answers this system call with {errno:?}{whose}"),
        remedy::seccomp(case.facts),
    )
}

/// The probe's child in a new user namespace got Ubuntu's profile, or another.
pub(super) fn apparmor_label(case: &Case<'_>) -> Option<Diagnosis> {
    let label = case.probes.label.as_deref()?;
    if !case.denied() || case.at(&Step::Exec) {
        return None;
    }
    if label.starts_with(UBUNTU_PROFILE) {
        return ubuntu();
    }
    found(
        ErrorCode::Apparmor,
        format!("the AppArmor profile of this process, `{label}`, does not allow it"),
        remedy::apparmor_profile(label, case.container()),
    )
}

fn ubuntu() -> Option<Diagnosis> {
    found(
        ErrorCode::Apparmor,
        "AppArmor takes all capabilities from unprivileged programs in user namespaces \
         (kernel.apparmor_restrict_unprivileged_userns = 1), as Ubuntu does from 23.10 on",
        remedy::APPARMOR_SYSCTL,
    )
}

/// EPERM at the map, as uid 0: since Linux 5.12 to map 0 takes CAP_SETFCAP in the namespace outside.
pub(super) fn setfcap(case: &Case<'_>) -> Option<Diagnosis> {
    let root_without =
        case.facts.uid == Some(0) && case.facts.capabilities.is_some() && !case.has(CAP_SETFCAP);
    if !(case.at(&Step::IdMap) && case.errno == Errno::EPERM && root_without) {
        return None;
    }
    found(
        ErrorCode::Setfcap,
        "this process is root without the capability CAP_SETFCAP, and so may not map \
         user id 0 into a new user namespace",
        remedy::setfcap(case.container()),
    )
}

/// The same as [`apparmor_label`] where the label could not be read, and the refusal at
/// `clone` where Ubuntu's profile is not loaded (EACCES).
pub(super) fn apparmor(case: &Case<'_>) -> Option<Diagnosis> {
    if !case.denied() || case.at(&Step::Exec) {
        return None;
    }
    if case.facts.apparmor_restricts_userns == Some(true) && !case.has(CAP_SYS_ADMIN) {
        return ubuntu();
    }
    let label = case.facts.confined_by.as_deref()?;
    (case.errno == Errno::EACCES).then_some(())?;
    found(
        ErrorCode::Apparmor,
        format!("the AppArmor profile of this process, `{label}`, does not allow it"),
        remedy::apparmor_profile(label, case.container()),
    )
}

/// EACCES: the permission `user_namespace { create }`, since Linux 6.1.
pub(super) fn selinux(case: &Case<'_>) -> Option<Diagnosis> {
    let denied = case.errno == Errno::EACCES && case.facts.selinux_enforcing;
    if !denied || case.at(&Step::Exec) {
        return None;
    }
    found(
        ErrorCode::Selinux,
        "SELinux is enforcing, and its policy does not allow this to the domain of this process",
        remedy::selinux(case.container()),
    )
}
