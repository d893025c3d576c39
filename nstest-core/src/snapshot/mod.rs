//! What the sockets and threads of a test did when it failed.
//!
//! A panic unwinds, which closes the sockets that explain it. So the body reads them itself, in
//! its panic hook. At a timeout, the parent reads them from outside, since nothing in the
//! body can be relied upon.
//!
//! In dependency order:
//!
//! - [`nodes`]: the namespaces of the nodes, for the panic hook;
//! - [`sockets`]: the sockets of a namespace, as events;
//! - [`processes`]: the processes of a test, and which of them has a socket open;
//! - [`processor`]: how long the threads waited for a processor;
//! - [`inside`]: the snapshot that the body takes;
//! - [`system_call`]: the system call in which a thread waits, as text;
//! - [`threads`]: what each thread waits for;
//! - [`outside`]: the snapshot that the parent takes.

mod inside;
pub(crate) mod nodes;
mod outside;
mod processes;
mod processor;
mod sockets;
mod system_call;
mod threads;

pub(crate) use inside::{arm, at_end_of_panic, at_error, at_failure, at_panic};
pub(crate) use outside::take as take_from_outside;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::evidence::timeline::{Entry, TimelineEvent};

/// The events that a thread of its own finds, which may enter namespaces and need not end.
/// Otherwise why there are none.
fn within<T: Send + 'static>(
    limit: Duration,
    find: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let (done, found) = mpsc::channel();
    let finding = thread::Builder::new().name("nstest snapshot".to_owned()).spawn(move || {
        let _ = done.send(find());
    });
    match finding {
        Ok(_) => found.recv_timeout(limit).map_err(|_| format!("not within {limit:?}")),
        Err(error) => Err(format!("no thread could be started: {error}")),
    }
}

/// Leaves the last snapshot of a test and none before it. The events of a snapshot have the same
/// time.
pub(crate) fn keep_last(entries: &mut Vec<Entry>) {
    let belongs = |event: &TimelineEvent| {
        use TimelineEvent::{Snapshot, Socket, Thread, WaitedForProcessor};
        matches!(event, Snapshot { .. } | Socket { .. } | Thread { .. } | WaitedForProcessor { .. })
    };
    let begins = |entry: &&Entry| matches!(entry.event, TimelineEvent::Snapshot { .. });
    let last = entries.iter().filter(begins).map(|entry| entry.time).max();
    entries.retain(|entry| !belongs(&entry.event) || Some(entry.time) == last);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_snapshot_is_kept() {
        let entry = |time, event| Entry { time: Duration::from_secs(time), event };
        let snapshot = |time| entry(time, TimelineEvent::Snapshot { nodes: 1 });
        let thread = || TimelineEvent::Thread {
            thread: "a[2]".to_owned(),
            node: None,
            waits_in: "futex".to_owned(),
            waits_for: None,
        };
        let note = entry(1, TimelineEvent::Note { text: "of the first".to_owned() });
        let first = [snapshot(1), entry(1, thread())];
        let mut entries = [&first[..], &[note.clone(), snapshot(2)]].concat();
        keep_last(&mut entries);
        assert_eq!(entries, [note, snapshot(2)]);
        let mut entries = first.to_vec();
        keep_last(&mut entries);
        assert_eq!(entries, first);
    }
}
