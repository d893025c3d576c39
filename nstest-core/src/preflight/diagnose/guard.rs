//! Causes in security mechanisms: seccomp, AppArmor, SELinux, missing capabilities.

use nix::errno::Errno;
use nix::libc;

use super::super::facts::Container;
use super::super::probe::{Filter, TrialOutcome, Undumpable};
use super::super::refusal::Operation;
use super::super::remedy;
use super::evidence::{Diagnosis, Evidence, found};
use crate::capability;
use crate::error::ErrorCode;

/// The profile into which Ubuntu puts a process that makes a user namespace.
const UBUNTU_PROFILE: &str = "unprivileged_userns";

/// SIGSYS, in the process that sets up the test or in the probe that tried the same.
pub(super) fn seccomp_kill(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let by_sigsys = |outcome: &TrialOutcome| *outcome == TrialOutcome::Killed(libc::SIGSYS);
    let killed = match evidence.refusal.kind {
        Operation::Killed { signal } => signal == libc::SIGSYS,
        _ => {
            evidence.probes.clone_filter == Filter::Kills(libc::SIGSYS)
                || evidence.probes.mount_filter == Filter::Kills(libc::SIGSYS)
                || by_sigsys(&evidence.probes.user)
                || evidence.probes.kinds.iter().any(by_sigsys)
        }
    };
    if !killed {
        return None;
    }
    found(
        ErrorCode::SeccompKill,
        "a seccomp filter kills the process that makes this system call (SIGSYS)",
        remedy::seccomp(&evidence.refusal.call, evidence.facts),
    )
}

/// EPERM or ENOSYS that does not come from the kernel, because it does not see the call.
pub(super) fn seccomp(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let filter = if evidence.at(&Operation::Clone) {
        evidence.probes.clone_filter
    } else if evidence.at_mount() {
        evidence.probes.mount_filter
    } else {
        return None;
    };
    let Filter::Answers(errno) = filter else {
        return None;
    };
    let default = match evidence.container().filter(|_| errno == Errno::EPERM) {
        Some(Container::Docker) => ", as Docker's default profile does",
        Some(Container::Podman) => ", as Podman's default profile does",
        Some(Container::Kubernetes) => ", as the profile RuntimeDefault does",
        Some(Container::Other) | None => "",
    };
    found(
        ErrorCode::Seccomp,
        format!("a seccomp filter answers this system call with {errno:?}{default}"),
        remedy::seccomp(&evidence.refusal.call, evidence.facts),
    )
}

/// EPERM for a thread or a process that the C library starts by clone3(2). It uses clone(2) if the
/// answer is ENOSYS, and only then.
pub(super) fn clone3(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let probes = evidence.probes;
    let by_library = match evidence.refusal.kind {
        Operation::Thread | Operation::Other => evidence.refusal.call == "clone",
        // nstest makes namespaces by clone(2), beside a thread that writes their ids.
        Operation::Clone => probes.every == TrialOutcome::Allowed,
        _ => false,
    };
    let is_answer = probes.clone3_filter == Filter::Answers(evidence.errno);
    if !(by_library && is_answer && evidence.errno != Errno::ENOSYS) {
        return None;
    }
    found(
        ErrorCode::Seccomp,
        format!(
            "a seccomp filter answers clone3 with {:?} in place of ENOSYS, so that the C library \
             starts no threads",
            evidence.errno
        ),
        remedy::clone3(evidence.facts),
    )
}

/// EAFNOSUPPORT for a family that every kernel of a distribution has.
pub(super) fn address_family(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let call = evidence.refusal.call.as_str();
    let family = call.strip_prefix("socket(")?.strip_suffix(')')?;
    let filtered = evidence.facts.seccomp_filter == Some(true);
    if !(evidence.errno == Errno::EAFNOSUPPORT && filtered) {
        return None;
    }
    found(
        ErrorCode::Seccomp,
        format!(
            "a seccomp filter, such as that of systemd's RestrictAddressFamilies=, allows no {family}"
        ),
        remedy::ADDRESS_FAMILIES,
    )
}

/// A refusal that does not come from the kernel, since it refuses nothing of this in the test's own
/// namespaces, and no other cause fits. A filter cannot be read, and most calls cannot be tried
/// without an effect.
pub(super) fn seccomp_by_elimination(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let filtered = evidence.facts.seccomp_filter == Some(true);
    if !(filtered && (evidence.denied() || evidence.errno == Errno::ENOSYS || unexpected(evidence)))
    {
        return None;
    }
    found(
        ErrorCode::Seccomp,
        format!(
            "this process has a seccomp filter, which seems to answer this system call with {:?}: \
             nothing else that would refuse it was found",
            evidence.errno
        ),
        remedy::seccomp(&evidence.refusal.call, evidence.facts),
    )
}

/// An errno that other steps can have from the kernel, and this one not: EINVAL, although the kernel
/// makes such a process or such namespaces.
fn unexpected(evidence: &Evidence<'_>) -> bool {
    let (errno, probes) = (evidence.errno, evidence.probes);
    match evidence.refusal.kind {
        Operation::Clone => {
            errno == Errno::EINVAL && probes.process == TrialOutcome::Refused(errno)
        }
        Operation::FurtherNamespaces { .. } => {
            errno == Errno::EINVAL && probes.kinds.iter().all(|it| *it == TrialOutcome::Allowed)
        }
        _ => false,
    }
}

