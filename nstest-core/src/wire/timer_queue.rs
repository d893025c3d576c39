//! Frames that are delayed, ordered by the time at which they are sent.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Items with a time each. Of two with the same time, the first one pushed comes first.
#[derive(Debug)]
pub(super) struct TimerQueue<T> {
    heap: BinaryHeap<Timed<T>>,
    sequence: u64,
}

#[derive(Debug)]
struct Timed<T> {
    at: Instant,
    sequence: u64,
    item: T,
}

impl<T> TimerQueue<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0 }
    }

    pub(super) fn push(&mut self, at: Instant, item: T) {
        self.sequence += 1;
        self.heap.push(Timed { at, sequence: self.sequence, item });
    }

    /// The time of the next item.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|timed| timed.at)
    }

    /// The next item, if its time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|timed| timed.item)
    }
}

impl<T> PartialEq for Timed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Timed<T> {}

impl<T> PartialOrd for Timed<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The heap has its greatest item on top, so the earliest must be the greatest.
impl<T> Ord for Timed<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_goes_first_and_equals_keep_their_order() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut queue = TimerQueue::new();
        for (ms, item) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b'), (5, 'e')] {
            queue.push(after(ms), item);
        }
        assert_eq!(queue.next(), Some(after(1)));
        assert_eq!(queue.due(start), None);
        let due: Vec<_> = std::iter::from_fn(|| queue.due(after(4))).collect();
        assert_eq!(due, ['a', 'b']);
        let rest: Vec<_> = std::iter::from_fn(|| queue.due(after(9))).collect();
        assert_eq!(rest, ['c', 'd', 'e']);
        assert_eq!(queue.next(), None);
    }
}
