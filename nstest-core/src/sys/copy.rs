//! A copy of this process, for work in other namespaces that results in a status.

use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{ForkResult, fork};

use super::process::{Process, adopt, exit_now, has_more_threads_than};

/// The exit status of a copy that has panicked, as that of a Rust program.
const PANICKED: i32 = 101;

/// Has a copy of this process call `main`, and end with what it returns.
///
/// # Errors
/// EDEADLK, if this process has several threads: in the copy, their locks would stay locked.
pub(crate) fn run_in_copy(main: impl FnOnce() -> i32) -> nix::Result<Process> {
    if has_more_threads_than(1) {
        return Err(Errno::EDEADLK);
    }
    // SAFETY: this process has one thread, so the copy is complete.
    let pid = match unsafe { fork() }? {
        ForkResult::Child => {
            // SAFETY: the default action replaces none of a handler, since this program has none.
            unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) }; // or it could not wait
            // A panic must not return to the frames of the parent.
            exit_now(catch_unwind(AssertUnwindSafe(main)).unwrap_or(PANICKED))
        }
        ForkResult::Parent { child } => child.as_raw(),
    };
    // SAFETY: pidfd_open(2) takes numbers. Nothing else waits for the child, so it has its PID.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    Ok(Process::new(pid, adopt(Errno::result(pidfd)? as RawFd)))
}
