//! The history of a register as its clients saw it, and whether it is linearizable.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::cluster::Member;

pub(super) const REGISTER: &str = "register";
/// The time after which a client tries another member.
const WAITS: Duration = Duration::from_millis(500);

/// A write that was acknowledged.
#[derive(Debug)]
struct Write {
    asked: Instant,
    answered: Instant,
    /// Its index in the log.
    index: u64,
    value: u64,
    /// The previous value of the register, from the answer.
    before: Option<u64>,
}

#[derive(Default)]
pub(super) struct History {
    /// Counts the attempts: each writes another value.
    tried: AtomicU64,
    acknowledged: Mutex<Vec<Write>>,
    news: Notify,
}

impl History {
    /// Writes one value after the other, to this member while it answers, then to the next
    /// one.
    pub(super) async fn write(self: Arc<Self>, members: Vec<Member>) {
        for member in members.iter().cycle() {
            while self.write_one(member).await {}
            tokio::task::yield_now().await;
        }
    }

    async fn write_one(&self, member: &Member) -> bool {
        let (asked, value) = (Instant::now(), self.tried.fetch_add(1, Ordering::Relaxed));
        let write = member.replace(REGISTER, value);
        let Ok(Ok((index, before))) = tokio::time::timeout(WAITS, write).await else {
            return false; // it may be committed later, or never
        };
        let write = Write { asked, answered: Instant::now(), index, value, before };
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(write);
        self.news.notify_waiters();
        true
    }

    /// Waits until this many writes that start from now on have been acknowledged.
    pub(super) async fn goes_on(&self, writes: usize) {
        let start = Instant::now();
        loop {
            let news = self.news.notified();
            let after = |write: &&Write| write.asked >= start;
            if self.look(|all| all.iter().filter(after).count()) >= writes {
                return;
            }
            news.await;
        }
    }

    fn look<T>(&self, at: impl FnOnce(&mut Vec<Write>) -> T) -> T {
        at(&mut self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks that the order of the log agrees with time, and that each write found the value
    /// of the one before. Writes without an acknowledgement may be anywhere. Returns the
    /// number of acknowledged writes.
    pub(super) fn check(&self, last: u64) -> usize {
        self.look(|all| {
            all.sort_by_key(|write| write.index);
            let at: HashMap<u64, usize> = (0..).zip(&*all).map(|(n, w)| (w.value, n)).collect();
            let found_before = |n: usize, value: u64, what: &str| {
                // A write without an acknowledgement, or the previous one.
                let found = at.get(&value);
                assert!(found.is_none_or(|found| found + 1 == n), "{what}: {found:?} for {n}");
            };
            let mut latest: Option<Instant> = None;
            for (n, write) in all.iter().enumerate() {
                assert_eq!(at.get(&write.value), Some(&n), "a value was written twice");
                assert!(latest.is_none_or(|asked| asked < write.answered), "{write:?} came late");
                latest = latest.max(Some(write.asked));
                match (write.before, n.checked_sub(1).map(|n| &all[n])) {
                    (Some(before), _) => found_before(n, before, "a write was lost"),
                    (None, previous) => assert!(previous.is_none(), "all was lost by {write:?}"),
                }
                if let Some(previous) = n.checked_sub(1).map(|n| &all[n]) {
                    assert!(previous.index < write.index, "two writes in one place: {write:?}");
                    let next = previous.index + 1 == write.index;
                    assert!(!next || write.before == Some(previous.value), "{write:?}");
                }
            }
            found_before(all.len(), last, "the last write was lost");
            all.len()
        })
    }
}

/// Three consecutive writes that found these previous values.
fn history(before: [Option<u64>; 3]) -> History {
    let history = History::default();
    let mut now = Instant::now();
    let mut later = || {
        now += Duration::from_secs(1);
        now
    };
    history.look(|all| {
        for (value, before) in (0..).zip(before) {
            let (asked, answered, index) = (later(), later(), value * 2);
            all.push(Write { asked, answered, index, value, before });
        }
    });
    history
}

#[test]
fn a_correct_history_passes() {
    assert_eq!(history([None, Some(0), Some(1)]).check(2), 3);
    assert_eq!(history([None, Some(77), Some(1)]).check(78), 3, "two without an acknowledgement");
}

#[test]
#[should_panic(expected = "a write was lost")]
fn a_write_that_the_next_one_did_not_find_is_an_error() {
    history([None, Some(0), Some(0)]).check(2);
}

#[test]
#[should_panic(expected = "the last write was lost")]
fn a_missing_last_write_is_an_error() {
    history([None, Some(0), Some(1)]).check(1);
}

#[test]
#[should_panic(expected = "came late")]
fn an_order_against_time_is_an_error() {
    let history = history([None, Some(0), Some(1)]);
    history.look(|all| {
        let (first, last) = (all[0].asked, all[2].asked);
        (all[0].asked, all[2].asked) = (last, first);
        (all[0].answered, all[2].answered) = (last, first);
    });
    history.check(2);
}
