//! What ran out: files, processes, room for the environment.

use std::fmt::Write as _;

use nix::errno::Errno;

use super::super::{Step, remedy};
use super::{Case, Diagnosis, found};
use crate::error::ErrorCode;

/// EMFILE, ENFILE: the process's or the machine's descriptors have run out.
pub(super) fn open_files(case: &Case<'_>) -> Option<Diagnosis> {
    if case.errno == Errno::ENFILE {
        return found(
            ErrorCode::OpenFiles,
            "the whole machine has as many files open as it may (fs.file-max)",
            "sudo sysctl -w fs.file-max=1000000",
        );
    }
    if case.errno != Errno::EMFILE {
        return None;
    }
    let files = case.facts.open_files;
    let mut cause = "this process may open no more files".to_owned();
    if let Some(limit) = files.limit {
        let _ = write!(cause, ": its limit is {limit} (RLIMIT_NOFILE)");
    }
    if let Some(used) = files.used {
        let _ = write!(cause, ", and {used} are open");
    }
    found(
        ErrorCode::OpenFiles,
        cause,
        format!(
            "ulimit -n {}    # in the shell that runs the tests\n{}",
            raised(files.limit),
            remedy::FEWER_AT_A_TIME
        ),
    )
}

/// E2BIG at exec.
pub(super) fn env_too_big(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.at(&Step::Exec) && case.errno == Errno::E2BIG) {
        return None;
    }
    found(
        ErrorCode::EnvTooBig,
        "the environment is too big for a new process: one variable may have 128 KiB, \
         all together and the arguments a quarter of the stack's limit (execve(2))",
        "find the big variables, and unset them for the tests:\n\
         env -0 | awk -v RS='\\0' -F= '{ print length($0), $1 }' | sort -n | tail -3",
    )
}

/// Any other failure of exec: the binary is there, since it runs, but not executable any more.
pub(super) fn exec(case: &Case<'_>) -> Option<Diagnosis> {
    if !case.at(&Step::Exec) {
        return None;
    }
    let (cause, remedy) = match case.errno {
        Errno::ENOENT => (
            "the test binary, or the dynamic loader that it names, is not there any more",
            "build again while no test runs: cargo test --no-run",
        ),
        Errno::EACCES | Errno::EPERM => (
            "the test binary may not be executed by this user: a directory above it is closed \
             to them, or its file system is mounted noexec",
            "put the build where this user may execute it:\nCARGO_TARGET_DIR=/var/tmp/target cargo test",
        ),
        Errno::ETXTBSY => (
            "the test binary is open for writing: it is being built",
            "run the tests again when the build has ended",
        ),
        Errno::ENOMEM => (
            "there is not enough memory for another process",
            "fewer tests at a time: cargo test -- --test-threads=1",
        ),
        _ => ("the kernel does not execute the test binary a second time", remedy::REPORT),
    };
    found(ErrorCode::Exec, cause, remedy)
}

/// EAGAIN: one of the three limits on processes (fork(2)).
pub(super) fn nproc(case: &Case<'_>) -> Option<Diagnosis> {
    if !(case.errno == Errno::EAGAIN && (case.at(&Step::Clone) || case.at(&Step::Other))) {
        return None;
    }
    let facts = case.facts;
    if facts.cgroup_pids.is_full() {
        let limit = facts.cgroup_pids.limit.unwrap_or_default();
        return found(
            ErrorCode::PidsLimit,
            format!(
                "the cgroup of this process may have {limit} processes, and has them (pids.max)"
            ),
            remedy::pids(facts),
        );
    }
    let Some(limit) = facts.processes.limit else {
        return found(
            ErrorCode::PidsLimit,
            "the machine has no process id left (kernel.pid_max, kernel.threads-max)",
            "sudo sysctl -w kernel.pid_max=4194304 kernel.threads-max=500000",
        );
    };
    let used = facts
        .processes
        .used
        .map_or_else(String::new, |used| format!(", and of those to be seen {used} run"));
    found(
        ErrorCode::Nproc,
        format!("this user may have {limit} processes and threads (RLIMIT_NPROC){used}"),
        format!(
            "ulimit -u {}    # in the shell that runs the tests; \
             the hard limit is in /etc/security/limits.conf\n{}",
            raised(Some(limit)),
            remedy::FEWER_AT_A_TIME
        ),
    )
}

fn raised(limit: Option<u64>) -> u64 {
    limit.unwrap_or_default().saturating_mul(4).max(4096)
}
