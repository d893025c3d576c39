//! The clone: a child in new namespaces, in the parent's memory until it execs.
//!
//! A clone that copies page tables takes time in proportion to the parent's memory. This
//! one shares the memory (`CLONE_VM | CLONE_VFORK`), on a stack of its own, as
//! posix_spawn(3) does. The calling thread sleeps until the child has exec'd or exited. The
//! other threads of the parent continue. The traps (vfork(2), clone(2)):
//! - If the child ran a signal handler of the parent, the handler would act on the parent's
//!   memory. All signals are blocked around the clone.
//! - seccomp filters of containers answer `clone3` with ENOSYS, so the legacy `clone` is
//!   called. Its flags suffice.
//! - If the child ends before it execs, a SIGCHLD would reach handlers of the parent, so
//!   the exit signal is 0. execve(2) sets it to SIGCHLD again. From then on an ignored
//!   SIGCHLD, or a `wait(-1)` elsewhere in the parent, may reap the child. So its end is
//!   seen on its pidfd, and its status is sent through the pipe.

use std::ffi::{CStr, CString, c_char, c_void};
use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use nix::libc::{self, c_int};

use super::call::{Errno, check, errno, pointers};
#[cfg(feature = "cli")]
use super::early_signals::{self, Noting};
use super::process::Process;
use super::step::{HeldDirs, Step};

/// The program that the child becomes.
#[derive(Debug)]
pub(crate) struct Image {
    pub(super) path: CString,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    /// Whether the program begins with all signals blocked. Those of the terminal that arrive
    /// before are then pending.
    pub(crate) keeps_signals: bool,
}

impl Image {
    pub(crate) fn new(path: CString, arguments: Vec<CString>, environment: Vec<CString>) -> Self {
        Self { path, arguments, environment, keeps_signals: false }
    }
}

/// What the child writes into the parent's memory.
struct ChildReport {
    /// The kernel writes the pidfd here before the child runs.
    pidfd: AtomicI32,
    /// The index of the step that failed. The number of steps stands for the exec, -1 for
    /// none.
    failed: AtomicI32,
    /// For each step, the `errno` if it failed. The last is that of the exec.
    errnos: Vec<AtomicI32>,
}

/// What was refused, so that there is no child.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// clone(2), or memory or a thread for it.
    Clone(Errno),
    /// The step with this index.
    Step(usize, Errno),
    /// execve(2).
    Exec(Errno),
}

/// A child that is no copy of its parent any more.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) process: Process,
    /// The failed steps that were not required, by index.
    pub(crate) tolerated: Vec<(usize, Errno)>,
    /// Whether the program was executed that init has started, if it was to start one.
    #[cfg(feature = "cli")]
    pub(crate) executed: Option<Result<(), Errno>>,
}

/// One step, and whether the child fails without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) step: Step,
    pub(crate) required: bool,
}

pub(crate) type ChildPid<'a> = &'a dyn Fn() -> io::Result<libc::pid_t>;

/// A thread of the parent that serves the child while the thread that cloned it sleeps. The
/// child does not have the parent's capabilities.
pub(crate) struct Helper<'a> {
    /// Its argument returns the child's PID in /proc, once the child runs.
    pub(crate) serve: &'a (dyn Fn(ChildPid<'_>) + Sync),
    /// The child's end of the channel between the two.
    pub(crate) channel: OwnedFd,
}

struct ChildJob<'a> {
    acts: &'a [Act],
    /// The act to begin with.
    first: usize,
    /// Where a [`Step::Fork`] puts its child, if there is one.
    second_stack: Option<&'a Stack>,
    path: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    report: &'a ChildReport,
    /// Whether the program begins with all signals blocked, and gets those that arrive now.
    keeps_signals: bool,
}

