//! Frames that wait for the engine: in the rings, and behind them.
//!
//! A ring that fills up would lose what the engine only needs time for: TCP keeps as
//! much under way as its windows hold, which is more than a ring does. So what
//! crowds a ring is moved to memory, at a fraction of what it costs to pass it on.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::capture::{Arrival, Capture};

/// So much is held behind the rings at most. Whoever sends without end, and faster
/// than it goes on, is told that frames were lost.
const MOST: usize = 256 << 20;

/// So many are moved in one go.
const STASH: usize = 64;

#[derive(Debug)]
pub(super) struct Queue {
    rings: Capture,
    /// Older than all that is in the rings.
    behind: VecDeque<Arrival<'static>>,
    bytes: usize,
    /// How many of those make up the batch that was handed out.
    out: usize,
}

impl Queue {
    pub(super) fn new(rings: Capture) -> Self {
        Self { rings, behind: VecDeque::new(), bytes: 0, out: 0 }
    }

    pub(super) fn rings(&self) -> &Capture {
        &self.rings
    }

    /// What has come in, in order, so many at most; [`finish`](Self::finish) makes
    /// room for more.
    pub(super) fn arrivals(&mut self, most: usize) -> Vec<Arrival<'_>> {
        if self.bytes < MOST && self.rings.is_crowded() {
            self.stash();
        }
        self.out = 0;
        if self.behind.is_empty() {
            return self.rings.arrivals(most);
        }
        self.out = most.min(self.behind.len());
        self.behind.iter().take(self.out).map(Arrival::borrowed).collect()
    }

    /// Is done with so many of the last batch.
    pub(super) fn finish(&mut self, count: usize) {
        if self.out == 0 {
            return self.rings.finish(count);
        }
        self.out = 0;
        for done in self.behind.drain(..count) {
            self.bytes -= done.length();
        }
    }

    /// Moves what is in the rings now.
    fn stash(&mut self) {
        let Self { rings, behind, bytes, .. } = self;
        for _ in 0..Capture::SLOTS / STASH {
            let batch = rings.arrivals(STASH);
            let count = batch.len();
            for arrival in batch {
                *bytes += arrival.length();
                behind.push_back(arrival.into_owned());
            }
            rings.finish(count);
            if count < STASH || *bytes >= MOST {
                return;
            }
        }
    }
}

impl Arrival<'_> {
    fn length(&self) -> usize {
        self.frame.as_ref().map_or(0, |frame| frame.len())
    }

    fn borrowed(&self) -> Arrival<'_> {
        let frame = self.frame.as_ref().map(|frame| Cow::Borrowed(&**frame));
        Arrival { device: self.device, offloads: self.offloads, frame }
    }

    fn into_owned(self) -> Arrival<'static> {
        let frame = self.frame.map(|frame| Cow::Owned(frame.into_owned()));
        Arrival { device: self.device, offloads: self.offloads, frame }
    }
}
