//! A process held by its pidfd (pidfd_open(2)), and calls without another module.
//!
//! The kernel may reuse a PID before a signal is sent to it. A pidfd keeps referring to
//! the same process.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

/// A child of this process.
#[derive(Debug)]
pub(crate) struct Process {
    pid: libc::pid_t,
    pidfd: OwnedFd,
}

impl Process {
    pub(super) fn new(pid: libc::pid_t, pidfd: OwnedFd) -> Self {
        Self { pid, pidfd }
    }

    pub(crate) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Kills it. Does nothing if it is dead already.
    pub(crate) fn kill(&self) {
        let fd = self.pidfd.as_raw_fd();
        // SAFETY: pidfd_send_signal(2); the descriptor is open, a null siginfo is allowed.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                fd,
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
    }

    /// Waits until it is dead, and removes it from the process table. Returns the number
    /// of the signal that killed it, if a signal did. `None` if other code of this process
    /// has waited for it before.
    pub(crate) fn reap(&self) -> Option<i32> {
        match self.wait() {
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(signal as i32),
            _ => None,
        }
    }

    /// As [`reap`](Self::reap). Returns the exit status, if it ended with one.
    pub(crate) fn exit_status(&self) -> Option<i32> {
        match self.wait() {
            Ok(WaitStatus::Exited(_, status)) => Some(status),
            _ => None,
        }
    }

    /// With `__WALL`, because its exit signal is not SIGCHLD before it execs.
    fn wait(&self) -> nix::Result<WaitStatus> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::__WALL;
        loop {
            match waitid(Id::PIDFd(self.pidfd.as_fd()), flags) {
                Err(Errno::EINTR) => {}
                result => return result,
            }
        }
    }
}

impl AsFd for Process {
    /// Readable once the process is dead.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Ends this process at once, without destructors, `atexit` handlers or flushes.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) does not return.
    unsafe { libc::_exit(code) }
}

/// Takes ownership of a descriptor that another process passed to this one by number.
pub(crate) fn adopt(fd: i32) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: the caller has checked what it refers to, and no other code here has the number.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Makes file descriptor 1 refer to `to`.
pub(crate) fn redirect_stdout(to: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: dup2(2) on open descriptors; descriptor 1 is meant to change.
    Errno::result(unsafe { libc::dup2(to.as_raw_fd(), 1) }).map(drop)
}
