//! Causes for which the kernel creates no namespace.

use nix::errno::Errno;

use super::super::facts::IdMap;
use super::super::probe::{Filter, KINDS, TrialOutcome};
use super::super::refusal::Operation;
use super::super::remedy;
use super::evidence::{Diagnosis, Evidence, exhausted, found};
use crate::capability;
use crate::error::ErrorCode;

/// EINVAL for a further PID namespace (`copy_pid_ns`) or a thread, and ENOMEM for any process when
/// the first child has ended, which was the init (pid_namespaces(7)).
pub(super) fn no_init(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let makes_process = evidence.at(&Operation::Clone)
        || evidence.at(&Operation::Thread)
        || evidence.at(&Operation::Other);
    let refused = makes_process && evidence.is(&[Errno::EINVAL, Errno::ENOMEM]);
    if !(evidence.facts.children_apart && refused) {
        return None;
    }
    found(
        ErrorCode::NoInit,
        "the children of this process are in another PID namespace than it, as after `unshare -p` \
         without -f: it can make no further PID namespace, and no process after the first one, the \
         init there, has ended",
        "unshare -f -p …    # with -f, a program is in its PID namespace itself",
    )
}

/// ENOSPC because of the limit on user namespaces, here or in an outer user namespace.
pub(super) fn userns_limit(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Clone) && evidence.errno == Errno::ENOSPC) {
        return None;
    }
    let limit = evidence.limit("user");
    let refused = evidence.probes.user == TrialOutcome::Refused(Errno::ENOSPC);
    if !(limit == Some(0) || refused && limit.is_some_and(is_set)) {
        return None;
    }
    let name = "user.max_user_namespaces";
    at_limit(ErrorCode::UsernsLimit, "user", name, limit, evidence)
}

/// ENOSPC although a user namespace is granted: another kind has reached its limit.
pub(super) fn namespace_limit(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Clone) && evidence.errno == Errno::ENOSPC) {
        return None;
    }
    let missing = |kind: &str, outcome: TrialOutcome| {
        outcome == TrialOutcome::Refused(Errno::ENOSPC) || evidence.limit(kind) == Some(0)
    };
    let (kind, _) = KINDS
        .iter()
        .zip(evidence.probes.kinds)
        .filter(|_| evidence.probes.user == TrialOutcome::Allowed)
        .map(|((kind, _), outcome)| (*kind, outcome))
        .find(|(kind, outcome)| missing(kind, *outcome))?;
    at_limit_of(kind, evidence)
}

/// ENOSPC in a test, which has one namespace of each kind already.
pub(super) fn further_namespaces(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let Operation::FurtherNamespaces { kinds } = evidence.refusal.kind else { return None };
    if evidence.errno != Errno::ENOSPC {
        return None;
    }
    // If none is refused any more, it was probably the one with the lowest limit.
    let refused = KINDS
        .iter()
        .zip(evidence.probes.kinds)
        .find(|(_, outcome)| *outcome == TrialOutcome::Refused(Errno::ENOSPC))
        .map(|((kind, _), _)| *kind);
    let lowest = || kinds.iter().copied().min_by_key(|kind| evidence.limit(kind));
    at_limit_of(refused.or_else(lowest)?, evidence)
}

/// ENOSPC, and nothing is refused any more: what had used the namespaces has ended since.
pub(super) fn low_limit(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    const LOW: u64 = 256;
    if !(evidence.at(&Operation::Clone) && evidence.errno == Errno::ENOSPC) {
        return None;
    }
    let limits = evidence.facts.namespace_limits.iter();
    let (kind, limit) = limits.min_by_key(|(_, limit)| **limit)?;
    (*limit < LOW).then(|| at_limit_of(kind, evidence))?
}

fn at_limit_of(kind: &str, evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let name = format!("user.max_{kind}_namespaces");
    let (code, word) = match kind {
        "user" => (ErrorCode::UsernsLimit, "user"),
        "net" => (ErrorCode::NetnsLimit, "network"),
        "mnt" => (ErrorCode::NamespaceLimit, "mount"),
        other => (ErrorCode::NamespaceLimit, other),
    };
    at_limit(code, word, &name, evidence.limit(kind), evidence)
}

/// ENOSPC, and no visible limit is reached: the nesting depth, or a limit further out.
pub(super) fn userns_depth(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Clone)
        && evidence.errno == Errno::ENOSPC
        && evidence.facts.nested())
    {
        return None;
    }
    exhausted(
        ErrorCode::UsernsDepth,
        "user namespaces are nested too deep here (the kernel allows 32 levels below the first), \
         or an outer user namespace has reached its limit (user.max_user_namespaces there)",
        format!(
            "run {} with fewer containers, sandboxes or `unshare -U` around",
            evidence.caller().name()
        ),
    )
}

