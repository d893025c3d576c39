//! When the machine says no: from a refused system call to its cause and a remedy.
//!
//! Nothing here runs before a step of setting up a test has failed: asking first
//! would cost every test what few need, and the answer could change meanwhile.
//! Then the machine is read ([`facts`]), the calls are tried again one by one in
//! a child ([`probe`]), and the first cause that fits is named ([`diagnose`]).

use std::path::Path;

use nix::errno::Errno;

mod diagnose;
mod facts;
pub(crate) mod policy;
mod probe;
#[cfg(test)]
mod real;
#[cfg(test)]
mod recorded;
mod remedy;

use crate::error::Error;
use facts::Facts;
use probe::Probes;

/// A step of setting up a test that the machine refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The operation and its object: "mount a fresh /proc".
    pub(crate) step: String,
    /// The system call, with what identifies it: `mount("proc", "/proc", …)`.
    pub(crate) call: String,
    /// What it returned; 0 for [`Step::Killed`].
    pub(crate) errno: i32,
    pub(crate) kind: Step,
}

/// What was attempted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A pipe, a pidfd, or another file descriptor.
    Pipe,
    /// The process with namespaces of its own.
    Clone,
    /// A write to `uid_map` or `gid_map`.
    IdMap,
    /// A write to `setgroups`.
    SetGroups,
    /// `lo`, its state or its addresses.
    Loopback,
    /// A mount on this path.
    Mount {
        target: String,
    },
    /// The host name.
    Hostname,
    /// A write to this file under `/proc/sys`.
    Sysctl {
        path: String,
    },
    /// The test binary, executed again.
    Exec,
    /// No call returned an error: the process that sets up was killed.
    Killed {
        signal: i32,
    },
    Other,
}

/// Finds the cause, and says what to do about it.
pub(crate) fn explain(refusal: Refusal) -> Error {
    let (facts, probes) = investigate(&refusal);
    error(&refusal, &facts, &probes)
}

fn investigate(refusal: &Refusal) -> (Facts, Probes) {
    let facts = Facts::gather(Path::new("/"), |name| std::env::var_os(name));
    // With too many files open, or arguments too long, a child tells nothing.
    let probes = match refusal.kind {
        Step::Pipe | Step::Exec => Probes::UNTRIED,
        _ => Probes::run(nix::unistd::geteuid().as_raw()),
    };
    (facts, probes)
}

fn error(refusal: &Refusal, facts: &Facts, probes: &Probes) -> Error {
    let diagnosis = diagnose::diagnose(refusal, facts, probes);
    let result = match refusal.kind {
        Step::Killed { signal } => remedy::signal_name(signal),
        _ => format!("{:?}", Errno::from_raw(refusal.errno)),
    };
    let what = format!("{}: {}: {result}", refusal.step, refusal.call);
    Error::new(diagnosis.code, what).source(diagnosis.cause).help(diagnosis.remedy)
}
