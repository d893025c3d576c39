//! Has what a test has printed appear before the message of its panic.
//!
//! `print!` without a newline leaves text in the buffer of standard output, and the message
//! goes to standard error. In libtest's own capture both are one buffer.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::mpsc;
use std::time::Duration;

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
    // The lock is reentrant. Without other threads that print, only this one can hold it.
    if !has_other_threads() {
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

/// Whether there are more than libtest's main thread and the test's.
fn has_other_threads() -> bool {
    // A directory has two links, and one more for each directory in it.
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() > 2 + 2)
}
