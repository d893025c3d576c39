//! System calls tried in a child process, to learn which this machine refuses.
//!
//! One child, made by a raw `clone` that shares nothing, makes all the trials. It writes
//! each result onto a page that it shares with the caller. A child of that child enters
//! each namespace, and ends at once.
//!
//! The traps:
//! - A seccomp filter may answer with a signal. A process that dies by SIGSYS dumps core,
//!   and before Linux 5.16 a core dump kills every process with the same memory
//!   (kernel/signal.c, fs/coredump.c). So the outer child has its own memory, with copied
//!   page tables. That cost is paid once, after a failure.
//! - The caller has threads, so the child makes bare system calls only. All signals are
//!   blocked across the `clone`, so that no handler of the caller runs in the child.
//! - `exit_signal` is 0, so there is no SIGCHLD, and a `wait` elsewhere in the caller
//!   cannot reap the child, since only `__WALL` sees it (waitpid(2)).
//! - Some calls have arguments that the kernel refuses before it checks permissions:
//!   `CLONE_FS` with `CLONE_NEWUSER` is EINVAL (clone(2)), a bad pointer for the type of a
//!   mount is EFAULT, arguments without a size for `clone3` are EINVAL. Any other answer comes from
//!   a seccomp filter.

use std::ffi::{CStr, c_int, c_void};
use std::fmt;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicUsize, Ordering::Relaxed};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};

use super::namespaces;

/// The result of one trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrialOutcome {
    Allowed,
    Refused(Errno),
    /// The child that tried died by this signal.
    Killed(i32),
    /// The child was not made, or ended before this trial.
    Untried,
}

impl fmt::Display for TrialOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("works"),
            Self::Refused(errno) => write!(f, "{errno:?}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::Untried => f.write_str("not tried"),
        }
    }
}

/// What to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trial {
    /// `clone` with the flags of every namespace and `CLONE_FS`: EINVAL without a filter.
    CloneFilter,
    /// `clone3` with arguments of size 0: EINVAL without a filter, ENOSYS before Linux 5.3.
    Clone3Filter,
    /// `mount` with a bad pointer: EFAULT without a filter.
    MountFilter,
    /// `clone` with these namespace flags.
    Clone(c_int),
    /// In a new user namespace: "deny" to `/proc/self/setgroups`. Its AppArmor label is read first.
    SetGroups,
    /// Then: the caller's user id to `/proc/self/uid_map`, as 0.
    IdMap,
}

/// What [`run`] returns.
#[derive(Debug)]
pub(crate) struct TrialReport {
    /// Whether a child without namespaces of its own could be made.
    pub(crate) process: TrialOutcome,
    /// One for each trial, in order.
    pub(crate) outcomes: Vec<TrialOutcome>,
    /// The AppArmor label of a process in a new user namespace, as the kernel writes it.
    pub(crate) label: Vec<u8>,
}

const MAX_TRIALS: usize = 16;
const NOT_BEGUN: i32 = i32::MIN;
const BEGUN: i32 = -1;
const STACK: usize = 64 * 1024;

/// The shared page. A result is `NOT_BEGUN`, `BEGUN`, 0 or an errno.
#[repr(C)]
struct Board {
    results: [AtomicI32; MAX_TRIALS],
    label_len: AtomicUsize,
    label: [AtomicU8; 256],
}

/// Owns the mapping of a [`Board`].
struct SharedBoard(ptr::NonNull<Board>);

impl SharedBoard {
    fn new() -> Result<Self, Errno> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no other memory.
        let page = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Board>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if page == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let board = Self(ptr::NonNull::new(page.cast()).ok_or(Errno::ENOMEM)?);
        for result in &board.get().results {
            result.store(NOT_BEGUN, Relaxed);
        }
        Ok(board)
    }

    fn get(&self) -> &Board {
        // SAFETY: the mapping lives as long as self, is page-aligned and zeroed, and zeros are
        // a valid Board; its fields are atomics, so the child may write while we hold this.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for SharedBoard {
    fn drop(&mut self) {
        // SAFETY: `new` made this mapping with this length, and no reference outlives self.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Board>()) };
    }
}

/// Makes the trials. `uid_map` is what [`Trial::IdMap`] writes.
pub(crate) fn run(trials: &[Trial], uid_map: &CStr) -> TrialReport {
    assert!(trials.len() <= MAX_TRIALS);
    let nothing = |process| TrialReport {
        process,
        outcomes: vec![TrialOutcome::Untried; trials.len()],
        label: Vec::new(),
    };
    let Ok(shared) = SharedBoard::new() else {
        return nothing(TrialOutcome::Untried);
    };
    let board = shared.get();
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let job = TrialJob { board, uid_map, stack: stack.as_mut_ptr_range().end.cast() };

    let mut mask = SigSet::empty();
    let blocked = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    if let Ok(before) = blocked {
        mask = before;
    }
    // SAFETY: with no flags and no stack this is fork(2) without glibc's handlers, which take
    // locks that another thread may hold; the child calls only async-signal-safe functions and exits.
    // All arguments are 0, so their order, which differs between architectures, does not matter.
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
    if pid == 0 {
        job.make(trials);
    }
    let made = Errno::result(pid);
    if blocked.is_ok() {
        // Restoring a mask that was in force cannot fail.
        let _ = mask.thread_set_mask();
    }
    let pid = match made {
        Ok(pid) => pid,
        Err(errno) => return nothing(TrialOutcome::Refused(errno)),
    };
    // A process id fits: they are at most 2^22.
    let status = wait(pid as libc::pid_t);
    let killed_by = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));

    TrialReport {
        process: TrialOutcome::Allowed,
        outcomes: trials
            .iter()
            .zip(&board.results)
            .map(|(_, result)| match (result.load(Relaxed), killed_by) {
                (0, _) => TrialOutcome::Allowed,
                (BEGUN, Some(signal)) => TrialOutcome::Killed(signal),
                (BEGUN | NOT_BEGUN, _) => TrialOutcome::Untried,
                (errno, _) => TrialOutcome::Refused(Errno::from_raw(errno)),
            })
            .collect(),
        label: board
            .label
            .iter()
            .take(board.label_len.load(Relaxed))
            .map(|byte| byte.load(Relaxed))
            .collect(),
    }
}

