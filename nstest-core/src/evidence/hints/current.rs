//! Whether packets can have to do with the failure.

use std::net::SocketAddr;
use std::time::Duration;

use crate::evidence::story::Story;
use crate::evidence::story::trace::PacketTrace;

/// What happened earlier before the end is old.
const RECENT: Duration = Duration::from_secs(1);

impl Story {
    /// Whether an unanswered or refused packet belongs to what the test did last: a thread waits
    /// for its socket, or it was sent shortly before the end and no other connection was opened
    /// after it.
    pub(super) fn is_current(&self, trace: &PacketTrace) -> bool {
        let headers = &trace.headers;
        let ends: Option<[SocketAddr; 2]> = (|| {
            let (source, destination) = headers.ports()?;
            let from = SocketAddr::new(headers.source?, source);
            Some([from, SocketAddr::new(headers.destination?, destination)])
        })();
        let waits = ends.is_some_and(|[from, to]| {
            self.threads.iter().filter_map(|thread| thread.waits_for.as_ref()).any(|what| {
                let ends = [from, to].map(|end| end.to_string());
                let has = |end: &String| what.split(' ').any(|word| word == end);
                // The socket of the client.
                ends.iter().any(has) && !what.contains("(listening)")
            })
        });
        let last = self.packets.last().map_or(self.failed_at, PacketTrace::time);
        let is_recent = trace.time() + RECENT >= self.failed_at.min(last);
        let later = self.tcp_conversations().iter().any(|other| {
            let is_other = ends.is_none_or(|ends| ends != [other.client, other.server]);
            is_other && other.is_established() && other.first_time() > trace.time()
        });
        waits || is_recent && !later
    }

    /// Whether the test was killed while it waited for one of its own threads or locks, and no
    /// thread waited for a socket that could get something.
    pub(super) fn waits_for_itself(&self) -> bool {
        let waits_for_socket = self.threads.iter().any(|thread| {
            let calls = ["epoll", "poll", "ppoll", "select", "pselect", "io_uring"];
            calls.iter().any(|call| thread.waits_in.starts_with(call))
                || thread.waits_for.as_ref().is_some_and(|what| {
                    ["tcp", "udp"].iter().any(|it| what.starts_with(it))
                        && !what.contains("(listening)")
                })
        });
        let name: String = self.test.chars().take(15).collect();
        let own = |thread: &str| {
            let thread = thread.split('[').next().unwrap_or_default();
            thread == "main" || thread == name || self.test.ends_with(&format!("::{thread}"))
        };
        let mut own = self.threads.iter().filter(|thread| own(&thread.thread));
        self.is_timeout() && !waits_for_socket && own.any(|thread| thread.waits_in == "futex")
    }
}
