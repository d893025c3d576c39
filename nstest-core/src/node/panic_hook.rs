//! Counts the panics that are being printed.
//!
//! A panic is printed before the thread unwinds. With a backtrace this takes long, and the
//! thread may sleep in this time: another one prints, or the pipe for the output is full.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::panics::wrap_panic_hook;

static PRINTING: AtomicUsize = AtomicUsize::new(0);

/// Whether a thread of this process is printing a panic.
pub(super) fn is_printing() -> bool {
    PRINTING.load(Ordering::SeqCst) > 0
}

/// Counts from now on, around the present hook. A hook that the test installs later, and that
/// does not call the one before it, is not counted.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    // A thread that panics cannot change the hook.
    if !std::thread::panicking() {
        INSTALLED.call_once(|| {
            wrap_panic_hook(|_, print| {
                PRINTING.fetch_add(1, Ordering::SeqCst);
                print();
                PRINTING.fetch_sub(1, Ordering::SeqCst);
            });
        });
    }
}
