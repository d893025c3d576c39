//! Causes in the file system: what every Linux system has is missing.

use std::path::Path;

use nix::errno::Errno;

use super::super::facts::Facts;
use super::super::refusal::Operation;
use super::super::remedy;
use super::evidence::{Diagnosis, Evidence, found};
use crate::error::ErrorCode;

/// ENOENT or ENOTDIR at the mount of a test's own /run.
pub(super) fn no_run(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !matches!(&evidence.refusal.kind, Operation::Mount { target } if target == "/run") {
        return None;
    }
    let facts = evidence.facts;
    let (cause, remedy) = match (evidence.errno, &facts.run_link) {
        (Errno::ENOENT, Some(target)) => {
            let target = Path::new("/").join(target);
            let target = target.display();
            (
                format!("/run is a link to {target}, which does not exist"),
                format!("sudo mkdir -p {target}"),
            )
        }
        (Errno::ENOENT, None) => ("/run does not exist".to_owned(), remedy::run_directory(facts)),
        (Errno::ENOTDIR, _) => {
            ("/run is not a directory".to_owned(), "sudo rm /run && sudo mkdir /run".to_owned())
        }
        _ => return None,
    };
    let cause = format!("{cause}; each test mounts one of its own there");
    found(ErrorCode::MissingPath, cause, remedy)
}

/// No overlay adds the files that a test has of its own: any errno, since each kernel and each
/// file system has other conditions for one (fs/overlayfs/super.c).
pub(super) fn no_files_in_etc(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let Facts { etc, missing_in_etc, .. } = evidence.facts;
    let at_etc = matches!(&evidence.refusal.kind, Operation::Mount { target } if target == "/etc");
    if !at_etc || *etc && missing_in_etc.is_empty() {
        return None;
    }
    if !etc {
        let cause = "/etc does not exist, so a test has no files of its own there";
        return found(ErrorCode::MissingPath, cause, remedy::ETC_DIRECTORY);
    }
    let cause = format!(
        "missing: {}; the kernel refuses an overlay of /etc, which would add them",
        missing_in_etc.join(", ")
    );
    let remedy = format!("sudo touch {}", missing_in_etc.join(" "));
    found(ErrorCode::MissingPath, cause, remedy)
}

/// EPERM: in a user namespace, a sysfs may be mounted only where one is visible (fs/namespace.c,
/// `mount_too_revealing`).
pub(super) fn no_sysfs(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !matches!(&evidence.refusal.kind, Operation::Mount { target } if target == "/sys") {
        return None;
    }
    let missing = |cause: &str, remedy: &str| found(ErrorCode::MissingPath, cause, remedy);
    match evidence.errno {
        Errno::ENOENT => missing("/sys does not exist", remedy::SYS_DIRECTORY),
        Errno::EPERM => {
            let mount = evidence.facts.mount_of("/sys").filter(|mount| mount.kind != "sysfs")?;
            let instead = match mount.point.as_str() {
                "/sys" => format!(" ({} is)", mount.kind),
                _ => String::new(),
            };
            let cause = format!(
                "no sysfs is mounted on /sys{instead}, and the kernel then refuses a test one of its \
                 own"
            );
            missing(&cause, remedy::SYSFS)
        }
        _ => None,
    }
}