/// Clones a child with the namespaces in `flags`, has it perform `acts` in
/// order, and exec `image`.
pub(crate) fn spawn(
    flags: c_int,
    acts: &[Act],
    image: &Image,
    helper: Option<Helper<'_>>,
) -> Result<Spawned, Refused> {
    let report = ChildReport {
        pidfd: AtomicI32::new(-1),
        failed: AtomicI32::new(-1),
        errnos: (0..=acts.len()).map(|_| AtomicI32::new(0)).collect(),
    };
    let cloned = match helper {
        None => clone_and_exec(flags, acts, image, &report),
        Some(Helper { serve, channel }) => std::thread::scope(|scope| {
            let pid = || pid_of(report.pidfd.load(Relaxed));
            std::thread::Builder::new()
                .spawn_scoped(scope, move || serve(&pid))
                .map_err(|error| error.raw_os_error().unwrap_or(libc::EAGAIN))?;
            let cloned = clone_and_exec(flags, acts, image, &report);
            drop(channel); // so that the helper sees the end of a child that has died
            cloned
        }),
    };
    let pid = cloned.map_err(Refused::Clone)?;
    // SAFETY: the clone succeeded, so the kernel stored a new descriptor there, which no
    // other code owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(report.pidfd.load(Relaxed)) };
    let process = Process::new(pid, pidfd);

    let failed = report.failed.load(Relaxed);
    let Ok(index) = usize::try_from(failed) else {
        let tolerated = report.errnos.iter().map(|e| e.load(Relaxed)).enumerate();
        return Ok(Spawned {
            process,
            tolerated: tolerated.filter(|(_, e)| *e != 0).collect(),
            #[cfg(feature = "cli")]
            executed: None,
        });
    };
    let errno = report.errnos[index].load(Relaxed);
    process.reap();
    if index == acts.len() { Err(Refused::Exec(errno)) } else { Err(Refused::Step(index, errno)) }
}

fn clone_and_exec(
    flags: c_int,
    acts: &[Act],
    image: &Image,
    report: &ChildReport,
) -> Result<libc::pid_t, Errno> {
    let arguments = pointers(&image.arguments);
    let environment = pointers(&image.environment);
    let forks = acts.iter().any(|act| matches!(act.step, Step::Fork { .. }));
    let second_stack = forks.then(Stack::new).transpose()?;
    let job = ChildJob {
        acts,
        first: 0,
        second_stack: second_stack.as_ref(),
        path: image.path.as_ptr(),
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        report,
        keeps_signals: image.keeps_signals,
    };
    let stack = Stack::new()?;
    let _blocked = BlockedSignals::new()?;
    #[cfg(feature = "cli")]
    let _noting = image.keeps_signals.then(Noting::begin);
    // SAFETY: the stack is ours and large enough; `job` and all that it points to
    // outlive the child's use of them, since CLONE_VFORK suspends this thread
    // until the child has exec'd or exited; `child` obeys the rules of `step`.
    check(unsafe {
        libc::clone(
            child,
            stack.top(),
            flags | libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD,
            (&raw const job).cast_mut().cast(),
            report.pidfd.as_ptr(),
        )
    })
}

/// The PID of a process in /proc, which may show those of an outer namespace. The child does not
/// know its own outside of its namespace, and clone(2) has not returned it yet.
pub(super) fn pid_of(pidfd: c_int) -> io::Result<libc::pid_t> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{pidfd}"))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.and_then(|pid| pid.trim().parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

