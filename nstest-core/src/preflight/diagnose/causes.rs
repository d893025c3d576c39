//! The causes, in the order in which they are tried.

use std::fmt::Write as _;

use nix::errno::Errno;

use super::super::facts::Facts;
use super::super::probe::{KINDS, Probes};
use super::super::refusal::{Operation, Refusal};
use super::super::remedy::{self, signal_name};
use super::evidence::{Diagnosis, Evidence};
use super::{guard, kernel, namespace, paths, procfs, resource};
use crate::error::ErrorCode;

/// Finds the cause of a refusal.
pub(in super::super) fn diagnose(refusal: &Refusal, facts: &Facts, probes: &Probes) -> Diagnosis {
    let evidence = Evidence { refusal, errno: Errno::from_raw(refusal.errno), facts, probes };
    CAUSES.iter().find_map(|cause| cause(&evidence)).unwrap_or_else(|| unknown(&evidence))
}

/// What is missing in the file system, if that is the cause of a refusal.
pub(in super::super) fn missing_path(refusal: &Refusal, facts: &Facts) -> Option<Diagnosis> {
    let errno = Errno::from_raw(refusal.errno);
    let evidence = Evidence { refusal, errno, facts, probes: &Probes::UNTRIED };
    paths::no_files_in_etc(&evidence).or_else(|| paths::no_sysfs(&evidence))
}

/// Each function returns `None` if its cause does not fit. Causes that the evidence proves come
/// first, causes that it only suggests later.
const CAUSES: &[fn(&Evidence<'_>) -> Option<Diagnosis>] = &[
    resource::open_files,
    resource::env_too_big,
    resource::exec,
    resource::file_size,
    guard::seccomp_kill,
    guard::seccomp,
    namespace::no_init,
    guard::clone3,
    guard::address_family,
    namespace::userns_limit,
    namespace::namespace_limit,
    namespace::further_namespaces,
    namespace::low_limit,
    namespace::userns_depth,
    namespace::unmapped_id,
    namespace::chroot,
    namespace::userns_clone_sysctl,
    kernel::wsl1,
    kernel::old_kernel,
    kernel::no_namespaces,
    resource::deadline,
    resource::nproc,
    resource::memory,
    procfs::no_proc,
    paths::no_run,
    paths::no_files_in_etc,
    paths::no_sysfs,
    guard::not_dumpable,
    guard::rights_given_up,
    guard::apparmor_label,
    guard::setfcap,
    guard::apparmor,
    guard::selinux,
    procfs::proc_sys_hidden,
    procfs::proc_sys_read_only,
    procfs::proc_masked,
    namespace::chroot_by_elimination,
    guard::seccomp_by_elimination,
];

/// No cause fits: reports everything that was found out.
fn unknown(evidence: &Evidence<'_>) -> Diagnosis {
    let facts = evidence.facts;
    let probes = evidence.probes;
    let mut cause = "no known cause fits. What was found out:".to_owned();
    let mut line = |name: &str, value: String| {
        let _ = write!(cause, "\n{name}: {value}");
    };
    if let Operation::Killed { signal } = evidence.refusal.kind {
        line("killed by", signal_name(signal));
    }
    let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    line("kernel", known(facts.kernel.clone()));
    line("user id", known(facts.uid.map(|uid| uid.to_string())));
    line("capabilities", known(facts.capabilities.map(|bits| format!("{bits:#x}"))));
    line("container", or_none(facts.container.map(|it| format!("{it:?}"))));
    line("user namespace", if facts.nested() { "not the first" } else { "the first" }.to_owned());
    let limits = facts.namespace_limits.iter().map(|(kind, limit)| format!("{kind} {limit}"));
    line("limits of namespaces", limits.collect::<Vec<_>>().join(", "));
    let filter = facts.seccomp_filter.map(|has| if has { "yes" } else { "no" }.to_owned());
    line("seccomp filter", known(filter));
    line("a clone with wrong arguments", probes.clone_filter.to_string());
    line("a mount with wrong arguments", probes.mount_filter.to_string());
    line("AppArmor profile", or_none(facts.confined_by.clone()));
    line("AppArmor profile in a user namespace", or_none(probes.label.clone()));
    line("SELinux enforcing", if facts.selinux_enforcing { "yes" } else { "no" }.to_owned());
    line("clone", probes.process.to_string());
    line("clone with user", probes.user.to_string());
    for ((kind, _), outcome) in KINDS.iter().zip(probes.kinds) {
        line(&format!("clone with user, {kind}"), outcome.to_string());
    }
    line("clone with all", probes.every.to_string());
    line("write to setgroups", probes.set_groups.to_string());
    line("write to uid_map", probes.id_map.to_string());
    Diagnosis { code: ErrorCode::Setup, cause, remedy: remedy::REPORT.to_owned(), exhausted: false }
}
