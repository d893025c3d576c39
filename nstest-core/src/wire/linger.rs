//! Staying awake for a little.
//!
//! On an idle machine it takes some 30 µs to wake a thread, which is more than all
//! else that the wire does to a frame. What answers a frame comes soon after it, so the
//! engine looks out for a moment before it sleeps. Where that has been in vain it does
//! so more and more rarely: whatever it waits for may need this very processor.

use std::time::{Duration, Instant};

/// The moment: two threads woken, and a frame on its way.
const MOMENT: Duration = Duration::from_micros(100);

/// So many times at most it goes to sleep at once.
const RARELY: u32 = 63;

#[derive(Debug, Default)]
pub(super) struct Linger {
    /// When it began, if it is at it.
    since: Option<Instant>,
    /// So many times more it goes to sleep at once; so many it was last.
    left: u32,
    times: u32,
}

impl Linger {
    /// There is nothing to do: whether to stay awake.
    pub(super) fn stays(&mut self, now: Instant) -> bool {
        match self.since {
            Some(since) if now.duration_since(since) < MOMENT => true,
            Some(_) => {
                self.since = None;
                self.times = (2 * self.times + 1).min(RARELY);
                self.left = self.times;
                false
            }
            None if self.left > 0 => {
                self.left -= 1;
                false
            }
            None => {
                self.since = Some(now);
                true
            }
        }
    }

    /// There was something to do.
    pub(super) fn moved(&mut self) {
        if self.since.take().is_some() {
            self.times = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it gave up at once, before it stayed awake again.
    fn at_once(linger: &mut Linger, now: Instant) -> u32 {
        (0..).take_while(|_| !linger.stays(now)).count() as u32
    }

    #[test]
    fn it_stays_for_a_moment() {
        let (mut linger, start) = (Linger::default(), Instant::now());
        assert!(linger.stays(start) && linger.stays(start + MOMENT / 2));
        assert!(!linger.stays(start + MOMENT));
    }

    #[test]
    fn what_was_in_vain_is_tried_more_rarely_until_it_is_not() {
        let (mut linger, now) = (Linger::default(), Instant::now());
        let in_vain = |linger: &mut Linger| {
            let times = at_once(linger, now);
            assert!(!linger.stays(now + MOMENT));
            times
        };
        let times: Vec<u32> = (0..9).map(|_| in_vain(&mut linger)).collect();
        assert_eq!(times, [0, 1, 3, 7, 15, 31, 63, 63, 63]);
        linger.moved(); // while it slept: says nothing
        assert_eq!(at_once(&mut linger, now), 63);
        linger.moved();
        assert_eq!(at_once(&mut linger, now), 0);
        linger.moved();
        assert_eq!(in_vain(&mut linger), 0);
        assert_eq!(in_vain(&mut linger), 1);
    }
}
