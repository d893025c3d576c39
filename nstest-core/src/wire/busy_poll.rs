//! Busy polling: looking for frames for a moment before the thread sleeps.
//!
//! On an idle machine it takes some 30 µs to wake a thread, more than all else that the
//! wire does with a frame. The answer to a frame comes soon after it, so the thread polls
//! for a moment before it sleeps. Each poll that finds nothing makes the next ones rarer:
//! the program that has to answer may need this processor.

use std::time::{Duration, Instant};

/// How long it polls: the time to wake two threads and to carry a frame.
const MOMENT: Duration = Duration::from_micros(100);

/// The most busy-polls that are skipped in a row.
const MOST_SKIPPED: u32 = 63;

#[derive(Debug, Default)]
pub(super) struct BusyPoll {
    /// When the present poll began.
    since: Option<Instant>,
    /// How many polls are still skipped.
    to_skip: u32,
    /// How many polls were skipped after the last one.
    skipped: u32,
}

impl BusyPoll {
    /// To be called when there is nothing to do. Returns whether to look again at once,
    /// instead of sleeping.
    pub(super) fn polls(&mut self, now: Instant) -> bool {
        match self.since {
            Some(since) if now.duration_since(since) < MOMENT => true,
            Some(_) => {
                self.since = None;
                self.skipped = (2 * self.skipped + 1).min(MOST_SKIPPED);
                self.to_skip = self.skipped;
                false
            }
            None if self.to_skip > 0 => {
                self.to_skip -= 1;
                false
            }
            None => {
                self.since = Some(now);
                true
            }
        }
    }

    /// To be called when there was something to do.
    pub(super) fn found_work(&mut self) {
        if self.since.take().is_some() {
            self.skipped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it skips polling, before it polls again.
    fn skips(poll: &mut BusyPoll, now: Instant) -> u32 {
        (0..).take_while(|_| !poll.polls(now)).count() as u32
    }

    #[test]
    fn it_polls_for_a_moment() {
        let (mut poll, start) = (BusyPoll::default(), Instant::now());
        assert!(poll.polls(start) && poll.polls(start + MOMENT / 2));
        assert!(!poll.polls(start + MOMENT));
    }

    #[test]
    fn polls_that_find_nothing_become_rare_until_one_finds_work() {
        let (mut poll, now) = (BusyPoll::default(), Instant::now());
        let finds_nothing = |poll: &mut BusyPoll| {
            let skips = skips(poll, now);
            assert!(!poll.polls(now + MOMENT));
            skips
        };
        let all: Vec<u32> = (0..9).map(|_| finds_nothing(&mut poll)).collect();
        assert_eq!(all, [0, 1, 3, 7, 15, 31, 63, 63, 63]);
        poll.found_work(); // while the thread slept: this changes nothing
        assert_eq!(skips(&mut poll, now), 63);
        poll.found_work();
        assert_eq!(skips(&mut poll, now), 0);
        poll.found_work();
        assert_eq!(finds_nothing(&mut poll), 0);
        assert_eq!(finds_nothing(&mut poll), 1);
    }
}
