//! What a signal handler says to the rest of the process.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::libc::{self, c_long};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::call::bare;

/// A descriptor that a signal handler makes readable. Never closed, since a handler may run at
/// any time.
pub(super) struct SignalEvent {
    event: OnceLock<EventFd>,
    /// Its number, for the handler.
    number: AtomicI32,
}

impl SignalEvent {
    pub(super) const fn new() -> Self {
        Self { event: OnceLock::new(), number: AtomicI32::new(-1) }
    }

    /// The descriptor, which is made if it does not exist. To be called before the handler is
    /// installed.
    pub(super) fn open(&self) -> nix::Result<&EventFd> {
        let event = match self.event.get() {
            Some(event) => event,
            None => {
                let made = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
                self.event.get_or_init(|| made)
            }
        };
        self.number.store(event.as_fd().as_raw_fd(), Ordering::SeqCst);
        Ok(event)
    }

    /// The descriptor, if it exists.
    pub(super) fn get(&self) -> Option<&EventFd> {
        self.event.get()
    }

    /// Makes the descriptor readable. For handlers.
    pub(super) fn notify(&self) {
        let one = 1_u64;
        let number = c_long::from(self.number.load(Ordering::SeqCst));
        // Without the C library, which would change `errno` of the interrupted code.
        bare(libc::SYS_write, [number, (&raw const one) as c_long, 8, 0]);
    }
}
