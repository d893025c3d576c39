//! Lets a fixture and its driver wait for each other. A mark is a file in a directory that
//! the driver makes for one run. Both sides see it, since tests share the file system with
//! their parent.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The variable with the directory of a run. It also marks the processes of the run.
pub const VARIABLE: &str = "NSTESTS_CASE";

/// The time that a run may take. It is long enough for a machine under load.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Calls `found` until it returns a value.
///
/// # Panics
/// With `what`, after the deadline.
#[track_caller]
pub fn eventually<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The directory of this run, for a fixture.
///
/// # Panics
/// If no driver has started this process.
#[must_use]
pub fn directory() -> PathBuf {
    std::env::var_os(VARIABLE).expect("run a fixture by its test").into()
}

/// Sets a mark, for a fixture.
pub fn set(name: &str) {
    std::fs::write(directory().join(name), "").expect("set a mark");
}

/// Waits for a mark, in a fixture.
#[track_caller]
pub fn wait(name: &str) {
    let path = directory().join(name);
    eventually(name, || path.exists().then_some(()));
}

/// Waits forever, in a fixture that something else ends.
pub fn hang() -> ! {
    loop {
        std::thread::park();
    }
}
