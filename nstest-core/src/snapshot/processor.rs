//! How long threads that could run waited for a processor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};

use crate::evidence::timeline::{TimelineEvent, nanoseconds};

/// Less is not worth an event.
const LEAST: Duration = Duration::from_millis(50);

/// The event for the thread that waited longest, if it waited for a quarter of the time for which
/// its process exists. `processes` are directories in /proc.
pub(super) fn event<'a>(processes: impl IntoIterator<Item = &'a Path>) -> Option<TimelineEvent> {
    let uptime = uptime(&fs::read_to_string("/proc/uptime").ok()?)?;
    let waits = processes.into_iter().filter_map(|process| {
        let start = start(&fs::read_to_string(process.join("stat")).ok()?)?;
        Some((longest_wait(process)?, uptime.saturating_sub(start)))
    });
    let (waited, of) = waits.max()?;
    (waited >= LEAST && waited >= of / 4).then(|| TimelineEvent::WaitedForProcessor {
        waited: nanoseconds(waited),
        of: nanoseconds(of),
    })
}

/// How long the calling thread ran.
pub(super) fn time_of_thread() -> Duration {
    let used = |usage: nix::sys::resource::Usage| usage.user_time() + usage.system_time();
    let microseconds =
        getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |it| used(it).num_microseconds());
    Duration::from_micros(microseconds.try_into().unwrap_or(0))
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

/// When a process was started, after the machine was, from its /proc/PID/stat
/// (proc_pid_stat(5)). Its name, in parentheses, may contain anything.
fn start(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: u64 = fields.split(' ').nth(19)?.parse().ok()?;
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    let per_second = u64::try_from(per_second).ok()?;
    Some(Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second)))
}

/// How long the machine has run, from /proc/uptime.
fn uptime(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.split(' ').next()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_on_a_run_queue_is_the_second_field() {
        assert_eq!(wait("30000 1200000000 4\n"), Some(Duration::from_millis(1200)));
        assert_eq!(wait(""), None);
    }

    #[test]
    fn a_process_has_an_age() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 1";
        assert_eq!(start(stat), Some(Duration::from_millis(123_450)));
        assert_eq!(uptime("123.45 200.00\n"), Some(Duration::from_millis(123_450)));
    }
}
