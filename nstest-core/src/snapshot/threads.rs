//! What each thread of a test waits for.
//!
//! /proc/PID/task/TID/syscall has the call and its arguments, for a process that may trace the
//! thread (ptrace(2)). Where that is refused, the function in the kernel is named
//! (`wchan`).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use litemap::LiteMap;

use super::processes::{TestProcess, name_and_pid, socket_inode};
use super::sockets::NodeSocket;
use super::system_call::{Activity, Argument};
use crate::evidence::timeline::{STOPPED, TimelineEvent};

/// The most threads that are looked at.
const MOST: usize = 512;

/// The most events.
const MOST_EVENTS: usize = 64;

/// The most sockets of a thread that waits for several.
const MOST_SOCKETS: usize = 4;

/// The most descriptors of poll(2) and epoll(7) that are looked at.
const MOST_POLLED: usize = 256;

/// The names of threads that nstest starts begin with this.
const OURS: &str = "nstest ";

/// What was found out about a test, to which threads refer.
#[derive(Debug)]
pub(super) struct FailedTest<'a> {
    pub(super) processes: &'a [TestProcess],
    pub(super) sockets: &'a [NodeSocket],
    /// The numbers of nodes, by the inodes of their namespaces.
    pub(super) nodes: &'a LiteMap<u64, u32>,
}

/// A thread that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    /// `name[number]`.
    thread: String,
    process: usize,
    node: Option<u32>,
    waits_in: String,
    waits_for: Option<String>,
}

/// The threads of the test, those that wait for a known thing first, and a note if some are
/// left out.
pub(super) fn events(test: &FailedTest<'_>) -> Vec<TimelineEvent> {
    let mut all = Vec::new();
    let threads = test.processes.iter().enumerate().flat_map(|(nth, process)| {
        let entries = fs::read_dir(process.directory.join("task")).into_iter().flatten().flatten();
        entries.map(move |entry| (nth, entry.path()))
    });
    let threads: Vec<(usize, PathBuf)> = threads.take(MOST + 1).collect();
    for (process, thread) in threads.iter().take(MOST) {
        all.extend(test.look_at(*process, thread));
    }
    let condensed = condense(without_ours(all));
    let mut notes = Vec::new();
    if threads.len() > MOST || condensed.len() > MOST_EVENTS {
        notes.push(TimelineEvent::Note { text: "not all threads of the test are listed".into() });
    }
    let events = condensed.into_iter().take(MOST_EVENTS).map(|waiting| {
        let Waiting { thread, node, waits_in, waits_for, .. } = waiting;
        TimelineEvent::Thread { thread, node, waits_in, waits_for }
    });
    events.chain(notes).collect()
}

/// Whether nstest started it, and it waits for work.
fn is_ours(waiting: &Waiting) -> bool {
    let starts_nodes_work = ["node ", "tokio in "].iter().any(|it| waiting.thread.starts_with(it));
    waiting.thread.starts_with(OURS) || starts_nodes_work && waiting.waits_for.is_none()
}

/// Leaves out the threads of nstest and the first thread of the body, in which libtest waits for
/// the thread of the test, unless there is nothing else.
fn without_ours(mut all: Vec<Waiting>) -> Vec<Waiting> {
    if !all.iter().all(is_ours) {
        all.retain(|waiting| !is_ours(waiting));
    }
    let of_body = all.iter().filter(|waiting| waiting.process == 0).count();
    let is_joining = |first: &Waiting| first.process == 0 && first.waits_in == "futex";
    if of_body > 1 && all.first().is_some_and(is_joining) {
        all.remove(0);
    }
    all
}

