//! When a fault is there.

use std::fmt;
use std::time::Duration;

use super::span;

/// When a fault is there: times since the schedule was started.
///
/// From `at` on, for as long as `lasting` says or until the end; and again
/// every so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FaultSchedule {
    pub(crate) at: Duration,
    pub(crate) lasting: Option<Duration>,
    pub(crate) every: Option<Duration>,
}

impl FaultSchedule {
    /// Why it cannot be, and what to do about it.
    pub(super) fn nonsense(&self) -> Option<(&'static str, &'static str)> {
        match (self.lasting, self.every) {
            (Some(Duration::ZERO), _) => {
                Some(("what lasts no time never happens", "leave `lasting` out, or give it a time"))
            }
            (None, Some(_)) => Some((
                "what is there for ever cannot come again",
                "say how long it lasts, as in `down lasting 100ms every 1s`",
            )),
            (Some(lasting), Some(every)) if lasting >= every => Some((
                "it comes again before it has gone",
                "let it last less than the time after which it comes again",
            )),
            _ => None,
        }
    }

    /// Whether the fault is there at a time.
    #[must_use]
    pub fn is_on(&self, at: Duration) -> bool {
        let Some(since) = at.checked_sub(self.at) else { return false };
        let phase = self.every.map_or(since, |every| modulo(since, every));
        self.lasting.is_none_or(|lasting| phase < lasting)
    }

    /// When it comes or goes next after a time, and whether it is there then;
    /// `None` if never.
    #[must_use]
    pub fn next_change(&self, after: Duration) -> Option<(Duration, bool)> {
        let Some(since) = after.checked_sub(self.at) else { return Some((self.at, true)) };
        let lasting = self.lasting?;
        let Some(every) = self.every else {
            return (since < lasting).then(|| (self.at + lasting, false));
        };
        let start = after - modulo(since, every);
        let end = start + lasting;
        Some(if after < end { (end, false) } else { (start + every, true) })
    }

    /// Whether both are ever there at the same time.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let (first, second) = if self.at <= other.at { (self, other) } else { (other, self) };
        match (first.every, second.every) {
            // Somewhere the two phases are as close as they ever get.
            (Some(one), Some(two)) => {
                let common = nanos(gcd(one.as_nanos(), two.as_nanos()));
                let apart = modulo(second.at - first.at, common);
                let lasting = |schedule: &Self| schedule.lasting.unwrap_or(Duration::MAX);
                apart < lasting(first) || common - apart < lasting(second)
            }
            (Some(_), None) => {
                let next = first.next_change(second.at).filter(|(_, on)| *on);
                let until = second.lasting.map(|lasting| second.at + lasting);
                first.is_on(second.at)
                    || next.is_some_and(|(next, _)| until.is_none_or(|until| next < until))
            }
            (None, _) => first.is_on(second.at),
        }
    }
}

fn modulo(span: Duration, by: Duration) -> Duration {
    nanos(span.as_nanos().checked_rem(by.as_nanos()).unwrap_or(0))
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Schedules are written in at most 64 bits of nanoseconds, five centuries.
fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl fmt::Display for FaultSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.at != Duration::ZERO {
            words.push(format!("at {}", span::text(self.at)));
        }
        words.extend(self.lasting.map(|lasting| format!("lasting {}", span::text(lasting))));
        words.extend(self.every.map(|every| format!("every {}", span::text(every))));
        f.write_str(&words.join(" "))
    }
}
