//! Threads that were started during a visit and stayed: a pool's worker that is
//! born inside `run` serves everybody from the node's network ever after.
//!
//! They have a node's network and the test's own mounts; threads that live in a
//! node on purpose have mounts of their own, too.

use std::fs;
use std::path::{Path, PathBuf};

/// Their names.
pub(crate) fn strays() -> Vec<String> {
    let own = |kind: &str| namespace(Path::new("/proc/self"), kind);
    let (net, mounts) = (own("net"), own("mnt"));
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .map(|task| task.path())
        .filter(|task| namespace(task, "mnt") == mounts && namespace(task, "net") != net)
        .filter_map(|task| fs::read_to_string(task.join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

fn namespace(task: &Path, kind: &str) -> Option<PathBuf> {
    fs::read_link(task.join("ns").join(kind)).ok()
}
