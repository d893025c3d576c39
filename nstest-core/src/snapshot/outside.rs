//! The snapshot that the parent takes of a test that does not end: the sockets of all nodes, and
//! what each thread waits for.
//!
//! The body has a descriptor of the namespace of each node, which /proc/PID/fd leads to. The
//! events of the log say which node has which.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use litemap::LiteMap;
use nix::errno::Errno;
use nix::libc;

use super::processes::{TestProcess, owners};
use super::processor;
use super::sockets::{self, NodeSocket};
use super::threads::{self, FailedTest, net_inode};
use super::within;
use crate::evidence::timeline::{Entry, TimelineEvent};
use crate::layout::NODE;
use crate::netlink::nftables::L4Proto;
use crate::sys::elsewhere::open_netlink;
use crate::topology::spec::NodeId;

/// How long the parent waits for a snapshot.
const LIMIT: Duration = Duration::from_secs(2);

/// The sockets of no more nodes are read after this time, so that some is left for the threads.
const ENOUGH: Duration = Duration::from_secs(1);

/// So many descriptors are opened at once.
const AT_ONCE: usize = 32;

/// A snapshot of a test with these processes, as directories in /proc, the body first. `log`: its
/// events.
pub(crate) fn take(processes: Vec<PathBuf>, log: &[Entry]) -> Vec<TimelineEvent> {
    let numbers = numbers_of_nodes(log);
    within(LIMIT, move || look(&processes, numbers))
        .unwrap_or_else(|why| vec![note("the processes of the test could not be read", &why)])
}

fn note(what: &str, why: &impl ToString) -> TimelineEvent {
    TimelineEvent::Note { text: format!("{what}: {}", why.to_string()) }
}

/// The number of each node, by the inode of its namespace.
fn numbers_of_nodes(log: &[Entry]) -> LiteMap<u64, u32> {
    let mut numbers = LiteMap::new();
    for entry in log {
        match entry.event {
            TimelineEvent::NodeAdded { node, netns: Some(inode), .. } => {
                numbers.insert(inode, node);
            }
            TimelineEvent::NodeRemoved { node } => numbers.retain(|_, number| *number != node),
            _ => {}
        }
    }
    numbers
}

fn look(directories: &[PathBuf], mut numbers: LiteMap<u64, u32>) -> Vec<TimelineEvent> {
    let mut events = Vec::new();
    let Some(body) = directories.first() else { return events };
    let own = fs::read_link(body.join("ns/net")).ok();
    if let Some(inode) = own.and_then(|link| net_inode(link.to_str()?)) {
        // A test without a network of ours has no node in its log.
        numbers.entry(inode).or_insert_with(|| {
            let (node, name) = (NodeId::TEST.0.into(), NODE.to_owned());
            events.push(TimelineEvent::NodeAdded { node, name, netns: Some(inode) });
            node
        });
    }
    let mut found = match read_sockets(body, &numbers) {
        Ok((found, nodes, refused)) => {
            events.push(TimelineEvent::Snapshot { nodes });
            events.extend(refused.map(|why| note("not all sockets could be read", &why)));
            found
        }
        Err(why) => {
            events.push(TimelineEvent::Snapshot { nodes: 0 });
            events.push(note("the sockets of the nodes could not be read", &why));
            Vec::new()
        }
    };
    let processes: Vec<TestProcess> = directories.iter().filter_map(TestProcess::at).collect();
    let threads = {
        let (processes, sockets, nodes) = (&*processes, &*found, &numbers);
        threads::events(&FailedTest { processes, sockets, nodes })
    };
    events.extend(sockets::select(&mut found));
    let owners = owners(&processes, sockets::inodes(&found));
    events.extend(sockets::events(&found, &owners));
    events.extend(threads);
    events.extend(processor::event(directories.iter().map(PathBuf::as_path)));
    events
}

/// The sockets of all nodes, the number of these nodes, and why some could not be read.
fn read_sockets(
    body: &Path,
    numbers: &LiteMap<u64, u32>,
) -> io::Result<(Vec<NodeSocket>, u32, Option<String>)> {
    let user = other_user_namespace(body)?;
    let begin = Instant::now();
    let namespaces = namespaces(body, numbers)?;
    let mut failed = None;
    let (mut found, mut entered) = (Vec::new(), 0);
    for some in namespaces.chunks(AT_ONCE) {
        if begin.elapsed() > ENOUGH {
            failed = Some(format!(
                "after {entered} of {} nodes, {ENOUGH:?} were over",
                namespaces.len()
            ));
            break;
        }
        let mut nodes = Vec::new();
        let mut opened = Vec::new();
        for (node, path) in some {
            match File::open(path) {
                Ok(file) => {
                    nodes.push(*node);
                    opened.push(OwnedFd::from(file));
                }
                Err(error) => failed = Some(error.to_string()),
            }
        }
        let diags = open_netlink(user.as_ref(), &opened, libc::NETLINK_SOCK_DIAG)
            .map_err(io::Error::from_raw_os_error)?;
        for (node, diag) in nodes.into_iter().zip(diags) {
            let sockets =
                diag.map_err(|errno| Errno::from_raw(errno).to_string()).and_then(|diag| {
                    sockets::read(diag, node, &[L4Proto::Tcp, L4Proto::Udp])
                        .map_err(|error| error.to_string())
                });
            match sockets {
                Ok(sockets) => {
                    found.extend(sockets);
                    entered += 1;
                }
                Err(error) => failed = Some(error),
            }
        }
    }
    Ok((found, entered, failed))
}

/// The user namespace of the test, unless it is that of this process.
fn other_user_namespace(body: &Path) -> io::Result<Option<OwnedFd>> {
    let theirs = body.join("ns/user");
    if fs::read_link(&theirs)? == fs::read_link("/proc/self/ns/user")? {
        return Ok(None);
    }
    File::open(theirs).map(|file| Some(file.into()))
}

/// A path to the namespace of each node: links among the descriptors of the body.
fn namespaces(body: &Path, numbers: &LiteMap<u64, u32>) -> io::Result<Vec<(NodeId, PathBuf)>> {
    let mut paths = LiteMap::new();
    let descriptors = fs::read_dir(body.join("fd"))?.flatten().map(|entry| entry.path());
    for path in std::iter::once(body.join("ns/net")).chain(descriptors) {
        let Ok(link) = fs::read_link(&path) else { continue };
        let node = link.to_str().and_then(net_inode).and_then(|inode| numbers.get(&inode));
        if let Some(node) = node.and_then(|node| u16::try_from(*node).ok()) {
            paths.entry(NodeId(node)).or_insert(path);
        }
    }
    Ok(paths.into_tuple_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_numbered_by_their_namespaces() {
        let entry = |event| Entry { time: Duration::ZERO, event };
        let added = |node, netns| {
            let name = format!("n{node}");
            entry(TimelineEvent::NodeAdded { node, name, netns })
        };
        let removed = entry(TimelineEvent::NodeRemoved { node: 2 });
        let log = [added(1, Some(10)), added(2, Some(20)), added(3, None), removed];
        assert_eq!(numbers_of_nodes(&log), LiteMap::from_iter([(10, 1)]));
    }
}
