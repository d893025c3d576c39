//! Causes in exhausted resources: files, processes, the size of the environment.

use std::fmt::Write as _;

use nix::errno::Errno;
use nix::libc;

use super::super::facts::MemoryLimit;
use super::super::refusal::Operation;
use super::super::remedy;
use super::evidence::{Diagnosis, Evidence, found};
use crate::error::{ErrorCode, MORE_FILES_OF_THE_MACHINE};

/// EMFILE, ENFILE: the process or the machine has reached its limit of open files.
pub(super) fn open_files(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if evidence.errno == Errno::ENFILE {
        return found(
            ErrorCode::OpenFiles,
            "the machine has reached its limit of open files (fs.file-max)",
            MORE_FILES_OF_THE_MACHINE,
        );
    }
    if evidence.errno != Errno::EMFILE {
        return None;
    }
    let files = evidence.facts.open_files;
    let mut cause = "this process has reached its limit of open files".to_owned();
    if let Some(limit) = files.limit {
        let _ = write!(cause, ", {limit} (RLIMIT_NOFILE)");
    }
    if let Some(used) = files.used {
        let _ = write!(cause, "; {used} are open now");
    }
    found(
        ErrorCode::OpenFiles,
        cause,
        format!(
            "ulimit -n {}    # in the shell that runs the tests\n{}",
            remedy::raised(files.limit),
            remedy::FEWER_AT_A_TIME
        ),
    )
}

/// E2BIG at exec.
pub(super) fn env_too_big(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Exec) && evidence.errno == Errno::E2BIG) {
        return None;
    }
    found(
        ErrorCode::EnvTooBig,
        "the environment is too big for a new process: one variable can have 128 KiB, all \
         variables and arguments together a quarter of the stack limit (execve(2))",
        "find the big variables and unset them for the tests:\n\
         env -0 | awk -v RS='\\0' -F= '{ print length($0), $1 }' | sort -n | tail -3",
    )
}

/// Any other failure of exec. The test binary exists, because it runs, but can no longer be
/// executed.
pub(super) fn exec(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !evidence.at(&Operation::Exec) {
        return None;
    }
    let (cause, remedy) = match evidence.errno {
        Errno::ENOENT => (
            "the test binary, or the dynamic loader that it names, no longer exists",
            "build again while no test runs: cargo test --no-run",
        ),
        Errno::EACCES | Errno::EPERM => (
            "this user may not execute the test binary: a directory above it is not accessible, \
             or its file system is mounted noexec",
            "build where this user may execute files:\nCARGO_TARGET_DIR=/var/tmp/target cargo test",
        ),
        Errno::ETXTBSY => (
            "the test binary is open for writing, because it is being built",
            "run the tests again after the build",
        ),
        Errno::ENOMEM => (
            "there is not enough memory for another process",
            "run fewer tests at a time: cargo test -- --test-threads=1",
        ),
        _ => ("the kernel refuses to execute the test binary again", remedy::REPORT),
    };
    found(ErrorCode::Exec, cause, remedy)
}

/// SIGXFSZ, by which the kernel answers a write to a file beyond RLIMIT_FSIZE.
pub(super) fn file_size(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let killed = evidence.at(&Operation::Killed { signal: libc::SIGXFSZ });
    if !killed && evidence.errno != Errno::EFBIG {
        return None;
    }
    let limit =
        evidence.facts.file_size.map_or_else(String::new, |limit| format!(" to {limit} bytes"));
    found(
        ErrorCode::ResourceLimit,
        format!(
            "the size of files is limited{limit} (RLIMIT_FSIZE), and a test writes files of its own in /etc"
        ),
        "ulimit -f unlimited    # in the shell that runs the tests",
    )
}

/// ENOMEM or EAGAIN with a limit on the memory of this process.
pub(super) fn memory(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let MemoryLimit { what, bytes, ulimit } = evidence.facts.memory_limit()?;
    let refused = [Errno::ENOMEM, Errno::EAGAIN];
    if !evidence.is(&refused) {
        return None;
    }
    found(
        ErrorCode::ResourceLimit,
        format!("this process may have {bytes} bytes of {what}"),
        format!("{ulimit} unlimited    # in the shell that runs the tests"),
    )
}

/// EAGAIN: a limit on processes (fork(2)), of this user or of a cgroup, also one that cannot be
/// seen here.
pub(super) fn nproc(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.errno == Errno::EAGAIN
        && (evidence.at(&Operation::Clone)
            || evidence.at(&Operation::Thread)
            || evidence.at(&Operation::Other)))
    {
        return None;
    }
    let facts = evidence.facts;
    // Other processes may have ended since, so the cgroup need not be full now.
    if let (Some(limit), false) = (facts.cgroup_pids.limit, facts.processes.is_full()) {
        return found(
            ErrorCode::PidsLimit,
            format!(
                "the cgroup of this process has reached its limit of {limit} processes (pids.max)"
            ),
            remedy::pids(facts),
        );
    }
    if facts.memory_limit().is_some() && !facts.processes.is_full() {
        return None;
    }
    // The kernel does not tell an EAGAIN by one limit from that by another.
    if facts.processes.is_far_from_full() {
        return found(
            ErrorCode::PidsLimit,
            "a limit on processes is reached that cannot be seen here: that of a cgroup around this \
             process (pids.max), or of the machine (kernel.pid_max, kernel.threads-max)",
            remedy::pids(facts),
        );
    }
    let Some(limit) = facts.processes.limit else {
        return found(
            ErrorCode::PidsLimit,
            "the machine has no free process id (kernel.pid_max, kernel.threads-max)",
            "sudo sysctl -w kernel.pid_max=4194304 kernel.threads-max=500000",
        );
    };
    let used = facts
        .processes
        .used
        .map_or_else(String::new, |used| format!(", and at least {used} exist"));
    found(
        ErrorCode::Nproc,
        format!("this user may have {limit} processes and threads (RLIMIT_NPROC){used}"),
        format!("{}\n{}", remedy::processes(Some(limit)), remedy::FEWER_AT_A_TIME),
    )
}
