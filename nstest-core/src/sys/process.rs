//! A process held by its pidfd (pidfd_open(2)), and calls without another module.
//!
//! The kernel may reuse a PID before a signal is sent to it. A pidfd keeps referring to
//! the same process.

use std::ffi::{CStr, OsStr, c_char};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
#[cfg(feature = "cli")]
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
#[cfg(feature = "cli")]
use std::process::Command;
use std::process::ExitStatus;
use std::ptr;

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

#[cfg(feature = "cli")]
use super::step::die_with_parent;

/// The exit code of a program, as shells have it: 128 plus the number of the signal that killed
/// it, if one did.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

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

/// The next change of a child, or of any, that has happened already: its PID and its wait status
/// (waitpid(2)). It has ended, or it was stopped or continued.
///
/// # Errors
/// ECHILD, if there is no child.
#[cfg(feature = "cli")]
pub(crate) fn change_of(child: Option<i32>) -> nix::Result<Option<(i32, i32)>> {
    wait(child, libc::WUNTRACED | libc::WCONTINUED | libc::WNOHANG)
}

/// Waits for the next change of a child, and returns its wait status.
///
/// # Errors
/// ECHILD, if it is no child.
#[cfg(feature = "cli")]
pub(crate) fn next_change_of(child: i32) -> nix::Result<i32> {
    let change = wait(Some(child), libc::WUNTRACED | libc::WCONTINUED)?;
    change.map(|(_, status)| status).ok_or(Errno::ECHILD)
}

/// waitpid(2); `None` if there is no change.
#[cfg(feature = "cli")]
fn wait(child: Option<i32>, options: i32) -> nix::Result<Option<(i32, i32)>> {
    let mut status = 0;
    loop {
        // SAFETY: the pointer is valid.
        let pid = unsafe { libc::waitpid(child.unwrap_or(-1), &raw mut status, options) };
        match Errno::result(pid) {
            Err(Errno::EINTR) => {}
            result => return result.map(|pid| (pid != 0).then_some((pid, status))),
        }
    }
}

/// Has a program be killed when this thread ends.
#[cfg(feature = "cli")]
pub(crate) fn tie_to_this_thread(command: &mut Command) {
    let tie = || die_with_parent().map_err(std::io::Error::from_raw_os_error);
    // SAFETY: prctl(2) may be called between fork and exec.
    unsafe { command.pre_exec(tie) };
}

/// Ends this process as a return from `main` does: with the destructors of the calling
/// thread's thread-local values, the `atexit` handlers and the destructors of statics.
pub(crate) fn exit(code: i32) -> ! {
    #[cfg(target_env = "musl")]
    thread_locals::exit(code);
    #[cfg(not(target_env = "musl"))]
    {
        #[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
        std::hint::black_box(&thread_locals::REGISTER);
        std::process::exit(code)
    }
}

/// musl's exit(3) runs no destructors of thread-local values, the end of a thread does. So
/// this ends the thread, and the process from there.
#[cfg(target_env = "musl")]
mod thread_locals {
    use std::ptr;
    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

    use nix::libc::{self, c_void};

    static CODE: AtomicI32 = AtomicI32::new(0);
    static KEY: AtomicU32 = AtomicU32::new(0);

    /// The end of a thread runs the destructor of a key again while the key has a value, up to
    /// 4 times (PTHREAD_DESTRUCTOR_ITERATIONS). std runs its destructors in the second round.
    extern "C" fn destructor(round: *mut c_void) {
        match round.addr() {
            4.. => std::process::exit(CODE.load(Relaxed)),
            round => next(round + 1),
        }
    }

    fn next(round: usize) {
        // SAFETY: the key was made; the value is a number and never read as a pointer.
        unsafe { libc::pthread_setspecific(KEY.load(Relaxed), ptr::without_provenance(round)) };
    }

    pub(super) fn exit(code: i32) -> ! {
        let mut key = 0;
        // SAFETY: the pointer is valid; the destructor expects what `next` sets.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) } != 0 {
            std::process::exit(code);
        }
        KEY.store(key, Relaxed);
        CODE.store(code, Relaxed);
        next(1);
        // SAFETY: musl does not unwind. The frames of this thread are left as exit(3) leaves
        // them.
        unsafe { libc::pthread_exit(ptr::null_mut()) }
    }
}

/// In a statically linked program, exit(3) of glibc runs the destructors of thread-local
/// values only if the function that registers them is linked. std refers to it weakly, which
/// does not link it, and falls back to pthread keys, which exit(3) does not look at.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
mod thread_locals {
    use nix::libc::{c_int, c_void};

    type Destructor = unsafe extern "C" fn(*mut c_void);
    type Register = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;

    unsafe extern "C" {
        fn __cxa_thread_atexit_impl(
            destructor: Destructor,
            object: *mut c_void,
            dso: *mut c_void,
        ) -> c_int;
    }

    #[used]
    pub(super) static REGISTER: Register = __cxa_thread_atexit_impl;
}

/// Ends this process at once, without destructors, `atexit` handlers or flushes.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit(2) does not return.
    unsafe { libc::_exit(code) }
}

/// The path by which this program was executed.
pub(crate) fn executed_path() -> Option<PathBuf> {
    // SAFETY: getauxval(3) takes a number.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) };
    // The kernel has stored the address of a string.
    let path = ptr::with_exposed_provenance::<c_char>(path as usize);
    if path.is_null() {
        return None;
    }
    // SAFETY: the string ends in NUL and stays on the stack of the first thread as long as the
    // process lives.
    let path = unsafe { CStr::from_ptr(path) };
    Some(OsStr::from_bytes(path.to_bytes()).into())
}

/// Whether a seccomp filter is on this thread. Without one, prctl(2) is not filtered either.
pub(crate) fn has_seccomp_filter() -> bool {
    // SAFETY: PR_GET_SECCOMP takes no argument.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP) == libc::SECCOMP_MODE_FILTER as i32 }
}

/// Whether this process has more threads than so many. Without a `/proc` it is not known.
pub(crate) fn has_more_threads_than(count: u64) -> bool {
    // A directory has a link for itself, one for its name, and one for each directory in it.
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() > 2 + count)
}

/// Takes ownership of a descriptor that has only a number: the kernel has just made it, or
/// another process passed it to this one.
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
