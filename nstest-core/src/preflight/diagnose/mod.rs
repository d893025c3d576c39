//! From what was refused, read and tried to one cause: a table of small functions.
//!
//! Pure. [`CAUSES`] is in order of certainty: first what the evidence proves,
//! then what it suggests. Each function returns `None` where its cause does not
//! fit; where none fits, [`unknown`] tells what was found out.
//!
//! The errno of each refusal is that of kernel/user_namespace.c, kernel/ucount.c,
//! kernel/fork.c and fs/namespace.c, as user_namespaces(7), clone(2) and
//! mount_namespaces(7) document it.

mod guard;
mod namespace;
mod procfs;
mod resource;

use std::fmt::Write as _;

use nix::errno::Errno;

use super::facts::{Container, Facts};
use super::probe::{KINDS, Probes};
use super::remedy::{self, signal_name};
use super::{Refusal, Step};
use crate::error::ErrorCode;

/// Why a step was refused, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) code: ErrorCode,
    pub(super) cause: String,
    pub(super) remedy: String,
}

/// CAP_SYS_ADMIN and CAP_SETFCAP, as bits of capabilities(7).
const CAP_SYS_ADMIN: u64 = 1 << 21;
const CAP_SETFCAP: u64 = 1 << 31;

pub(super) fn diagnose(refusal: &Refusal, facts: &Facts, probes: &Probes) -> Diagnosis {
    let case = Case { refusal, errno: Errno::from_raw(refusal.errno), facts, probes };
    CAUSES.iter().find_map(|cause| cause(&case)).unwrap_or_else(|| unknown(&case))
}

const CAUSES: &[fn(&Case<'_>) -> Option<Diagnosis>] = &[
    resource::open_files,
    resource::env_too_big,
    resource::exec,
    guard::seccomp_kill,
    guard::seccomp,
    namespace::userns_limit,
    namespace::namespace_limit,
    namespace::userns_depth,
    namespace::unmapped_id,
    namespace::chroot,
    namespace::userns_clone_sysctl,
    namespace::wsl1,
    namespace::no_namespaces,
    resource::nproc,
    procfs::no_proc,
    guard::apparmor_label,
    guard::setfcap,
    guard::apparmor,
    guard::selinux,
    procfs::proc_sys_read_only,
    procfs::proc_masked,
    namespace::chroot_by_elimination,
];

struct Case<'a> {
    refusal: &'a Refusal,
    errno: Errno,
    facts: &'a Facts,
    probes: &'a Probes,
}

impl Case<'_> {
    fn at(&self, step: &Step) -> bool {
        self.refusal.kind == *step
    }

    fn at_mount(&self) -> bool {
        matches!(self.refusal.kind, Step::Mount { .. })
    }

    fn is(&self, errnos: &[Errno]) -> bool {
        errnos.contains(&self.errno)
    }

    fn denied(&self) -> bool {
        self.is(&[Errno::EPERM, Errno::EACCES])
    }

    fn limit(&self, kind: &str) -> Option<u64> {
        self.facts.namespace_limits.get(kind).copied()
    }

    fn has(&self, capability: u64) -> bool {
        self.facts.capabilities.is_some_and(|has| has & capability != 0)
    }

    fn container(&self) -> Option<Container> {
        self.facts.container
    }
}

fn found(
    code: ErrorCode,
    cause: impl Into<String>,
    remedy: impl Into<String>,
) -> Option<Diagnosis> {
    Some(Diagnosis { code, cause: cause.into(), remedy: remedy.into() })
}

/// Nothing fits: all that was found out, for whoever has to find out more.
fn unknown(case: &Case<'_>) -> Diagnosis {
    let facts = case.facts;
    let probes = case.probes;
    let mut cause = "none of the known causes fits; this is what was found:".to_owned();
    let mut line = |name: &str, value: String| {
        let _ = write!(cause, "\n{name}: {value}");
    };
    if let Step::Killed { signal } = case.refusal.kind {
        line("killed by", signal_name(signal));
    }
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "unknown".to_owned());
    line("kernel", known(&facts.kernel));
    line("uid", format!("{:?}, capabilities {:x?}", facts.uid, facts.capabilities));
    line("container", format!("{:?}, nested {}", facts.container, facts.nested()));
    line("limits", format!("{:?}", facts.namespace_limits));
    line(
        "seccomp",
        format!(
            "{:?}, clone {:?}, mount {:?}",
            facts.seccomp_filter, probes.clone_filter, probes.mount_filter
        ),
    );
    line("AppArmor", format!("{:?}, in a user namespace {:?}", facts.confined_by, probes.label));
    line("SELinux enforcing", facts.selinux_enforcing.to_string());
    line("a process", format!("{:?}", probes.process));
    line("with a user namespace", format!("{:?}", probes.user));
    for ((kind, _), outcome) in KINDS.iter().zip(probes.kinds) {
        line(&format!("with {kind}"), format!("{outcome:?}"));
    }
    line("with all", format!("{:?}", probes.every));
    line("setgroups, uid_map", format!("{:?}, {:?}", probes.set_groups, probes.id_map));
    Diagnosis { code: ErrorCode::Setup, cause, remedy: remedy::REPORT.to_owned() }
}
