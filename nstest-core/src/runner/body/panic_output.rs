//! Has what a test has printed appear before the message of its panic.
//!
//! `print!` without a newline leaves text in the buffer of standard output, and the message
//! goes to standard error. In libtest's own capture both are one buffer.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

use crate::panics::wrap_panic_hook;
use crate::snapshot;
use crate::sys::process::has_more_threads_than;

/// How long to wait for another thread that holds the lock of standard output. It may hold it
/// until the panicking thread ends.
const LIMIT: Duration = Duration::from_millis(100);

/// The main thread, and that of the test. Where a panic aborts, libtest runs the test on the main
/// thread (`__RUST_TEST_INVOKE`).
const THREADS_OF_LIBTEST: u64 = if cfg!(panic = "abort") { 1 } else { 2 };

/// Wraps the present panic hook. The snapshot is taken first, since flushing may wait.
pub(super) fn flush_before_panics() {
    snapshot::arm();
    wrap_panic_hook(|print| {
        snapshot::at_panic();
        flush();
        print();
    });
}

fn flush() {
    // The lock is reentrant. If there are no other threads than libtest's, only this one can hold it.
    if !has_more_threads_than(THREADS_OF_LIBTEST) {
        let _ = std::io::stdout().flush();
        return;
    }
    let (done, flushed) = mpsc::channel::<()>();
    let flushing = std::thread::Builder::new().spawn(move || {
        let _ = std::io::stdout().flush();
        drop(done);
    });
    if flushing.is_ok() {
        let _ = flushed.recv_timeout(LIMIT); // ends when `done` is dropped
    }
}
