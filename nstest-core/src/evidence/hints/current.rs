//! Whether packets can have to do with the failure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::evidence::story::names::EPHEMERAL;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{Story, WaitingThread};

/// What happened earlier before the end is old.
const RECENT: Duration = Duration::from_secs(1);

impl Story {
    /// Whether an unanswered or refused packet belongs to what the test did last: a thread waits
    /// for its socket, or it was sent shortly before the end and no other connection was opened
    /// after it.
    pub(super) fn is_current(&self, trace: &PacketTrace) -> bool {
        // An ICMP error belongs to the packet that it is about.
        let headers = trace.headers.quoted.as_deref().unwrap_or(&trace.headers);
        let ends: Option<[SocketAddr; 2]> = (|| {
            let (source, destination) = headers.ports()?;
            let from = SocketAddr::new(headers.source?, source);
            Some([from, SocketAddr::new(headers.destination?, destination)])
        })();
        let waits = ends.is_some_and(|[from, to]| {
            self.threads.iter().filter_map(|thread| thread.waits_for.as_ref()).any(|what| {
                let has = |end: &SocketAddr| {
                    what.split(' ').filter_map(|word| word.parse::<SocketAddr>().ok()).any(|it| {
                        let any = it.ip().is_unspecified() && it.port() >= EPHEMERAL;
                        it == *end || any && it.port() == end.port()
                    })
                };
                // The socket of the client.
                [from, to].iter().any(has) && !what.contains("(listening)")
            })
        });
        let last = self.packets.iter().rfind(|trace| !trace.headers.is_control());
        let last = last.map_or(self.failed_at, PacketTrace::time);
        let is_recent = trace.time() + RECENT >= self.failed_at.min(last);
        let later = self.tcp_conversations().iter().any(|other| {
            let is_other = ends.is_none_or(|ends| ends != [other.client, other.server]);
            is_other && other.is_established() && other.first_time() > trace.time()
        });
        waits || is_recent && !later
    }

    /// Whether the test was killed at its timeout, or reports a timeout of its own.
    pub(super) fn timed_out(&self) -> bool {
        self.is_timeout() || self.reports_timeout()
    }

    /// The thread of the test itself, if the test was killed while that waited for another
    /// thread, a lock or a channel, and no thread waited for a socket that could get something.
    pub(super) fn waits_for_itself(&self) -> Option<&WaitingThread> {
        let waits_for_socket = self.threads.iter().any(|thread| {
            waits_for_several(thread)
                || thread.waits_for.as_ref().is_some_and(|what| {
                    ["tcp", "udp"].iter().any(|it| what.starts_with(it))
                        && !what.contains("(listening)")
                })
        });
        let own = self.own_thread()?;
        (self.is_timeout() && !waits_for_socket && own.waits_in == "futex").then_some(own)
    }

    /// The thread in which the test function runs.
    pub(super) fn own_thread(&self) -> Option<&WaitingThread> {
        let name: String = self.test.chars().take(15).collect();
        let own = |thread: &str| {
            let thread = thread.split('[').next().unwrap_or_default();
            thread == "main" || thread == name || self.test.ends_with(&format!("::{thread}"))
        };
        // The threads of nodes can have the same name. They are started later.
        let number = |thread: &&WaitingThread| {
            let (_, number) = thread.thread.split_once('[')?;
            number.trim_end_matches(']').parse::<u32>().ok()
        };
        self.threads.iter().filter(|thread| own(&thread.thread)).min_by_key(number)
    }
}

/// Whether a thread waits for any of several descriptors. What it does with each is not known.
pub(super) fn waits_for_several(thread: &WaitingThread) -> bool {
    let calls = ["epoll", "poll", "ppoll", "select", "pselect", "io_uring"];
    calls.iter().any(|call| thread.waits_in.starts_with(call))
}
