//! Signals of the terminal that arrive before a program has been executed. They are to reach it.
//!
//! The terminal sends them to each process of the process group. A process that is to become the
//! program may not exist yet. If it exists, it must not be stopped before its exec, for which
//! another process waits. So a handler notes them, and the program gets them after its exec, which
//! gives the signals their default action.
//!
//! The kernel lets a process handle its signals before it clones another one. What arrives later is
//! for both. So no signal is lost, and none is seen twice.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering::Relaxed};

use nix::libc::{self, c_int, c_void};

const NOTED_ONES: [c_int; 6] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTTIN, libc::SIGTTOU, libc::SIGTSTP, libc::SIGCONT];

/// Each signal has a bit. The copy of a process has what was noted before the clone.
static NOTED: AtomicU32 = AtomicU32::new(0);
/// What a child of fork(2) has in common with its parent, if there is one: what is noted, and what
/// is not 0 when the child exists.
static SHARED: AtomicPtr<[AtomicU32; 2]> = AtomicPtr::new(ptr::null_mut());
/// What was sent to this process alone, after it has cloned another one.
static SENT: AtomicU32 = AtomicU32::new(0);
/// The process that notes signals, and clones another one.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Not -1 after the clone. For `CLONE_PIDFD`, or stored by a child that has the same memory.
pub(super) static CLONED: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    let bit = 1 << signal;
    // SAFETY: it is null, or memory that is never unmapped.
    let shared = unsafe { SHARED.load(Relaxed).as_ref() };
    let has_cloned = shared.map_or(CLONED.load(Relaxed) != -1, |it| it[1].load(Relaxed) != 0);
    let noted = shared.map_or(&NOTED, |it| &it[0]);
    // SAFETY: getpid(2) cannot fail.
    if unsafe { libc::getpid() } == OWNER.load(Relaxed) && has_cloned {
        // SAFETY: the kernel passes a valid pointer to handlers with SA_SIGINFO.
        if unsafe { (*info).si_code } != libc::SI_KERNEL {
            SENT.fetch_or(bit, Relaxed);
        }
        return; // the other process has it, too
    }
    if signal == libc::SIGCONT {
        noted.fetch_and(!(1 << libc::SIGTSTP | 1 << libc::SIGTTIN | 1 << libc::SIGTTOU), Relaxed);
    } else {
        noted.fetch_or(bit, Relaxed);
    }
}

/// Signals are noted until this is dropped. In between, this process clones another one.
pub(super) struct Noting([Option<libc::sigaction>; NOTED_ONES.len()]);

impl Noting {
    /// All signals must be blocked. What was noted before stays noted.
    pub(super) fn begin() -> Self {
        // SAFETY: getpid(2) cannot fail.
        OWNER.store(unsafe { libc::getpid() }, Relaxed);
        CLONED.store(-1, Relaxed);
        let before = NOTED_ONES.map(install);
        mask(libc::SIG_UNBLOCK);
        Self(before)
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        mask(libc::SIG_BLOCK);
        let sent = SENT.swap(0, Relaxed);
        for (signal, before) in NOTED_ONES.iter().zip(&self.0) {
            if let Some(before) = before {
                // SAFETY: the action is the one that was read before.
                unsafe { libc::sigaction(*signal, before, ptr::null_mut()) };
            }
            if sent & 1 << signal != 0 {
                // SAFETY: the signal is blocked, and so is pending again.
                unsafe { libc::raise(*signal) };
            }
        }
    }
}

/// Returns the action until now. An ignored signal stays ignored, also in the program.
fn install(signal: c_int) -> Option<libc::sigaction> {
    // SAFETY: all zeroes is a valid sigaction.
    let (mut before, mut noting): (libc::sigaction, libc::sigaction) =
        unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid; null changes nothing.
    unsafe { libc::sigaction(signal, ptr::null(), &raw mut before) };
    if before.sa_sigaction == libc::SIG_IGN {
        return None;
    }
    noting.sa_sigaction = note as *const () as libc::sighandler_t;
    noting.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the set is valid.
    unsafe { libc::sigfillset(&raw mut noting.sa_mask) };
    // SAFETY: the handler makes one system call, and otherwise uses atomic numbers.
    unsafe { libc::sigaction(signal, &raw const noting, ptr::null_mut()) };
    Some(before)
}

