//! SIGINT and SIGTERM as a descriptor, for a while.
//!
//! signalfd(2) would not do: a signal for the process goes to any thread that does not block it,
//! and the threads of libtest do not.

use std::os::fd::{AsFd, BorrowedFd};

use nix::libc::c_int;
use nix::sys::eventfd::EventFd;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::signal_event::SignalEvent;

static ARRIVED: SignalEvent = SignalEvent::new();

/// While it exists, SIGINT and SIGTERM do not end this process. One at a time.
#[derive(Debug)]
pub(crate) struct CaughtInterrupts {
    arrived: &'static EventFd,
    before: Vec<(Signal, SigAction)>,
}

impl CaughtInterrupts {
    pub(crate) fn catch() -> nix::Result<Self> {
        let arrived = ARRIVED.open()?;
        let _ = arrived.read(); // fails if none has arrived
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
    ARRIVED.notify();
}
