//! Has what a test has printed appear before the message of its panic.
//!
//! `print!` without a newline leaves text in the buffer of standard output, and the message
//! goes to standard error. In libtest's own capture both are one buffer.

use std::io::Write;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::mpsc;
use std::time::Duration;

use crate::sys::process::has_more_threads_than;

/// How long to wait for another thread that holds the lock of standard output. It may hold it
/// until the panicking thread ends.
const LIMIT: Duration = Duration::from_millis(100);

/// Wraps the present panic hook.
pub(super) fn flush_before_panics() {
    let print = take_hook();
    set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        flush();
        print(info);
    }));
}

fn flush() {
    // The lock is reentrant. With libtest's main thread and the test's alone, only this one can
    // hold it.
    if !has_more_threads_than(2) {
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
