//! The namespaces of the nodes, where a panic hook finds them: the lock of the network may be
//! held by the thread that panics.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::stat::fstat;

use crate::netns::Namespace;
use crate::sync::lock;
use crate::topology::spec::NodeId;

static NODES: Mutex<Vec<(NodeId, Namespace)>> = Mutex::new(Vec::new());

/// Whether this process is a body. Where several tests run in one process, the nodes of one are
/// not to outlive it.
static KEPT: AtomicBool = AtomicBool::new(false);

/// Has nodes be kept from now on.
pub(super) fn keep() {
    KEPT.store(true, Ordering::Relaxed);
}

pub(crate) fn add(id: NodeId, namespace: &Namespace) {
    if KEPT.load(Ordering::Relaxed) {
        lock(&NODES).push((id, namespace.clone()));
    }
}

pub(crate) fn remove(id: NodeId) {
    lock(&NODES).retain(|node| node.0 != id);
}

/// `None` if another thread changes them.
pub(super) fn all() -> Option<Vec<(NodeId, Namespace)>> {
    match NODES.try_lock() {
        Ok(nodes) => Some(nodes.clone()),
        Err(_) => None,
    }
}

/// The inode of the namespace of a node, if nodes are kept.
pub(crate) fn netns(id: NodeId) -> Option<u64> {
    let nodes = lock(&NODES);
    nodes.iter().find(|node| node.0 == id).and_then(|(_, namespace)| inode(namespace))
}

/// The node that the calling thread is in.
pub(crate) fn of_this_thread() -> Option<u32> {
    let own = std::fs::metadata("/proc/thread-self/ns/net").ok()?.ino();
    let nodes = lock(&NODES);
    let node = nodes.iter().find(|(_, namespace)| inode(namespace) == Some(own))?;
    Some(node.0.0.into())
}

/// The inode of a network namespace, as in the links of /proc/PID/ns.
pub(super) fn inode(namespace: impl AsFd) -> Option<u64> {
    fstat(namespace).ok().map(|status| status.st_ino)
}
