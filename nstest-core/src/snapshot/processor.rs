//! How long threads that could run waited for a processor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::evidence::timeline::TimelineEvent;

/// Less is not worth an event.
const LEAST: Duration = Duration::from_millis(50);

/// The event for the thread that waited longest, if it waited for a quarter of this time.
/// `processes` are directories in /proc.
pub(super) fn event<'a>(
    processes: impl IntoIterator<Item = &'a Path>,
    of: Duration,
) -> Option<TimelineEvent> {
    let waited = processes.into_iter().filter_map(longest_wait).max()?;
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    (waited >= LEAST && waited >= of / 4).then(|| TimelineEvent::WaitedForProcessor {
        waited: nanoseconds(waited),
        of: nanoseconds(of),
    })
}

fn longest_wait(process: &Path) -> Option<Duration> {
    let threads = fs::read_dir(process.join("task")).ok()?.flatten();
    threads
        .filter_map(|thread| wait(&fs::read_to_string(thread.path().join("schedstat")).ok()?))
        .max()
}

/// The second field of /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst):
/// nanoseconds on a run queue.
fn wait(schedstat: &str) -> Option<Duration> {
    Some(Duration::from_nanos(schedstat.split_whitespace().nth(1)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_on_a_run_queue_is_the_second_field() {
        assert_eq!(wait("30000 1200000000 4\n"), Some(Duration::from_millis(1200)));
        assert_eq!(wait(""), None);
    }
}
