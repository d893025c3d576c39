//! The snapshot that the body takes, of the sockets of all nodes.
//!
//! The traps:
//! - The thread that panics may hold any lock. So another thread takes the snapshot, and the
//!   panic continues without it after [`LIMIT`]. The thread enters the nodes one after the other,
//!   does not return, and ends.
//! - A test that is meant to panic, or that catches panics, must not become slow. So later
//!   snapshots are taken only while all of them together cost less than [`BUDGET`]. Processor time
//!   counts, so that the number of snapshots does not depend on what else the machine does.
//! - The kernel takes 0.3 ms and more to list the TCP sockets of a namespace, also if there are
//!   none. So it is asked first whether there are any.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process;
use std::sync::{Mutex, OnceLock};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::nodes;
use super::processes::{TestProcess, owners};
use super::processor;
use super::sockets::{self, NodeSocket};
use super::within;
use crate::error::Result;
use crate::evidence::timeline::TimelineEvent;
use crate::layout::NODE;
use crate::netlink::nftables::L4Proto;
use crate::netns::Namespace;
use crate::own_pid;
use crate::recorder;
use crate::topology::spec::NodeId;

/// How long a failure waits for its snapshot.
const LIMIT: Duration = Duration::from_secs(1);

/// The processor time that the snapshots of a test may take together until the last of them begins.
const BUDGET: Duration = Duration::from_millis(100);

/// No more namespaces are entered after this time.
const ENOUGH: Duration = Duration::from_millis(500);

/// The snapshots that were taken.
#[derive(Debug)]
struct SnapshotsTaken {
    /// The thread that failed when the last one was taken.
    by: Option<ThreadId>,
    cost: Duration,
    /// Whether a later panic of that thread took none, since they had cost enough.
    outdated: bool,
}

/// The PID of the body, and the thread that calls the test function.
static BODY: OnceLock<(u32, ThreadId)> = OnceLock::new();
static TAKEN: Mutex<SnapshotsTaken> =
    Mutex::new(SnapshotsTaken { by: None, cost: Duration::ZERO, outdated: false });

/// Has the failures of this process's test take snapshots. To be called on the thread that calls
/// the test function.
pub(crate) fn arm() {
    // There is one body in a process.
    let _ = BODY.set((process::id(), thread::current().id()));
    nodes::keep();
}

/// To be called in the panic hook.
///
/// The first panic takes a snapshot. If the same thread panics again, the test has caught the
/// first panic, and the new one matters. After a panic of another thread, that of the test function
/// takes one, too, since it is the failure that is reported, unless it only passes on that
/// panic. Readers of the log use the last snapshot.
pub(crate) fn at_panic(message: &str) {
    let passes_on = PASSED_ON.iter().any(|text| message.contains(text));
    fail(BUDGET, !passes_on);
}

/// What the results of threads and tasks that panicked look like, and what `std::thread::scope`
/// says.
const PASSED_ON: [&str; 3] = ["Any { .. }", "JoinError", "a scoped thread panicked"];

/// To be called when the test function has returned an error, while its network still exists.
pub(crate) fn at_error() {
    fail(Duration::MAX, true);
}

/// To be called when the test has failed in another way, while its network still exists.
pub(crate) fn at_failure() {
    fail(Duration::MAX, false);
}

/// To be called when a panic has ended the test function. Takes a snapshot if the panic hook did
/// not, since the test has installed its own, it was not called (`resume_unwind`), or there were
/// too many panics before.
pub(crate) fn at_end_of_panic() {
    if TAKEN.try_lock().is_ok_and(|taken| taken.by.is_none() || taken.outdated) {
        fail(Duration::MAX, false);
    }
}

/// Takes a snapshot, if those before have cost less than the budget. `own`: it is a failure of the
/// test function's own, if it is on that thread.
fn fail(budget: Duration, own: bool) {
    let Some(&(body, test)) = BODY.get() else { return };
    // A fork of the body has only the thread that made it, and maybe locks of the others.
    let Ok(mut taken) = TAKEN.try_lock() else { return };
    let this = thread::current().id();
    let follows_another = taken.by.is_some_and(|thread| thread != this) && !(own && this == test);
    if body != process::id() || follows_another {
        return;
    }
    taken.outdated = taken.cost > budget;
    if taken.outdated {
        return;
    }
    taken.by = Some(this);
    recorder::record(|| {
        let (events, cost) = within(LIMIT, || (take(), processor::time_of_thread()))
            .unwrap_or_else(|why| (vec![note(&why)], LIMIT));
        taken.cost += cost;
        events
    });
}

fn note(why: &str) -> TimelineEvent {
    TimelineEvent::Note { text: format!("the sockets of the nodes could not be read: {why}") }
}