/// EPERM in a test, which had all capabilities in its namespaces when it began.
pub(super) fn rights_given_up(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let (needed, name) = match evidence.refusal.kind {
        Operation::FurtherNamespaces { .. } | Operation::Enter => {
            (capability::SYS_ADMIN, "CAP_SYS_ADMIN")
        }
        Operation::Socket => (capability::NET_RAW, "CAP_NET_RAW"),
        _ => return None,
    };
    let lost = evidence.facts.capabilities.is_some() && !evidence.has(needed);
    if !(evidence.errno == Errno::EPERM && lost) {
        return None;
    }
    found(
        ErrorCode::Namespace,
        format!(
            "this thread has no {name} in the test's user namespace: something in the test gave it up, \
             as by setuid(2) or capset(2)"
        ),
        "give up rights in a program that the test starts (`node.command`), not in the test's process",
    )
}

/// EACCES or EPERM at a file of the process in `/proc`, which belongs to root then
/// (PR_SET_DUMPABLE, prctl(2)).
pub(super) fn not_dumpable(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let file = evidence.at(&Operation::IdMap) || evidence.at(&Operation::SetGroups);
    let why = evidence.probes.undumpable.as_ref().filter(|_| file && evidence.denied())?;
    let name = evidence.caller().name();
    let (reason, remedy) = match why {
        Undumpable::Unreadable(path) => (
            format!("this user may execute {}, and not read it", evidence.caller().binary()),
            format!("sudo chmod a+r {}", path.display()),
        ),
        Undumpable::TwoIds => (
            "the real and the effective user or group id of this process differ".to_owned(),
            format!(
                "run {name} with one user id and one group id: \
                 setpriv --reuid=ID --regid=ID --init-groups {}",
                evidence.caller().command()
            ),
        ),
        Undumpable::ByItself => (
            "this process has made itself not dumpable".to_owned(),
            "leave it dumpable until the test function runs: find the constructor (`#[ctor]`) or \
             the library that calls prctl(PR_SET_DUMPABLE, 0) when the program starts"
                .to_owned(),
        ),
    };
    found(
        ErrorCode::NotDumpable,
        format!("{reason}, so that its files in /proc belong to root (PR_SET_DUMPABLE, prctl(2))"),
        remedy,
    )
}

/// The probe's child got an AppArmor profile in its new user namespace.
pub(super) fn apparmor_label(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let label = evidence.probes.label.as_deref()?;
    if !evidence.denied() || evidence.at(&Operation::Exec) {
        return None;
    }
    if label.starts_with(UBUNTU_PROFILE) {
        return ubuntu(evidence);
    }
    found(
        ErrorCode::Apparmor,
        format!("the AppArmor profile of this process, `{label}`, does not allow this"),
        remedy::apparmor_profile(label, evidence.container()),
    )
}

fn ubuntu(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    found(
        ErrorCode::Apparmor,
        "AppArmor denies all capabilities to unprivileged programs in user namespaces \
         (kernel.apparmor_restrict_unprivileged_userns = 1), the default since Ubuntu 23.10",
        remedy::apparmor_sysctl(evidence.caller()),
    )
}

/// EPERM at the id map, as uid 0. Since Linux 5.12, mapping uid 0 needs CAP_SETFCAP in the
/// outer namespace.
pub(super) fn setfcap(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let root_without = evidence.facts.uid == Some(0)
        && evidence.facts.capabilities.is_some()
        && !evidence.has(capability::SETFCAP);
    if !(evidence.at(&Operation::IdMap) && evidence.errno == Errno::EPERM && root_without) {
        return None;
    }
    found(
        ErrorCode::Setfcap,
        "this process is root without the capability CAP_SETFCAP, which mapping user id 0 into \
         a new user namespace needs",
        remedy::setfcap(evidence.facts),
    )
}

/// Like [`apparmor_label`], if the label could not be read. Also EACCES at `clone`, if the
/// profile of Ubuntu is not loaded.
pub(super) fn apparmor(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !evidence.denied() || evidence.at(&Operation::Exec) {
        return None;
    }
    if evidence.facts.apparmor_restricts_userns == Some(true)
        && !evidence.has(capability::SYS_ADMIN)
    {
        return ubuntu(evidence);
    }
    let label = evidence.facts.confined_by.as_deref()?;
    (evidence.errno == Errno::EACCES).then_some(())?;
    found(
        ErrorCode::Apparmor,
        format!("the AppArmor profile of this process, `{label}`, does not allow this"),
        remedy::apparmor_profile(label, evidence.container()),
    )
}

/// EACCES: the permission `user_namespace { create }`, since Linux 6.1.
pub(super) fn selinux(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let denied = evidence.errno == Errno::EACCES && evidence.facts.selinux_enforcing;
    if !denied || evidence.at(&Operation::Exec) {
        return None;
    }
    found(
        ErrorCode::Selinux,
        "SELinux is enforcing, and its policy denies this to the domain of this process",
        remedy::selinux(evidence.container()),
    )
}
