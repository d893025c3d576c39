//! Stops this process as a job of a shell, together with a program that it waits for.
//!
//! Others may continue the program at any time, also between the decision to stop and the stop. So
//! two things are left to the kernel:
//!
//! - A message in the pipe through which this process learns about the program sends it SIGCONT
//!   (fcntl(2), "Signal-driven I/O"), so that it does not stay stopped.
//! - A SIGCONT removes a SIGTSTP that is pending (signal(7)). So this process blocks SIGTSTP, has
//!   it pending, looks at the program, and then unblocks it.
//!
//! The kernel discards a SIGTSTP for an orphaned process group, which no shell could continue. The
//! process then does not stop.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;
use std::{mem, ptr};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{self, c_int};
use nix::sys::signal::{SigHandler, SigSet, Signal, raise, signal};
use nix::sys::signalfd::siginfo;

/// Not in the crate libc. It is the same on all architectures that Rust supports.
const F_SETSIG: c_int = 10;

/// The code of a signal that a descriptor has sent: sigaction(2).
const POLL_IN: i32 = 1;

/// Whether a signal is the SIGCONT of a message or of the end of the time.
pub(crate) fn is_own(info: &siginfo) -> bool {
    info.ssi_signo == libc::SIGCONT as u32 && matches!(info.ssi_code, POLL_IN | libc::SI_TIMER)
}

/// Stops this process until a SIGCONT or a message in the pipe, which is read without blocking; at
/// most for this time. Does not stop if `is_wanted` returns false, or it is to be continued
/// already. SIGTSTP is blocked before and afterwards. It may be pending afterwards.
///
/// # Errors
/// If there is no timer; if the pipe, or the mask or the action of SIGTSTP, cannot be changed.
pub(crate) fn stop_if(
    pipe: BorrowedFd<'_>,
    time: Option<Duration>,
    is_wanted: impl FnOnce() -> bool,
) -> nix::Result<()> {
    let only = SigSet::from(Signal::SIGTSTP);
    // SAFETY: the default action replaces none of a handler of this program, which has none.
    unsafe { signal(Signal::SIGTSTP, SigHandler::SigDfl) }?;
    control(pipe, F_SETSIG, libc::SIGCONT)?;
    control(pipe, libc::F_SETOWN, std::process::id() as c_int)?;
    raise(Signal::SIGTSTP)?;
    control(pipe, libc::F_SETFL, (OFlag::O_NONBLOCK | OFlag::O_ASYNC).bits())?;
    if is_wanted() {
        let _timer = time.map(Timer::start).transpose()?;
        only.thread_unblock()?;
        only.thread_block()?;
    }
    // Not while this process runs: of two SIGCONT, only the first one is seen.
    control(pipe, libc::F_SETFL, OFlag::O_NONBLOCK.bits())
}

fn control(pipe: BorrowedFd<'_>, command: c_int, value: c_int) -> nix::Result<()> {
    // SAFETY: the commands of this module take a number.
    Errno::result(unsafe { libc::fcntl(pipe.as_raw_fd(), command, value) }).map(drop)
}

/// Sends SIGCONT to this process after some time, until it is dropped.
struct Timer(libc::timer_t);

impl Timer {
    fn start(time: Duration) -> nix::Result<Self> {
        // SAFETY: all zeroes is a valid sigevent.
        let mut event: libc::sigevent = unsafe { mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGCONT;
        let mut id = ptr::null_mut();
        // SAFETY: both pointers are valid.
        let made =
            unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut id) };
        Errno::result(made)?;
        let timer = Self(id);
        // SAFETY: all zeroes is a valid itimerspec.
        let mut once: libc::itimerspec = unsafe { mem::zeroed() };
        once.it_value.tv_sec = i32::try_from(time.as_secs()).unwrap_or(i32::MAX).into();
        once.it_value.tv_nsec = time.subsec_nanos().max(1) as _; // zero would stop the timer
        // SAFETY: the timer exists, the pointer is valid, and null is allowed.
        let started = unsafe { libc::timer_settime(id, 0, &raw const once, ptr::null_mut()) };
        Errno::result(started).map(|_| timer)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer exists, and nothing uses it afterwards.
        unsafe { libc::timer_delete(self.0) };
    }
}
