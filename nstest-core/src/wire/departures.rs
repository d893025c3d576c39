//! Frames that wait for their time.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// What goes on at its time: of two with the same time, what came first.
#[derive(Debug)]
pub(super) struct Departures<T> {
    heap: BinaryHeap<Departure<T>>,
    sequence: u64,
}

#[derive(Debug)]
struct Departure<T> {
    at: Instant,
    sequence: u64,
    item: T,
}

impl<T> Departures<T> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0 }
    }

    pub(super) fn push(&mut self, at: Instant, item: T) {
        self.sequence += 1;
        self.heap.push(Departure { at, sequence: self.sequence, item });
    }

    /// When the next one goes.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|departure| departure.at)
    }

    /// The next one, if its time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<T> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|departure| departure.item)
    }
}

impl<T> PartialEq for Departure<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Departure<T> {}

impl<T> PartialOrd for Departure<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The heap has its greatest on top: that is the earliest.
impl<T> Ord for Departure<T> {
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
        let mut departures = Departures::new();
        for (ms, item) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b'), (5, 'e')] {
            departures.push(after(ms), item);
        }
        assert_eq!(departures.next(), Some(after(1)));
        assert_eq!(departures.due(start), None);
        let due: Vec<_> = std::iter::from_fn(|| departures.due(after(4))).collect();
        assert_eq!(due, ['a', 'b']);
        let rest: Vec<_> = std::iter::from_fn(|| departures.due(after(9))).collect();
        assert_eq!(rest, ['c', 'd', 'e']);
        assert_eq!(departures.next(), None);
    }
}