/// The status of a child with any exit signal, once it has ended.
fn wait(pid: libc::pid_t) -> c_int {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call, which writes one int to it.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
        if waited == pid || Errno::last() != Errno::EINTR {
            return status;
        }
    }
}

/// What the child needs, allocated before it was made.
struct TrialJob<'a> {
    board: &'a Board,
    uid_map: &'a CStr,
    /// The upper end of a stack for a child of the child.
    stack: *mut c_void,
}

impl TrialJob<'_> {
    /// The outer child. From here on only system calls: no allocation, no lock, no panic.
    fn make(&self, trials: &[Trial]) -> ! {
        // Whatever the trials provoke leaves no core file and no crash report: with a limit of
        // 1, the kernel does not even start a program (do_coredump). A process that is not
        // dumpable would do the same, but may not write its own uid_map.
        let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: the pointer is valid.
        unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
        for (trial, result) in trials.iter().zip(&self.board.results) {
            result.store(BEGUN, Relaxed);
            let outcome = match *trial {
                Trial::CloneFilter => self.clone(libc::CLONE_FS | namespaces::EVERY, leave),
                Trial::Clone3Filter => clone3_nonsense(),
                Trial::MountFilter => mount_nonsense(),
                Trial::Clone(flags) => self.clone(flags, leave),
                Trial::SetGroups => self.clone(libc::CLONE_NEWUSER, set_groups),
                Trial::IdMap => self.clone(libc::CLONE_NEWUSER, id_map),
            };
            result.store(outcome, Relaxed);
        }
        // SAFETY: ends this process without running the caller's exit handlers.
        unsafe { libc::_exit(0) }
    }

    /// Runs `body` in a child with these namespaces: 0, or the errno of `clone` or of the body.
    fn clone(&self, flags: c_int, body: extern "C" fn(*mut c_void) -> c_int) -> i32 {
        // SAFETY: the stack is 16-byte aligned, 64 KiB and not in use, since
        // CLONE_VFORK holds this process until the child has ended; `self` outlives it, too.
        let pid = unsafe {
            libc::clone(
                body,
                self.stack,
                libc::CLONE_VM | libc::CLONE_VFORK | flags,
                ptr::from_ref(self).cast_mut().cast(),
            )
        };
        if pid < 0 {
            return Errno::last_raw();
        }
        libc::WEXITSTATUS(wait(pid))
    }
}

extern "C" fn leave(_: *mut c_void) -> c_int {
    0
}

extern "C" fn set_groups(job: *mut c_void) -> c_int {
    // SAFETY: `TrialJob::clone` passes itself and stays alive until this process has ended.
    let job = unsafe { &*job.cast::<TrialJob<'_>>() };
    // Without AppArmor, reading the label is an error, or gives that of another module.
    read_label(c"/proc/self/attr/apparmor/current", job.board)
        .or_else(|| read_label(c"/proc/self/attr/current", job.board));
    write(c"/proc/self/setgroups", c"deny")
}

extern "C" fn id_map(job: *mut c_void) -> c_int {
    // SAFETY: as in `set_groups`.
    let job = unsafe { &*job.cast::<TrialJob<'_>>() };
    write(c"/proc/self/uid_map", job.uid_map)
}

/// 0, or an errno.
fn write(path: &CStr, text: &CStr) -> c_int {
    // SAFETY: `path` is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        return Errno::last_raw();
    }
    // SAFETY: `text` has that many bytes. The process ends soon, and with it the descriptor.
    let written = unsafe { libc::write(fd, text.as_ptr().cast(), text.count_bytes()) };
    if written < 0 { Errno::last_raw() } else { 0 }
}

fn read_label(path: &CStr, board: &Board) -> Option<()> {
    let mut bytes = [0_u8; 256];
    // SAFETY: `path` is a C string.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        return None;
    }
    // SAFETY: `bytes` has room for that many.
    let read = unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), bytes.len()) };
    let read = usize::try_from(read).ok()?;
    for (to, from) in board.label.iter().zip(bytes).take(read) {
        to.store(from, Relaxed);
    }
    board.label_len.store(read, Relaxed);
    Some(())
}

fn clone3_nonsense() -> i32 {
    let nothing: *const c_void = ptr::null();
    // SAFETY: the kernel reads no arguments, since their size is too small, and makes no process.
    let result = unsafe { libc::syscall(libc::SYS_clone3, nothing, 0_usize) };
    if result < 0 { Errno::last_raw() } else { 0 }
}

fn mount_nonsense() -> i32 {
    // SAFETY: the kernel reads the type first and answers EFAULT for an address that is
    // never mapped; nothing is mounted.
    let result = unsafe {
        libc::mount(ptr::null(), c"/".as_ptr(), ptr::without_provenance(1), 0, ptr::null())
    };
    if result < 0 { Errno::last_raw() } else { 0 }
}
