//! Signals of the terminal that arrive before a program has been executed. They are to reach it.
//!
//! The terminal sends them to each process of the process group. A process that is to become the
//! program may not exist yet. If it exists, it must not be stopped before its exec, for which
//! another process waits. So a handler notes them, and the program gets them after its exec, which
//! gives the signals their default action.
//!
//! The kernel lets a process handle its signals before it clones another one. What arrives later is
//! for both. So no signal is lost, and none is seen twice.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use nix::libc::{self, c_int, c_void};

const NOTED_ONES: [c_int; 6] =
    [libc::SIGINT, libc::SIGQUIT, libc::SIGTTIN, libc::SIGTTOU, libc::SIGTSTP, libc::SIGCONT];

/// Each signal has a bit. The copy of a process has what was noted before the clone.
static NOTED: AtomicU32 = AtomicU32::new(0);
/// What was sent to this process alone, after it has cloned another one.
static SENT: AtomicU32 = AtomicU32::new(0);
/// The process that notes signals, and clones another one.
static OWNER: AtomicI32 = AtomicI32::new(0);
/// Not -1 after the clone. For `CLONE_PIDFD`, or stored by a child that has the same memory.
pub(super) static CLONED: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    let bit = 1 << signal;
    // SAFETY: getpid(2) cannot fail.
    if unsafe { libc::getpid() } == OWNER.load(Relaxed) && CLONED.load(Relaxed) != -1 {
        // SAFETY: the kernel passes a valid pointer to handlers with SA_SIGINFO.
        if unsafe { (*info).si_code } != libc::SI_KERNEL {
            SENT.fetch_or(bit, Relaxed);
        }
        return; // the other process has it, too
    }
    if signal == libc::SIGCONT {
        NOTED.fetch_and(!(1 << libc::SIGTSTP | 1 << libc::SIGTTIN | 1 << libc::SIGTTOU), Relaxed);
    } else {
        NOTED.fetch_or(bit, Relaxed);
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

/// Sends what was noted to a program that has been executed. It fails if the program has ended.
pub(super) fn pass_on(program: libc::pid_t) {
    let noted = NOTED.swap(0, Relaxed);
    for signal in NOTED_ONES.into_iter().filter(|signal| noted & 1 << signal != 0) {
        // SAFETY: kill(2) takes numbers.
        unsafe { libc::kill(program, signal) };
    }
}