/// To be called on a thread of its own, which is in the last of the nodes then.
fn take() -> Vec<TimelineEvent> {
    let begin = Instant::now();
    let mut events = Vec::new();
    let Some(mut nodes) = nodes::all() else {
        return vec![note("the network is being changed")];
    };
    if nodes.is_empty() {
        // The test has no network of ours. It is where its first thread is.
        match Namespace::open("/proc/self/ns/net") {
            Ok(own) => {
                let (node, name) = (NodeId::TEST.0.into(), NODE.to_owned());
                events.push(TimelineEvent::NodeAdded { node, name, netns: nodes::inode(&own) });
                nodes.push((NodeId::TEST, own));
            }
            Err(error) => events.push(note(&error.to_string())),
        }
    }
    let mut found = Vec::new();
    let (mut entered, mut failed) = (0_u32, None);
    for (id, namespace) in &nodes {
        if begin.elapsed() > ENOUGH {
            break;
        }
        match read(*id, namespace) {
            Ok(sockets) => found.extend(sockets),
            Err(error) => {
                failed = Some(error);
                continue;
            }
        }
        entered += 1;
    }
    if entered > 0 {
        events.push(TimelineEvent::Snapshot { nodes: entered });
    }
    if let Some(why) = &failed {
        let text = format!("not all sockets could be read: {why}");
        events.push(TimelineEvent::Note { text });
    }
    if failed.is_none() && usize::try_from(entered).is_ok_and(|entered| entered < nodes.len()) {
        let all = nodes.len();
        let text = format!(
            "not all sockets could be read: after {entered} of {all} nodes, {ENOUGH:?} were over"
        );
        events.push(TimelineEvent::Note { text });
    }
    events.extend(sockets::select(&mut found));
    let owners = owners(&processes(), sockets::inodes(&found));
    events.extend(sockets::events(&found, &owners));
    events.extend(processor::event([Path::new("/proc/self")]));
    events
}

fn read(id: NodeId, namespace: &Namespace) -> std::result::Result<Vec<NodeSocket>, String> {
    let refused = |what: &str| {
        let what = format!("{what} {}", namespace.name());
        move |errno| format!("{what}: {errno}")
    };
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(refused("enter"))?;
    let protocols = used_protocols();
    if protocols.is_empty() {
        return Ok(Vec::new());
    }
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let diag: OwnedFd = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)
        .map_err(refused("open a netlink socket in"))?;
    let found: Result<Vec<NodeSocket>> = sockets::read(diag, id, &protocols);
    found.map_err(|error| error.to_string())
}

/// The protocols of which there are sockets in the namespace of this thread, or may be.
fn used_protocols() -> Vec<L4Proto> {
    let read = |file: &str| fs::read_to_string(Path::new("/proc/thread-self/net").join(file));
    let (four, six) = (read("sockstat"), read("sockstat6"));
    let unused = |text: &io::Result<String>, protocol: &str| match text {
        Ok(text) => in_use(text, protocol) == Some(0),
        Err(error) => error.kind() == io::ErrorKind::NotFound, // a kernel without IPv6
    };
    let mut used = Vec::new();
    if !(unused(&four, "TCP:") && unused(&six, "TCP6:")) {
        used.push(L4Proto::Tcp);
    }
    if !(unused(&four, "UDP:") && unused(&six, "UDP6:")) {
        used.push(L4Proto::Udp);
    }
    used
}

/// The number of sockets in a line of /proc/net/sockstat: `TCP: inuse 2 orphan 0 …`.
fn in_use(sockstat: &str, protocol: &str) -> Option<u64> {
    let mut words = sockstat.lines().find_map(|line| line.strip_prefix(protocol))?.split(' ');
    words.find(|word| *word == "inuse")?;
    words.next()?.parse().ok()
}

/// This process, and the others of the test, if it has a PID namespace of its own.
fn processes() -> Vec<TestProcess> {
    let own = TestProcess::at("/proc/self");
    let all = own_pid::proc_is_own().then(|| fs::read_dir("/proc").ok()).flatten();
    let others = all.into_iter().flatten().flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        // Not init, which opens nothing.
        (pid != 1 && pid != process::id()).then(|| TestProcess::at(entry.path())).flatten()
    });
    own.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_in_use_are_counted() {
        let text = "sockets: used 3\nTCP: inuse 2 orphan 0 tw 5 alloc 3 mem 378\nUDP: inuse 0 mem 0\nUDPLITE: inuse 7\n";
        assert_eq!((in_use(text, "TCP:"), in_use(text, "UDP:")), (Some(2), Some(0)));
        assert_eq!(in_use(text, "RAW:"), None);
        assert_eq!(in_use("TCP6: inuse 1\n", "TCP6:"), Some(1));
    }
}