/// Makes one of threads that have the same name and wait for the same, such as idle workers.
fn condense(all: Vec<Waiting>) -> Vec<Waiting> {
    let mut condensed: Vec<(Waiting, usize)> = Vec::new();
    for waiting in all {
        let name = |thread: &str| thread.split('[').next().unwrap_or_default().to_owned();
        let same = condensed.iter_mut().find(|(first, _)| {
            let Waiting { thread, process, node, waits_in, waits_for } = first;
            name(thread) == name(&waiting.thread)
                && *process == waiting.process
                && *node == waiting.node
                && *waits_in == waiting.waits_in
                && *waits_for == waiting.waits_for
        });
        match same {
            Some((_, more)) => *more += 1,
            None => condensed.push((waiting, 0)),
        }
    }
    condensed.sort_by_key(|(waiting, more)| (waiting.waits_for.is_none(), *more));
    let named = condensed.into_iter().map(|(mut waiting, more)| {
        if more > 0 {
            waiting.thread.push_str(&format!(" and {more} more"));
        }
        waiting
    });
    named.collect()
}

impl FailedTest<'_> {
    fn look_at(&self, process: usize, thread: &Path) -> Option<Waiting> {
        let read = |file: &str| {
            let bytes = fs::read(thread.join(file)).ok()?;
            Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
        };
        let status = read("status")?;
        let name = name_and_pid(&status)?;
        let is_stopped = ["\nState:\tT", "\nState:\tt"].iter().any(|it| status.contains(it));
        let namespace = fs::read_link(thread.join("ns/net")).ok();
        let node = namespace.and_then(|link| net_inode(link.to_str()?));
        let node = node.and_then(|inode| self.nodes.get(&inode).copied());
        let activity = read("syscall").and_then(|text| Activity::parse(&text));
        let directory = &self.processes[process].directory;
        let (waits_in, waits_for) = match activity {
            // The system call is the one that it was in before.
            _ if is_stopped => (STOPPED.to_owned(), None),
            Some(Activity::Runs) => ("nothing: it runs".to_owned(), None),
            Some(Activity::Waits(call)) => (call.name, self.describe(directory, call.waits_for)),
            Some(Activity::Elsewhere) | None => match read("wchan") {
                Some(function) if !matches!(&*function, "" | "0") => (function, None),
                _ => ("unknown".to_owned(), None),
            },
        };
        Some(Waiting { thread: name, process, node, waits_in, waits_for })
    }

    fn describe(&self, process: &Path, argument: Argument) -> Option<String> {
        match argument {
            Argument::Nothing => None,
            Argument::Descriptor(fd) => self.descriptor(process, fd),
            Argument::Epoll(fd) => {
                let info = fs::read_to_string(process.join(format!("fdinfo/{fd}"))).ok()?;
                self.one_of(process, epoll_descriptors(&info))
            }
            Argument::Poll(address, count) => self.one_of(process, polled(process, address, count)),
            Argument::Thread(id) => {
                let threads = fs::read_dir(process.join("task")).ok()?.flatten();
                let mut names = threads.filter_map(|thread| {
                    name_and_pid(&fs::read_to_string(thread.path().join("status")).ok()?)
                });
                let found = names.find(|name| name.ends_with(&format!("[{id}]")))?;
                Some(format!("the end of thread {found}"))
            }
            Argument::Process(id) => {
                let is_it = |process: &&TestProcess| process.name.ends_with(&format!("[{id}]"));
                let found = self.processes.iter().find(is_it).map(|process| process.name.clone());
                Some(format!("the end of process {}", found.unwrap_or_else(|| id.to_string())))
            }
        }
    }

    /// What a descriptor of a process refers to.
    fn descriptor(&self, process: &Path, fd: u64) -> Option<String> {
        let link = fs::read_link(process.join(format!("fd/{fd}"))).ok()?;
        let link = link.to_string_lossy();
        if let Some(inode) = socket_inode(&link) {
            let socket = self.sockets.iter().find(|socket| socket.found.socket.inode == inode);
            return Some(socket.map_or_else(|| "a socket".to_owned(), ToString::to_string));
        }
        if link == "anon_inode:[pidfd]" {
            let info = fs::read_to_string(process.join(format!("fdinfo/{fd}"))).ok()?;
            let pids = info.lines().find_map(|line| line.strip_prefix("NSpid:"));
            let pid = pids.and_then(|pids| pids.split_whitespace().last()?.parse().ok());
            return self.describe(process, pid.map_or(Argument::Nothing, Argument::Process));
        }
        let kind = link.strip_prefix("anon_inode:").map(|kind| kind.trim_matches(['[', ']']));
        let is_pipe = link.starts_with("pipe:[");
        Some(if is_pipe { "a pipe".to_owned() } else { kind.unwrap_or(&link).to_owned() })
    }

    /// The TCP and UDP sockets among these descriptors, or everything if there are none.
    fn one_of(&self, process: &Path, descriptors: Vec<u64>) -> Option<String> {
        let inode = |fd: &u64| {
            let link = fs::read_link(process.join(format!("fd/{fd}"))).ok()?;
            socket_inode(link.to_str()?)
        };
        let inodes: Vec<u32> = descriptors.iter().filter_map(inode).collect();
        let wanted = self.sockets.iter().filter(|s| inodes.contains(&s.found.socket.inode));
        let mut named: Vec<String> = wanted.map(ToString::to_string).collect();
        if let ([], [only]) = (named.as_slice(), descriptors.as_slice()) {
            return self.descriptor(process, *only);
        }
        let more = named.len().saturating_sub(MOST_SOCKETS);
        named.truncate(MOST_SOCKETS);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        (!named.is_empty()).then(|| named.join(", "))
    }
}

