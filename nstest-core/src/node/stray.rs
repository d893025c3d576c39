//! Finds threads that were started during a visit and stayed in the node.
//!
//! For example, a worker of a thread pool that starts inside of `run` does all later work of
//! the pool in the node's network. Such a thread has the network of a node and the mounts of
//! the test. A thread that is meant to live in a node also has the mounts of the node.

use std::fs;
use std::path::{Path, PathBuf};

use super::thread_name::full_name;

/// The names of these threads.
pub(crate) fn strays() -> Vec<String> {
    let own = |kind: &str| namespace(Path::new("/proc/self"), kind);
    let (net, mounts) = (own("net"), own("mnt"));
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .map(|task| task.path())
        .filter(|task| namespace(task, "mnt") == mounts && namespace(task, "net") != net)
        .filter_map(|task| {
            let name = fs::read_to_string(task.join("comm")).ok()?;
            Some(full_name(&task, name.trim_end()))
        })
        .collect()
}

fn namespace(task: &Path, kind: &str) -> Option<PathBuf> {
    fs::read_link(task.join("ns").join(kind)).ok()
}
