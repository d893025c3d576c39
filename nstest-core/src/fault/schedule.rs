//! Schedules: when a fault is active.

use std::fmt;
use std::time::Duration;

use super::duration;

/// When a fault is active, in time since the start of its schedule.
///
/// It starts `at` a time, and is active for `lasting`, or until the end of the test. It
/// repeats with the period `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FaultSchedule {
    pub(crate) at: Duration,
    pub(crate) lasting: Option<Duration>,
    pub(crate) every: Option<Duration>,
}

impl FaultSchedule {
    /// Why it is not possible, and the remedy.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        match (self.lasting, self.every) {
            (Some(Duration::ZERO), _) => Some((
                "a fault that lasts 0s is never active",
                "remove `lasting`, or make it longer",
            )),
            (None, Some(_)) => Some((
                "a fault without an end cannot repeat",
                "add how long it lasts, as in `down lasting 100ms every 1s`",
            )),
            (Some(lasting), Some(every)) if lasting >= every => Some((
                "the fault would repeat before it has ended",
                "make `lasting` shorter than `every`",
            )),
            _ => None,
        }
    }

    /// Whether the fault is active at a time.
    #[must_use]
    pub fn is_on(&self, at: Duration) -> bool {
        let Some(since) = at.checked_sub(self.at) else { return false };
        let phase = self.every.map_or(since, |every| modulo(since, every));
        self.lasting.is_none_or(|lasting| phase < lasting)
    }

    /// The next start or end after a time, and whether the fault is active from then on.
    /// `None` if nothing changes any more.
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

    /// Whether both are active at the same time at some point.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (first, second) = if self.at <= other.at { (self, other) } else { (other, self) };
        match (first.every, second.every) {
            // At some time the two phases are at their smallest distance.
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

/// The grammar limits times to 64 bits of nanoseconds, five centuries.
fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl fmt::Display for FaultSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.at != Duration::ZERO {
            words.push(format!("at {}", duration::text(self.at)));
        }
        words.extend(self.lasting.map(|lasting| format!("lasting {}", duration::text(lasting))));
        words.extend(self.every.map(|every| format!("every {}", duration::text(every))));
        f.write_str(&words.join(" "))
    }
}
