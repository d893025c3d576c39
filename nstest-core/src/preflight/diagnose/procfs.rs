//! What is wrong with `/proc` and `/sys`: missing, read-only, partly hidden.

use nix::errno::Errno;

use super::super::{Step, remedy};
use super::{Case, Diagnosis, found};
use crate::error::ErrorCode;

/// ENOENT below `/proc`.
pub(super) fn no_proc(case: &Case<'_>) -> Option<Diagnosis> {
    let below_proc =
        matches!(case.refusal.kind, Step::IdMap | Step::SetGroups | Step::Sysctl { .. });
    if case.facts.proc_mounted || !(case.errno == Errno::ENOENT && below_proc) {
        return None;
    }
    found(
        ErrorCode::NoProc,
        "no procfs that shows this process is mounted on /proc",
        "sudo mount -t proc proc /proc",
    )
}

/// EROFS.
pub(super) fn proc_sys_read_only(case: &Case<'_>) -> Option<Diagnosis> {
    let path = match &case.refusal.kind {
        Step::Sysctl { path } => path.as_str(),
        Step::IdMap | Step::SetGroups => "/proc/self",
        _ => return None,
    };
    if case.errno != Errno::EROFS {
        return None;
    }
    let dir = if case.facts.read_only("/proc/sys") { "/proc/sys" } else { path };
    found(
        ErrorCode::ProcSysReadOnly,
        format!("{dir} is mounted read-only"),
        remedy::system_paths(case.facts),
    )
}

/// EPERM: a fresh procfs or sysfs may show no more than the present one (fs/namespace.c,
/// `mount_too_revealing`).
pub(super) fn proc_masked(case: &Case<'_>) -> Option<Diagnosis> {
    let Step::Mount { target } = &case.refusal.kind else {
        return None;
    };
    let dir = ["/proc", "/sys"].into_iter().find(|dir| target == dir)?;
    let hidden = case.facts.mounts_below(dir);
    if case.errno != Errno::EPERM || hidden.is_empty() && !case.facts.read_only(dir) {
        return None;
    }
    let what = match hidden.as_slice() {
        [] => "read-only".to_owned(),
        all => {
            let some = all.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            let more = if all.len() > 3 { ", …" } else { "" };
            format!("partly hidden by what is mounted on {some}{more}")
        }
    };
    found(
        ErrorCode::ProcMasked,
        format!(
            "{dir} is {what}, and the kernel lets nobody mount a fresh one that would show more"
        ),
        remedy::system_paths(case.facts),
    )
}
