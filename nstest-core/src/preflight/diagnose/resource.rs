//! Causes in exhausted resources: files, processes, the size of the environment.

use std::fmt::Write as _;

use nix::errno::Errno;
use nix::libc;

use super::super::caller::Caller;
use super::super::facts::{MemoryLimit, Usage, of_nproc, of_pids_max};
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
        evidence.caller().or_fewer_at_a_time(remedy::open_files(evidence.facts)),
    )
}

/// Prints the names of the longest variables.
const LONGEST: &str = r"env -0 | awk -v RS='\0' -F= '{ print length($0), $1 }' | sort -n | tail -3";

/// E2BIG at exec.
pub(super) fn env_too_big(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !(evidence.at(&Operation::Exec) && evidence.errno == Errno::E2BIG) {
        return None;
    }
    found(
        ErrorCode::EnvTooBig,
        "the environment is too big for a new process: one variable can have 128 KiB, all \
         variables and arguments together a quarter of the stack limit (execve(2))",
        format!(
            "find the big variables and unset them for {}:\n{LONGEST}",
            evidence.caller().name()
        ),
    )
}

/// Any other failure of exec. The binary exists, because it runs, but can no longer be executed.
/// EAGAIN is a limit on processes.
pub(super) fn exec(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    if !evidence.at(&Operation::Exec) || evidence.errno == Errno::EAGAIN {
        return None;
    }
    let caller = evidence.caller();
    let tests = caller == Caller::Tests;
    let binary = caller.binary();
    let (cause, remedy) = match evidence.errno {
        Errno::ENOENT => (
            format!("{binary}, or the dynamic loader that it names, no longer exists"),
            match tests {
                true => "build again while no test runs: cargo test --no-run",
                false => "install nstest again",
            },
        ),
        Errno::EACCES | Errno::EPERM => (
            format!(
                "this user may not execute {binary}: a directory above it is not accessible, \
                 or its file system is mounted noexec"
            ),
            match tests {
                true => {
                    "build where this user may execute files:\nCARGO_TARGET_DIR=/var/tmp/target cargo test"
                }
                false => {
                    "install nstest where this user may execute files: cargo install --root DIRECTORY …"
                }
            },
        ),
        Errno::ETXTBSY => (
            format!("{binary} is open for writing, because it is being built"),
            match tests {
                true => "run the tests again after the build",
                false => "run nstest again after the build",
            },
        ),
        Errno::ENOMEM => (
            "there is not enough memory for another process".to_owned(),
            match tests {
                true => "run fewer tests at a time: cargo test -- --test-threads=1",
                false => "run nstest again when other programs use less memory",
            },
        ),
        _ => (format!("the kernel refuses to execute {binary} again"), remedy::REPORT),
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
        remedy::file_size(evidence.caller()),
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
        format!("{ulimit} unlimited    # {}", evidence.caller().shell()),
    )
}

/// EAGAIN: a thread with the policy SCHED_DEADLINE makes no processes and threads (sched(7)).
pub(super) fn deadline(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    const SCHED_DEADLINE: u32 = 6;
    if !(evidence.errno == Errno::EAGAIN && evidence.facts.policy == Some(SCHED_DEADLINE)) {
        return None;
    }
    let caller = evidence.caller();
    found(
        ErrorCode::ResourceLimit,
        "this thread has the scheduling policy SCHED_DEADLINE, with which the kernel makes no \
         process and no thread (sched(7))",
        format!("run {} with another policy: chrt --other 0 {}", caller.name(), caller.command()),
    )
}

/// EAGAIN: a limit on processes (fork(2)), of this user or of a cgroup, also one that cannot be
/// seen here. At an exec, it is the user's (execve(2)).
pub(super) fn nproc(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let at_exec = evidence.at(&Operation::Exec);
    if !(evidence.errno == Errno::EAGAIN
        && (at_exec
            || evidence.at(&Operation::Clone)
            || evidence.at(&Operation::Thread)
            || evidence.at(&Operation::Other)))
    {
        return None;
    }
    let facts = evidence.facts;
    if at_exec || facts.processes.is_full() {
        return of_this_user(evidence);
    }
    // Other processes may have ended since, so the cgroup need not be full now.
    if let Some(limit) = facts.cgroup_pids.limit {
        return found(
            ErrorCode::PidsLimit,
            format!("the cgroup of this process has reached its limit of {}", of_pids_max(limit)),
            remedy::pids(facts),
        );
    }
    if facts.memory_limit().is_some() {
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
    if facts.processes.limit.is_none() {
        return found(
            ErrorCode::PidsLimit,
            "the machine has no free process id (kernel.pid_max, kernel.threads-max)",
            "sudo sysctl -w kernel.pid_max=4194304 kernel.threads-max=500000",
        );
    }
    of_this_user(evidence)
}

fn of_this_user(evidence: &Evidence<'_>) -> Option<Diagnosis> {
    let Usage { limit, used } = evidence.facts.processes;
    let used = used.map_or_else(String::new, |used| format!(", and at least {used} exist"));
    found(
        ErrorCode::Nproc,
        format!("this user may have {}{used}", of_nproc(limit)),
        evidence.caller().or_fewer_at_a_time(remedy::processes(evidence.facts)),
    )
}
