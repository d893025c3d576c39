//! SIGINT and SIGTERM as a descriptor, for a while.
//!
//! signalfd(2) would not do: a signal for the process goes to any thread that does not block it,
//! and the threads of libtest do not.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::libc::{self, c_int, c_long};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::call::bare;

/// Never closed, since a handler may still run when the signals are no longer caught.
static ARRIVED: OnceLock<EventFd> = OnceLock::new();
/// Its number, for the handler.
static NUMBER: AtomicI32 = AtomicI32::new(-1);

/// While it exists, SIGINT and SIGTERM do not end this process. One at a time.
#[derive(Debug)]
pub(crate) struct CaughtInterrupts {
    arrived: &'static EventFd,
    before: Vec<(Signal, SigAction)>,
}

impl CaughtInterrupts {
    pub(crate) fn catch() -> nix::Result<Self> {
        let arrived = match ARRIVED.get() {
            Some(arrived) => arrived,
            None => {
                let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
                let made = EventFd::from_flags(flags)?;
                ARRIVED.get_or_init(|| made)
            }
        };
        let _ = arrived.read(); // fails if none has arrived
        NUMBER.store(arrived.as_fd().as_raw_fd(), Ordering::Relaxed);
        let handler = SigHandler::Handler(note);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        let mut caught = Self { arrived, before: Vec::new() };
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            // SAFETY: the handler makes one system call and nothing else.
            let before = unsafe { sigaction(signal, &action) }?;
            caught.before.push((signal, before));
        }
        Ok(caught)
    }

    /// Whether one has arrived.
    pub(crate) fn arrived(&self) -> bool {
        self.arrived.read().is_ok()
    }
}

impl AsFd for CaughtInterrupts {
    /// Readable when a signal has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for CaughtInterrupts {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: the action is the one that was in place before.
            let _ = unsafe { sigaction(*signal, before) };
        }
    }
}

extern "C" fn note(_: c_int) {
    let one = 1_u64;
    let number = c_long::from(NUMBER.load(Ordering::Relaxed));
    // Without the C library, which would change `errno` of the interrupted code.
    bare(libc::SYS_write, [number, (&raw const one) as c_long, 8, 0]);
}
