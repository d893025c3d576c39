//! Has what a test has printed appear before the message of its panic.
//!
//! `print!` without a newline leaves text in the buffer of standard output, and the message
//! goes to standard error. In libtest's own capture both are one buffer.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::mpsc;
use std::time::Duration;

use crate::evidence::timeline::{TimelineEvent, start_of};
use crate::panics::{message, wrap_panic_hook};
use crate::recorder;
use crate::snapshot;
use crate::sys::process::has_more_threads_than;

/// How long to wait for another thread that holds the lock of standard output. It may hold it
/// until the panicking thread ends.
const LIMIT: Duration = Duration::from_millis(100);

/// The bytes of a message that are recorded.
const MESSAGE: usize = 4 << 10;

/// The main thread, and that of the test. Where a panic aborts, libtest runs the test on the main
/// thread (`__RUST_TEST_INVOKE`).
const THREADS_OF_LIBTEST: u64 = if cfg!(panic = "abort") { 1 } else { 2 };

/// Wraps the present panic hook. The panic is recorded and the snapshot is taken first, since
/// flushing may wait.
pub(super) fn flush_before_panics() {
    snapshot::arm();
    wrap_panic_hook(|info, print| {
        recorder::record(|| vec![panicked(info)]);
        snapshot::at_panic(message(info.payload()).unwrap_or_default());
        flush();
        print();
    });
}

fn panicked(info: &PanicHookInfo<'_>) -> TimelineEvent {
    TimelineEvent::Panicked {
        thread: std::thread::current().name().unwrap_or("<unnamed>").to_owned(),
        place: info.location().map(ToString::to_string).unwrap_or_default(),
        message: start_of(message(info.payload()).unwrap_or_default(), MESSAGE).to_owned(),
    }
}

fn flush() {
    // The lock is reentrant. If there are no other threads than libtest's, only this one can hold
    // it.
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