/// The descriptors in /proc/PID/fdinfo/FD of an epoll instance (proc_pid_fdinfo(5)).
fn epoll_descriptors(info: &str) -> Vec<u64> {
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    let numbers = lines.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    numbers.take(MOST_POLLED).collect()
}

/// The descriptors in an array of `struct pollfd` in the memory of a process.
fn polled(process: &Path, address: u64, count: u64) -> Vec<u64> {
    const ENTRY: usize = 8;
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(MOST_POLLED);
    let mut bytes = vec![0; count * ENTRY];
    let memory = File::open(process.join("mem"));
    if !memory.is_ok_and(|memory| memory.read_exact_at(&mut bytes, address).is_ok()) {
        return Vec::new();
    }
    let entries = bytes.chunks_exact(ENTRY).filter_map(|entry| entry.first_chunk());
    entries.filter_map(|fd| i32::from_ne_bytes(*fd).try_into().ok()).collect()
}

/// The inode in a link to a network namespace: `net:[4026531840]`.
pub(super) fn net_inode(link: &str) -> Option<u64> {
    link.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(thread: &str, waits_in: &str, waits_for: Option<&str>) -> Waiting {
        let (waits_in, waits_for) = (waits_in.to_owned(), waits_for.map(str::to_owned));
        Waiting { thread: thread.to_owned(), process: 0, node: None, waits_in, waits_for }
    }

    #[test]
    fn idle_threads_are_condensed_and_those_of_nstest_left_out() {
        let all = vec![
            waiting("quickstart-0a1b[2]", "futex", None),
            waiting("nstest wire[4]", "epoll_wait", None),
            waiting("tokio-rt-worker[5]", "futex", None),
            waiting("tokio-rt-worker[6]", "futex", None),
            waiting("tokio-rt-worker[7]", "futex", None),
            waiting("hangs[3]", "connect", Some("tcp 10.0.2.1:4 -> 10.0.2.2:5 (syn-sent)")),
        ];
        let names: Vec<String> =
            condense(without_ours(all)).into_iter().map(|waiting| waiting.thread).collect();
        assert_eq!(names, ["hangs[3]", "tokio-rt-worker[5] and 2 more"]);
        let ours = vec![waiting("nstest wire[4]", "epoll_wait", None)];
        assert_eq!(without_ours(ours.clone()), ours);
    }

    #[test]
    fn the_descriptors_of_an_epoll_instance_are_read() {
        let info = "pos:\t0\nflags:\t02\ntfd:        7 events: 8000201d data: 7f pos:0 ino:1 sdev:9\n\
                    tfd:       12 events: 8000201d data: 80 pos:0 ino:2 sdev:9\n";
        assert_eq!(epoll_descriptors(info), [7, 12]);
    }
}
