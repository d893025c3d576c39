//! SIGINT, SIGTERM and SIGHUP during work that is to end properly before the process does.
//!
//! The handler is installed only where a signal would end the process, and stays. Without such
//! work, and for a second signal, it does what the signal would have done.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::libc::{self, c_int};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use super::signal_event::SignalEvent;

/// How long the work may take to end, from the moment at which it sees the signal.
const LIMIT: Duration = Duration::from_secs(2);

/// timeout(1) sends a signal to its child and then to the process group. The same signal within
/// this time, in milliseconds, is not a second one.
const TWICE: u64 = 200;

/// How many pieces of work there are.
static RUNNING: AtomicI32 = AtomicI32::new(0);
/// The signal that has arrived.
static ARRIVED: AtomicI32 = AtomicI32::new(0);
/// When, in milliseconds of CLOCK_MONOTONIC.
static SINCE: AtomicU64 = AtomicU64::new(0);
static EVENT: SignalEvent = SignalEvent::new();

/// A piece of work. While there is one, a signal that would end this process is noted.
#[derive(Debug)]
pub(crate) struct Work(());

impl Work {
    /// Begins. Does not return if a signal has arrived: the process ends soon.
    pub(crate) fn begin() -> Self {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(install);
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let work = Self(());
        if arrived().is_some() {
            work.end_process();
        }
        work
    }

    /// Waits until the last piece of work is dropped, which ends the process by the signal that
    /// has arrived.
    pub(crate) fn end_process(self) -> ! {
        drop(self);
        loop {
            std::thread::park();
        }
    }
}

impl Drop for Work {
    /// Ends the process, if a signal has arrived and this was the last piece of work.
    fn drop(&mut self) {
        let before = RUNNING.fetch_sub(1, Ordering::SeqCst);
        if let (1, Some(signal)) = (before, arrived()) {
            die_of(signal);
        }
    }
}

/// The signal that has arrived during work, if one has.
pub(crate) fn arrived() -> Option<Signal> {
    Signal::try_from(ARRIVED.load(Ordering::SeqCst)).ok()
}

/// What becomes readable, and stays so, when a signal arrives.
pub(crate) fn poll_fd() -> Option<BorrowedFd<'static>> {
    EVENT.get().map(AsFd::as_fd)
}

/// Ends the process by this signal after some time, even if the work has not ended by then.
pub(crate) fn limit(signal: Signal) {
    static LIMITED: Once = Once::new();
    LIMITED.call_once(|| {
        let started = std::thread::Builder::new().spawn(move || {
            let deadline = Instant::now() + LIMIT;
            while let Some(left) = deadline.checked_duration_since(Instant::now()) {
                std::thread::park_timeout(left);
            }
            die_of(signal)
        });
        if started.is_err() {
            die_of(signal);
        }
    });
}

/// Without a descriptor, signals end the process as before.
fn install() {
    if EVENT.open().is_err() {
        return;
    }
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler makes system calls and uses atomic variables, and nothing else.
        let before = unsafe { sigaction(signal, &action) };
        let is_default = |it: &SigAction| matches!(it.handler(), SigHandler::SigDfl);
        if let Some(before) = before.ok().filter(|it| !is_default(it)) {
            // SAFETY: the action is the one that was in place before.
            let _ = unsafe { sigaction(signal, &before) };
        }
    }
}

extern "C" fn note(signal: c_int) {
    let before = ARRIVED.load(Ordering::SeqCst);
    let now = milliseconds();
    if before == signal && now < SINCE.load(Ordering::SeqCst) + TWICE {
        return;
    }
    if before != 0 || RUNNING.load(Ordering::SeqCst) == 0 {
        default_action(signal);
        return;
    }
    SINCE.store(now, Ordering::SeqCst);
    ARRIVED.store(signal, Ordering::SeqCst);
    EVENT.notify();
}

/// By clock_gettime(2), which a signal handler may call.
fn milliseconds() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes a time, and nothing else.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    u64::try_from(now.tv_sec * 1000 + now.tv_nsec / 1_000_000).unwrap_or_default()
}

/// Has the signal end the process. In its handler, it is pending until the handler returns.
fn default_action(signal: c_int) {
    // SAFETY: it may be called in a signal handler (signal-safety(7)).
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: as above.
    unsafe { libc::raise(signal) };
}

fn die_of(signal: Signal) -> ! {
    default_action(signal as c_int);
    let mut only = SigSet::empty();
    only.add(signal);
    let _ = only.thread_unblock(); // a thread may have blocked it
    let _ = raise(signal);
    std::process::exit(128 + signal as c_int)
}
