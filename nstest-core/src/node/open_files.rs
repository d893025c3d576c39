//! The limit of open files, which many nodes reach.
//!
//! The soft limit is low for programs that use select(2), which can have no descriptor above
//! 1023. nstest has no such limit of its own: it raises the soft limit to the hard one when a
//! network needs it, and not before, so that a test sees the limit that it was started with.
//! Programs that `node.command` starts begin with that limit, too.

use std::process::Command;
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// The descriptors of a node: its namespace, and a netlink socket.
const EACH: u64 = 2;

/// Those that a test may have beside its nodes'. Beyond it, the limit is raised.
const OTHERS: u64 = 256;

/// What a test has open beside its nodes: pipes, the fabric. As measured.
const OWN: u64 = 17;

/// While a network is made, a node takes one more.
const MAKING: u64 = 1;

/// How many nodes a process can have that may have so many files open.
#[cfg(feature = "cli")]
pub(crate) fn most_nodes(limit: u64) -> u64 {
    limit.saturating_sub(OWN) / (EACH + MAKING)
}

/// How many threads can help to make so many nodes: each has the directories of a node's settings
/// open.
pub(crate) fn most_helpers(nodes: usize) -> usize {
    const DIRECTORIES: u64 = 16;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
    let limit = if soft < needed(nodes) { hard } else { soft };
    let spare = limit.saturating_sub(OWN + (EACH + MAKING) * nodes as u64);
    usize::try_from(spare / DIRECTORIES).unwrap_or(usize::MAX)
}

/// With fewer, the limit is raised.
fn needed(nodes: usize) -> u64 {
    nodes as u64 * (EACH + MAKING) + OTHERS
}

/// The limits before they were raised.
static BEFORE: OnceLock<(u64, u64)> = OnceLock::new();

/// Raises the soft limit, if so many nodes may need it.
pub(crate) fn reserve(nodes: usize) {
    let needed = needed(nodes);
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // If it cannot be raised, the node that finds no descriptor is the error.
        if soft < needed && soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
            BEFORE.get_or_init(|| (soft, hard));
        }
    }
}

/// Has a program begin with the limits that the test was started with, if they were raised.
/// Returns whether they were.
pub(crate) fn restore(command: &mut Command) -> bool {
    let before = BEFORE.get();
    if let Some(before) = before {
        crate::sys::limits::with_open_files(command, *before);
    }
    before.is_some()
}
