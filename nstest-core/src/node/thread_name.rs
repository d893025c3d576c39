//! The names of threads in messages.
//!
//! The kernel keeps the first 15 bytes of a name (PR_SET_NAME(2const)). The threads that nstest
//! starts in nodes are called after the test and the node, which is longer. So their names are
//! kept here, by thread ID.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Mutex;

use litemap::LiteMap;
use nix::unistd::gettid;

use crate::sync::lock;

/// The most bytes of a name that the kernel keeps.
const KEPT: usize = 15;

static NAMES: Mutex<LiteMap<i32, String>> = Mutex::new(LiteMap::new());

/// Keeps the name of the calling thread until it is dropped.
#[derive(Debug)]
pub(super) struct KeptName(i32);

impl KeptName {
    pub(super) fn of_this_thread() -> Self {
        let id = gettid().as_raw();
        if let Some(name) = std::thread::current().name() {
            lock(&NAMES).insert(id, name.to_owned());
        }
        Self(id)
    }
}

impl Drop for KeptName {
    fn drop(&mut self) {
        lock(&NAMES).remove(&self.0);
    }
}

/// The name of a thread with this directory in `/proc`. A name that only the kernel knows, and
/// may have cut off, ends with an ellipsis.
pub(super) fn full_name(directory: &Path, kernel: &str) -> String {
    let id = directory.file_name().and_then(OsStr::to_str).and_then(|id| id.parse().ok());
    let kept = id.and_then(|id: i32| lock(&NAMES).get(&id).cloned());
    match kept.filter(|name| name.starts_with(kernel)) {
        Some(name) => name,
        None if kernel.len() == KEPT => format!("{kernel}…"),
        None => kernel.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_kept_is_complete() {
        let thread = std::thread::Builder::new().name("a name of 20 bytes..".to_owned());
        let check = || {
            let directory = Path::new("/proc/self/task").join(gettid().to_string());
            assert_eq!(full_name(&directory, "a name of 20 by"), "a name of 20 by…");
            let kept = KeptName::of_this_thread();
            assert_eq!(full_name(&directory, "a name of 20 by"), "a name of 20 bytes..");
            assert_eq!(full_name(&directory, "other"), "other");
            drop(kept);
            assert_eq!(full_name(&directory, "a name"), "a name");
        };
        thread.spawn(check).unwrap().join().unwrap();
    }
}