/// EPERM: a process without a mapped id cannot create a namespace.
pub(super) fn unmapped_id(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Clone) && evidence.errno == Errno::EPERM) {
        return None;
    }
    let unmapped = |map: &Option<IdMap>, id: Option<u32>| match (map, id) {
        (Some(map), Some(id)) => !map.contains(id),
        _ => false,
    };
    let facts = evidence.facts;
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
            "the {what} id of this process is not mapped in its user namespace \
             (/proc/self/{file}), so it cannot create namespaces"
        ),
        format!(
            "map it when you create the user namespace around {}: unshare --user --map-current-user …",
            evidence.caller().name()
        ),
    )
}

/// EPERM: no user namespace in a chroot (user_namespaces(7)).
pub(super) fn chroot(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Clone) && evidence.errno == Errno::EPERM && evidence.facts.chroot)
    {
        return None;
    }
    found(
        ErrorCode::Chroot,
        "this process runs in a chroot, and the kernel creates no user namespace in a chroot",
        remedy::out_of_chroot(evidence.caller()),
    )
}

/// EPERM from the kernel itself, with all other causes ruled out. An ordinary process cannot
/// see that it is in a chroot if the new root is a mount point.
pub(super) fn chroot_by_elimination(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let asked = evidence.at(&Operation::Clone) && evidence.errno == Errno::EPERM;
    let answered_by_the_kernel = evidence.probes.clone_filter == Filter::Passes
        && evidence.probes.user == TrialOutcome::Refused(Errno::EPERM);
    if !(asked && answered_by_the_kernel) {
        return None;
    }
    let ids = if evidence.facts.uid_map.is_some() && evidence.facts.gid_map.is_some() {
        "its user and group ids are mapped"
    } else {
        "without /proc it is unknown whether its ids are mapped"
    };
    found(
        ErrorCode::Chroot,
        format!(
            "this process seems to run in a chroot, in which the kernel creates no user namespace: \
             no filter intercepts the call, and {ids}"
        ),
        remedy::out_of_chroot(evidence.caller()),
    )
}

/// EPERM from a patch in the kernels of Debian and Ubuntu.
pub(super) fn userns_clone_sysctl(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let off = evidence.facts.unprivileged_userns_clone == Some(false);
    if !(evidence.at(&Operation::Clone)
        && evidence.errno == Errno::EPERM
        && off
        && !evidence.has(capability::SYS_ADMIN))
    {
        return None;
    }
    found(
        ErrorCode::UsernsCloneSysctl,
        "this machine lets only root create user namespaces (kernel.unprivileged_userns_clone = 0)",
        remedy::sysctl("kernel.unprivileged_userns_clone", "1", evidence.facts),
    )
}

/// In a nested namespace a limit is 2^31-1 until it is set (kernel/user_namespace.c).
fn is_set(limit: u64) -> bool {
    limit < i32::MAX as u64
}

/// Only a limit of zero is a property of the machine. At any other, namespaces are in use, by
/// other tests for example.
fn at_limit(
    code: ErrorCode,
    kind: &str,
    name: &str,
    limit: Option<u64>,
    evidence: &Evidence<'_>,
) -> Option<Diagnosis> {
    if limit.is_some_and(|limit| !is_set(limit)) {
        return exhausted(
            code,
            format!(
                "an outer user namespace allows no further {kind} namespace: {name}, of the machine \
                 or of a namespace around this process"
            ),
            format!("sudo sysctl -w {name}={}    # there", raised(None)),
        );
    }
    let diagnosis = if limit == Some(0) { found } else { exhausted };
    let remedy = remedy::sysctl(name, &raised(limit), evidence.facts);
    diagnosis(code, reached(kind, name, limit), remedy)
}

/// The limits are per user, and apply in each outer user namespace too (namespaces(7)).
fn reached(kind: &str, name: &str, limit: Option<u64>) -> String {
    match limit {
        Some(0) => format!("this machine allows no {kind} namespaces ({name} = 0)"),
        Some(limit) => format!(
            "all {kind} namespaces that this machine allows a user are in use ({name} = {limit})"
        ),
        None => format!("this machine allows this user no further {kind} namespace ({name})"),
    }
}

/// A sufficient limit. 28633 is the default of a machine with 4 GB of memory.
fn raised(limit: Option<u64>) -> String {
    limit.unwrap_or_default().saturating_mul(2).max(28633).to_string()
}
