//! The body's log of events: a file in memory that the parent has, too.
//!
//! Each event is one write(2) at the end of the file, so that it is complete or missing when
//! the process is killed, and several threads and forks may write.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use nix::fcntl::OFlag;

use super::channel::{self, Content, shared_file};
use crate::evidence::timeline::{Entry, TimelineEvent, since_epoch};
use crate::sys::limits::may_write;

/// The most bytes of a log. Later events are left out.
const MOST: usize = 4 << 20;

#[derive(Debug)]
struct Log {
    file: File,
    written: AtomicUsize,
}

static LOG: OnceLock<Option<Log>> = OnceLock::new();

/// Logs events that happen now, if the parent wants them; otherwise they are not made.
pub(crate) fn record(events: impl FnOnce() -> Vec<TimelineEvent>) {
    record_since(SystemTime::now(), events);
}

/// Logs events that began at a time, if the parent wants them.
pub(crate) fn record_since(began: SystemTime, events: impl FnOnce() -> Vec<TimelineEvent>) {
    let Some(log) = LOG.get_or_init(open) else { return };
    if log.written.load(Ordering::Relaxed) > MOST {
        return;
    }
    let time = since_epoch(began);
    let mut bytes = Vec::new();
    for event in events() {
        Entry { time, event }.encode(&mut bytes);
    }
    let before = log.written.fetch_add(bytes.len(), Ordering::Relaxed);
    let end = before + bytes.len();
    if before <= MOST && end > MOST {
        let text = format!("later events are not in the record, which keeps {} MiB", MOST >> 20);
        bytes.clear();
        Entry { time, event: TimelineEvent::Note { text } }.encode(&mut bytes);
    }
    if before <= MOST && may_write(end as u64) {
        // It fails where memory has run out. The log lacks the event then.
        let _ = (&log.file).write_all(&bytes);
    }
}

/// The log, once the parent has it.
fn open() -> Option<Log> {
    let sender = channel::sender()?;
    let file = shared_file(sender, c"nstest log", Content::Log, OFlag::O_APPEND).ok()?;
    Some(Log { file, written: AtomicUsize::new(0) })
}
