//! Causes in `/proc` and `/sys`: missing, read-only or partly hidden.

use nix::errno::Errno;

use super::super::refusal::Operation;
use super::super::remedy;
use super::evidence::{Diagnosis, Evidence, found};
use crate::error::ErrorCode;

/// ENOENT below `/proc`.
pub(super) fn no_proc(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let below_proc = matches!(
        evidence.refusal.kind,
        Operation::IdMap | Operation::SetGroups | Operation::Sysctl { .. }
    );
    if evidence.facts.proc_mounted || !(evidence.errno == Errno::ENOENT && below_proc) {
        return None;
    }
    found(
        ErrorCode::NoProc,
        "no procfs that shows this process is mounted on /proc",
        "sudo mount -t proc proc /proc",
    )
}

/// ENOENT below `/proc/sys`, over which something else than procfs is mounted.
pub(super) fn proc_sys_hidden(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let Operation::Sysctl { path } = &evidence.refusal.kind else {
        return None;
    };
    let mount = evidence.facts.mount_of(path).filter(|mount| mount.kind != "proc")?;
    let is_below_proc = mount.point.starts_with("/proc/");
    if !(evidence.errno == Errno::ENOENT && is_below_proc) {
        return None;
    }
    found(
        ErrorCode::ProcMasked,
        format!("{} is hidden by a mount ({})", mount.point, mount.kind),
        remedy::system_paths(path, evidence.facts),
    )
}

/// EROFS.
pub(super) fn proc_sys_read_only(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let path = match &evidence.refusal.kind {
        Operation::Sysctl { path } => path.as_str(),
        Operation::IdMap | Operation::SetGroups => "/proc",
        _ => return None,
    };
    if evidence.errno != Errno::EROFS {
        return None;
    }
    let below = |dir: &&str| path.starts_with(*dir) && evidence.facts.read_only(dir);
    let dir = ["/proc", "/proc/sys"].into_iter().find(below).unwrap_or(path);
    found(
        ErrorCode::ProcSysReadOnly,
        format!("{dir} is mounted read-only"),
        remedy::system_paths(path, evidence.facts),
    )
}

/// EPERM: a fresh procfs or sysfs may show no more than the present one (fs/namespace.c,
/// `mount_too_revealing`).
pub(super) fn proc_masked(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let Operation::Mount { target } = &evidence.refusal.kind else {
        return None;
    };
    let dir = ["/proc", "/sys"].into_iter().find(|dir| target == dir)?;
    let hidden = evidence.facts.mounts_below(dir);
    if evidence.errno != Errno::EPERM || hidden.is_empty() && !evidence.facts.read_only(dir) {
        return None;
    }
    let what = match hidden.as_slice() {
        [] => "read-only".to_owned(),
        all => {
            let some = all.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            let more = if all.len() > 3 { ", …" } else { "" };
            format!("partly hidden by mounts on {some}{more}")
        }
    };
    found(
        ErrorCode::ProcMasked,
        format!(
            "{dir} is {what}, and the kernel then refuses to mount a fresh one, which would show more"
        ),
        remedy::system_paths(dir, evidence.facts),
    )
}
