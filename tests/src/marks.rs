//! How a fixture and its driver wait for each other: files in a directory that
//! the driver makes for one run. Tests share the file system with their parent,
//! so that both sides see them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Names the directory, and by that the processes of one run.
pub const VARIABLE: &str = "NSTESTS_CASE";

/// Long enough for a machine under load; no run that is right comes near it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Looks until `found` gives something.
///
/// # Panics
/// With `what`, when the deadline passes.
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
/// Without a driver.
#[must_use]
pub fn directory() -> PathBuf {
    std::env::var_os(VARIABLE).expect("a fixture is run by its case").into()
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

/// For a fixture that does not end of its own.
pub fn hang() -> ! {
    loop {
        std::thread::park();
    }
}