extern "C" fn child(job: *mut c_void) -> c_int {
    // SAFETY: it is the job of `clone_and_exec`, which is suspended.
    let job = unsafe { &*job.cast::<ChildJob<'_>>() };
    let fail = |index: usize, errno: Errno| -> ! {
        job.report.errnos[index].store(errno, Relaxed);
        job.report.failed.store(index as c_int, Relaxed);
        // SAFETY: _exit(2) runs no handler of the parent's.
        unsafe { libc::_exit(1) }
    };
    // Until the exec.
    let _blocked = job.keeps_signals.then(BlockedSignals::new);
    #[cfg(feature = "cli")]
    if job.keeps_signals {
        early_signals::child_exists();
    }
    let mut held = HeldDirs::new();
    for (index, act) in job.acts.iter().enumerate().skip(job.first) {
        if let (Step::Fork { wait }, Some(stack)) = (&act.step, job.second_stack) {
            let rest = ChildJob { first: index + 1, second_stack: None, ..*job };
            match fork(&rest, stack, *wait) {
                // SAFETY: _exit(2) runs no handler of the parent's.
                Ok(status) => unsafe { libc::_exit(status) },
                Err(errno) => fail(index, errno),
            }
        }
        if let Err(errno) = act.step.perform(&mut held) {
            if act.required {
                fail(index, errno);
            }
            job.report.errnos[index].store(errno, Relaxed);
        }
    }
    if !job.keeps_signals {
        unblock_signals();
    }
    #[cfg(feature = "cli")]
    if job.keeps_signals {
        early_signals::keep_pending();
    }
    // SAFETY: the path ends in NUL, and both arrays of such strings end in null.
    unsafe { libc::execve(job.path, job.arguments, job.environment) };
    fail(job.acts.len(), errno())
}

/// Has a child continue with the rest of the job. Waits for its end if `wait` is set. All
/// three processes share one memory until that child has exec'd; two of them sleep.
fn fork(rest: &ChildJob<'_>, stack: &Stack, wait: bool) -> Result<c_int, Errno> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is unused and large enough; `rest` outlives the child's
    // use of it, since CLONE_VFORK suspends this process; `child` obeys the rules.
    let pid = check(unsafe {
        libc::clone(child, stack.top(), flags, ptr::from_ref(rest).cast_mut().cast())
    })?;
    let mut status = 0;
    loop {
        if !wait {
            return Ok(0);
        }
        // SAFETY: the pointer is valid.
        match check(unsafe { libc::waitpid(pid, &raw mut status, 0) }) {
            Err(libc::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) if libc::WIFEXITED(status) => return Ok(libc::WEXITSTATUS(status)),
            Ok(_) => return Ok(128 + libc::WTERMSIG(status)),
        }
    }
}

/// The path of the running program, which works when its file was deleted or
/// replaced, and from another mount namespace.
pub(crate) const SELF: &CStr = c"/proc/self/exe";

/// Unblocks all signals in a child, before it becomes a program, which inherits the mask.
pub(super) fn unblock_signals() {
    // SAFETY: all zeroes is a valid, empty signal set.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid; the mask is the child's own.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
}

/// All signals are blocked in the calling thread, until this is dropped.
pub(super) struct BlockedSignals(libc::sigset_t);

impl BlockedSignals {
    pub(super) fn new() -> Result<Self, Errno> {
        // SAFETY: all zeroes is a valid signal set, to be written by the calls below.
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is valid.
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: both pointers are valid.
        match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) } {
            0 => Ok(Self(before)),
            errno => Err(errno),
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the set is the one that was read before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, ptr::null_mut()) };
    }
}

/// The stack of the child. Its lower end is a guard that cannot be written to.
pub(super) struct Stack(*mut c_void);

impl Stack {
    const SIZE: usize = 256 * 1024;
    const GUARD: usize = 64 * 1024; // the largest page size

    pub(super) fn new() -> Result<Self, Errno> {
        // SAFETY: a new private mapping changes no memory that exists.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                Self::SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(errno());
        }
        let stack = Self(base);
        // SAFETY: the range is the lower end of the mapping just made.
        check(unsafe { libc::mprotect(base, Self::GUARD, libc::PROT_NONE) })?;
        Ok(stack)
    }

    /// Stacks grow downwards on every platform that Rust supports on Linux.
    pub(super) fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(Self::SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and the child no longer runs on it.
        unsafe { libc::munmap(self.0, Self::SIZE) };
    }
}