fn mask(how: c_int) {
    // SAFETY: all zeroes is a valid, empty signal set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in NOTED_ONES {
        // SAFETY: the set is valid.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY: the set is valid; the mask is that of this thread.
    unsafe { libc::pthread_sigmask(how, &raw const set, ptr::null_mut()) };
}

/// Says that the child exists, in a child that has the memory of the process that notes signals.
pub(super) fn child_exists() {
    CLONED.store(0, Relaxed);
}

/// Has this process get what was noted, once it does not block these signals any more. They stay
/// pending at an exec.
pub(super) fn keep_pending() {
    for signal in ones_of(NOTED.swap(0, Relaxed)) {
        // SAFETY: the signal is blocked.
        unsafe { libc::raise(signal) };
    }
}

/// The signals in a set, in which each has a bit.
fn ones_of(set: u32) -> impl Iterator<Item = c_int> {
    NOTED_ONES.into_iter().filter(move |signal| set & 1 << signal != 0)
}

/// Notes what init, which blocks all signals, has received since its start. This process exists
/// for a shorter time, and blocks all signals, too.
pub(crate) fn note_those_of_init() {
    let status = std::fs::read_to_string("/proc/1/status").unwrap_or_default();
    let pending = status.lines().filter_map(|line| {
        let set = line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(set.trim(), 16).ok()
    });
    let pending = pending.fold(0, |all, one| all | one) << 1;
    for signal in NOTED_ONES.into_iter().filter(|it| pending & 1 << it != 0 && *it != libc::SIGCONT)
    {
        NOTED.fetch_or(1 << signal, Relaxed);
    }
}

/// As [`note_those_of_init`], for a process that becomes the program itself.
pub(crate) fn keep_those_of_init() {
    note_those_of_init();
    keep_pending();
}

/// Why a program was not started.
pub(crate) enum NotSpawned {
    /// The machine refused what comes before its exec.
    Refused(io::Error),
    /// It cannot be executed.
    NotExecuted(io::Error),
}

impl<E: Into<io::Error>> From<E> for NotSpawned {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Starts a program, which gets what is noted. This process must block all signals.
pub(crate) fn spawn(command: &mut Command) -> Result<Child, NotSpawned> {
    // SAFETY: a new mapping changes no memory that exists.
    let page = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size_of::<[AtomicU32; 2]>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(NotSpawned::Refused(io::Error::last_os_error()));
    }
    // SAFETY: the mapping is large enough, is zeroed, and is never unmapped.
    let shared: &'static [AtomicU32; 2] = unsafe { &*page.cast() };
    shared[0].store(NOTED.swap(0, Relaxed), Relaxed);
    SHARED.store(page.cast(), Relaxed);
    let begin = || {
        shared[1].store(1, Relaxed);
        Ok(())
    };
    // SAFETY: it stores a number.
    unsafe { command.pre_exec(begin) };
    let noting = Noting::begin();
    let child = command.spawn();
    drop(noting);
    SHARED.store(ptr::null_mut(), Relaxed);
    NOTED.store(shared[0].load(Relaxed), Relaxed);
    // The child says that it exists just before its exec.
    let child = child.map_err(match shared[1].load(Relaxed) {
        0 => NotSpawned::Refused,
        _ => NotSpawned::NotExecuted,
    })?;
    pass_on(child.id() as libc::pid_t);
    Ok(child)
}

/// Sends what was noted to a program that has been executed. It fails if the program has ended.
pub(super) fn pass_on(program: libc::pid_t) {
    for signal in ones_of(NOTED.swap(0, Relaxed)) {
        // SAFETY: kill(2) takes numbers.
        unsafe { libc::kill(program, signal) };
    }
}
