//! Why the kernel makes no namespace.

use nix::errno::Errno;

use super::super::facts::IdMap;
use super::super::probe::{Filter, KINDS, Outcome};
use super::super::{Step, remedy};
use super::{CAP_SYS_ADMIN, Case, Diagnosis, found};
use crate::error::ErrorCode;

/// ENOSPC with a limit on user namespaces, of this namespace or one around it.
pub(super) fn userns_limit(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Clone) && case.errno == Errno::ENOSPC) {
        return None;
    }
    let limit = case.limit("user");
    // In a nested namespace a limit is 2^31-1 until somebody sets it (kernel/user_namespace.c).
    let set_by_somebody = limit.is_some_and(|limit| limit < i32::MAX as u64);
    let refused = case.probes.user == Outcome::Refused(Errno::ENOSPC);
    if !(limit == Some(0) || refused && set_by_somebody) {
        return None;
    }
    let name = "user.max_user_namespaces";
    found(
        ErrorCode::UsernsLimit,
        reached("user", name, limit),
        remedy::sysctl(name, &raised(limit), case.facts),
    )
}

/// ENOSPC though a user namespace is granted: it is another kind that has run out.
pub(super) fn namespace_limit(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Clone) && case.errno == Errno::ENOSPC) {
        return None;
    }
    let exhausted = |kind: &str, outcome: Outcome| {
        outcome == Outcome::Refused(Errno::ENOSPC) || case.limit(kind) == Some(0)
    };
    let (kind, _) = KINDS
        .iter()
        .zip(case.probes.kinds)
        .filter(|_| case.probes.user == Outcome::Allowed)
        .map(|((kind, _), outcome)| (*kind, outcome))
        .find(|(kind, outcome)| exhausted(kind, *outcome))?;
    let name = format!("user.max_{kind}_namespaces");
    let (code, word) = match kind {
        "net" => (ErrorCode::NetnsLimit, "network"),
        "mnt" => (ErrorCode::NamespaceLimit, "mount"),
        other => (ErrorCode::NamespaceLimit, other),
    };
    found(
        code,
        reached(word, &name, case.limit(kind)),
        remedy::sysctl(&name, &raised(case.limit(kind)), case.facts),
    )
}

/// ENOSPC with no limit in sight: 33 levels of user namespaces, or a limit further out.
pub(super) fn userns_depth(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Clone) && case.errno == Errno::ENOSPC && case.facts.nested()) {
        return None;
    }
    found(
        ErrorCode::UsernsDepth,
        "this process is in a user namespace that is nested too deep (the kernel allows 32 levels \
         below the first), or one of those around it may have no more inside \
         (user.max_user_namespaces there)",
        "run the tests with fewer containers, sandboxes or `unshare -U` around them",
    )
}

/// EPERM: who has no id in a namespace cannot own one in it.
pub(super) fn unmapped_id(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Clone) && case.errno == Errno::EPERM) {
        return None;
    }
    let unmapped = |map: &Option<IdMap>, id: Option<u32>| match (map, id) {
        (Some(map), Some(id)) => !map.contains(id),
        _ => false,
    };
    let facts = case.facts;
    let (what, file) = if unmapped(&facts.uid_map, facts.uid) {
        ("user", "uid_map")
    } else if unmapped(&facts.gid_map, facts.gid) {
        ("group", "gid_map")
    } else {
        return None;
    };
    found(
        ErrorCode::UnmappedId,
        format!(
            "this process's {what} id has no mapping in the user namespace that it is in \
             (/proc/self/{file}), and without one it can make no further namespace"
        ),
        "map it where the namespace around the tests is made: unshare --user --map-current-user …",
    )
}

/// EPERM: no user namespace in a chroot (user_namespaces(7)).
pub(super) fn chroot(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Clone) && case.errno == Errno::EPERM && case.facts.chroot) {
        return None;
    }
    found(
        ErrorCode::Chroot,
        "this process runs in a chroot, and the kernel makes no user namespace for such a one",
        remedy::OUT_OF_CHROOT,
    )
}

