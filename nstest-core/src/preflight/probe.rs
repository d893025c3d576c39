//! What the machine answers when a child process tries the calls again.

use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{getegid, geteuid, getgid, getuid};

use crate::sys::call::c_string;
use crate::sys::namespaces;
use crate::sys::process::executed_path;
pub(crate) use crate::sys::trial::TrialOutcome;
use crate::sys::trial::{self, Trial};

/// The kinds of namespaces besides user, with the name in their sysctl and their flag.
pub(crate) const KINDS: [(&str, libc::c_int); 5] = [
    ("pid", libc::CLONE_NEWPID),
    ("mnt", libc::CLONE_NEWNS),
    ("uts", libc::CLONE_NEWUTS),
    ("ipc", libc::CLONE_NEWIPC),
    ("net", libc::CLONE_NEWNET),
];

/// The results of all trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probes {
    /// A child without its own namespaces.
    pub(crate) process: TrialOutcome,
    /// Whether a filter intercepts a `clone` with new namespaces.
    pub(crate) clone_filter: Filter,
    /// The same for `clone3`, by which the C library starts threads and processes. It uses another
    /// call only if the answer is ENOSYS.
    pub(crate) clone3_filter: Filter,
    /// The same for `mount`.
    pub(crate) mount_filter: Filter,
    /// A user namespace alone.
    pub(crate) user: TrialOutcome,
    /// A user namespace and one other, in the order of [`KINDS`].
    pub(crate) kinds: [TrialOutcome; KINDS.len()],
    /// All of them at once.
    pub(crate) every: TrialOutcome,
    /// Why this process may not write its own files in `/proc`, if it may not.
    pub(crate) undumpable: Option<Undumpable>,
    pub(crate) set_groups: TrialOutcome,
    pub(crate) id_map: TrialOutcome,
    /// The AppArmor label of a process in a new user namespace, if it is not `unconfined`.
    pub(crate) label: Option<String>,
}

/// Whether a call reaches the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    Passes,
    Answers(Errno),
    Kills(i32),
    Unknown,
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passes => f.write_str("reaches the kernel"),
            Self::Answers(errno) => write!(f, "is answered with {errno:?}"),
            Self::Kills(signal) => write!(f, "is answered with signal {signal}"),
            Self::Unknown => f.write_str("was not tried"),
        }
    }
}

impl Filter {
    /// `expected` is the answer of the kernel to the invalid call that was tried.
    fn from(outcome: TrialOutcome, expected: Errno) -> Self {
        match outcome {
            TrialOutcome::Refused(errno) if errno == expected => Self::Passes,
            TrialOutcome::Refused(errno) => Self::Answers(errno),
            TrialOutcome::Killed(signal) => Self::Kills(signal),
            TrialOutcome::Allowed | TrialOutcome::Untried => Self::Unknown,
        }
    }
}

/// Why a process is not dumpable (PR_SET_DUMPABLE, prctl(2)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undumpable {
    /// It may execute this program, and not read it.
    Unreadable(PathBuf),
    /// Its effective user or group id is not the real one.
    TwoIds,
    /// It has said so itself.
    ByItself,
}

impl Undumpable {
    fn of_this_process() -> Option<Self> {
        if nix::sys::prctl::get_dumpable() != Ok(false) {
            return None;
        }
        if getuid() != geteuid() || getgid() != getegid() {
            return Some(Self::TwoIds);
        }
        let denied = |path: &PathBuf| {
            File::open(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
        };
        // The children of the doctor have no path of their own, and that of its process as a name.
        let path = executed_path().filter(|path| !path.starts_with("/proc"));
        let path = path.or_else(|| std::env::args_os().next().map(PathBuf::from));
        Some(path.filter(denied).map_or(Self::ByItself, Self::Unreadable))
    }
}

/// Tries whether a filter intercepts a `clone` with new namespaces. Makes no namespace.
pub(super) fn clone_filter() -> Filter {
    let report = trial::run(&[Trial::CloneFilter], c"");
    report.outcomes.first().map_or(Filter::Unknown, |outcome| Filter::from(*outcome, Errno::EINVAL))
}

impl Probes {
    /// Tries all calls. `uid` is the effective user id of this process.
    pub(crate) fn run(uid: u32) -> Self {
        let user = libc::CLONE_NEWUSER;
        let mut trials = vec![
            Trial::MountFilter,
            Trial::CloneFilter,
            Trial::Clone3Filter,
            Trial::Clone(user),
            Trial::Clone(namespaces::EVERY),
            Trial::SetGroups,
            Trial::IdMap,
        ];
        trials.extend(KINDS.map(|(_, flag)| Trial::Clone(user | flag)));
        // Digits and spaces hold no NUL.
        let uid_map = c_string(format!("0 {uid} 1"));
        let report = trial::run(&trials, &uid_map);
        let mut outcomes = report.outcomes.into_iter();
        let mut next = || outcomes.next().unwrap_or(TrialOutcome::Untried);
        Self {
            process: report.process,
            mount_filter: Filter::from(next(), Errno::EFAULT),
            clone_filter: Filter::from(next(), Errno::EINVAL),
            clone3_filter: Filter::from(next(), Errno::EINVAL),
            undumpable: Undumpable::of_this_process(),
            user: next(),
            every: next(),
            set_groups: next(),
            id_map: next(),
            kinds: [(); KINDS.len()].map(|()| next()),
            label: super::facts::label(&String::from_utf8_lossy(&report.label)),
        }
    }

    /// Tries only namespaces of these kinds, without a user namespace.
    pub(super) fn of_further(kinds: &[&str]) -> Self {
        let trials: Vec<Trial> = KINDS
            .iter()
            .map(|(kind, flag)| Trial::Clone(if kinds.contains(kind) { *flag } else { 0 }))
            .collect();
        let mut outcomes = trial::run(&trials, c"").outcomes.into_iter();
        let kinds = KINDS.map(|_| outcomes.next().unwrap_or(TrialOutcome::Untried));
        Self { kinds, ..Self::UNTRIED }
    }

    /// Tries only what starts a thread.
    pub(super) fn of_threads() -> Self {
        let report = trial::run(&[Trial::Clone3Filter], c"");
        let outcome = report.outcomes.first().copied().unwrap_or(TrialOutcome::Untried);
        Self { clone3_filter: Filter::from(outcome, Errno::EINVAL), ..Self::UNTRIED }
    }

    /// For operations that make no namespace, nothing is tried.
    pub(crate) const UNTRIED: Self = Self {
        process: TrialOutcome::Untried,
        clone_filter: Filter::Unknown,
        clone3_filter: Filter::Unknown,
        mount_filter: Filter::Unknown,
        undumpable: None,
        user: TrialOutcome::Untried,
        kinds: [TrialOutcome::Untried; KINDS.len()],
        every: TrialOutcome::Untried,
        set_groups: TrialOutcome::Untried,
        id_map: TrialOutcome::Untried,
        label: None,
    };
}