/// EPERM that is the kernel's own, with every other reason for it ruled out: a chroot onto a
/// mount leaves no trace that an ordinary process could see.
pub(super) fn chroot_by_elimination(case: &Case<'_>) -> Option<Diagnosis> {
    let asked = case.at(&Step::Clone) && case.errno == Errno::EPERM;
    let answered_by_the_kernel = case.probes.clone_filter == Filter::Passes
        && case.probes.user == Outcome::Refused(Errno::EPERM);
    if !(asked && answered_by_the_kernel) {
        return None;
    }
    let ids = if case.facts.uid_map.is_some() && case.facts.gid_map.is_some() {
        "its user and group id are mapped"
    } else {
        "whether its ids are mapped cannot be told without /proc"
    };
    found(
        ErrorCode::Chroot,
        format!(
            "this process seems to run in a chroot, in which the kernel makes no user namespace: \
             no filter stands before the kernel, and {ids}"
        ),
        remedy::OUT_OF_CHROOT,
    )
}

/// EPERM, a patch of Debian's and Ubuntu's kernels.
pub(super) fn userns_clone_sysctl(case: &Case<'_>) -> Option<Diagnosis> {
    let off = case.facts.unprivileged_userns_clone == Some(false);
    if !(case.at(&Step::Clone) && case.errno == Errno::EPERM && off && !case.has(CAP_SYS_ADMIN)) {
        return None;
    }
    found(
        ErrorCode::UsernsCloneSysctl,
        "this machine lets only root make user namespaces (kernel.unprivileged_userns_clone = 0)",
        remedy::sysctl("kernel.unprivileged_userns_clone", "1", case.facts),
    )
}

/// EINVAL on a kernel that is Windows's own (`4.4.0-19041-Microsoft`; WSL 2 is lower case).
pub(super) fn wsl1(case: &Case<'_>) -> Option<Diagnosis> {
    let kernel = case.facts.kernel.as_deref()?;
    if !(kernel.ends_with("-Microsoft") && case.is(&[Errno::EINVAL, Errno::ENOSYS, Errno::EPERM])) {
        return None;
    }
    found(
        ErrorCode::Wsl1,
        format!("this is WSL 1 (kernel {kernel}), which has no namespaces"),
        "in PowerShell, with the name that `wsl --list` shows: wsl --set-version NAME 2",
    )
}

/// EINVAL: a kind of namespace that the kernel was built without.
pub(super) fn no_namespaces(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Clone) && case.errno == Errno::EINVAL) {
        return None;
    }
    let missing = Outcome::Refused(Errno::EINVAL);
    let option = if case.probes.user == missing {
        "CONFIG_USER_NS"
    } else {
        let (kind, _) = KINDS
            .iter()
            .map(|(kind, _)| *kind)
            .zip(case.probes.kinds)
            .find(|(_, outcome)| *outcome == missing)?;
        match kind {
            "pid" => "CONFIG_PID_NS",
            "uts" => "CONFIG_UTS_NS",
            "ipc" => "CONFIG_IPC_NS",
            _ => "CONFIG_NET_NS",
        }
    };
    let kernel = case.facts.kernel.as_deref().unwrap_or("of this machine");
    found(
        ErrorCode::NoNamespaces,
        format!("the kernel {kernel} was built without {option}"),
        format!("run the tests on a kernel with {option}=y, as every large distribution's is"),
    )
}

/// The limits are per user, and hold for each namespace around the process (namespaces(7)).
fn reached(kind: &str, name: &str, limit: Option<u64>) -> String {
    match limit {
        Some(0) => format!("this machine allows 0 {kind} namespaces ({name} = 0)"),
        Some(limit) => format!(
            "this machine allows a user {limit} {kind} namespaces ({name} = {limit}), and they are in use"
        ),
        None => format!("this machine allows this user no more {kind} namespaces ({name})"),
    }
}

/// A limit that leaves room: 28633 is what a machine of 4 GB has by default.
fn raised(limit: Option<u64>) -> String {
    limit.unwrap_or_default().saturating_mul(2).max(28633).to_string()
}
