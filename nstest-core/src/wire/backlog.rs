//! Frames that wait for the thread: in the rings, and in memory.
//!
//! A ring that is full loses frames for which the thread only lacks the time: TCP keeps
//! as much under way as its windows allow, which is more than a ring holds. So frames of
//! a ring that is half full are moved to memory, which costs a fraction of sending them.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::rings::{Arrival, Rings};

/// The most bytes in memory. A test that keeps sending faster than the wire does loses
/// frames, and fails for it.
const MOST: usize = 256 << 20;

/// How many frames are moved at once.
const BATCH: usize = 64;

#[derive(Debug)]
pub(super) struct Backlog {
    rings: Rings,
    /// Older than all that is in the rings.
    in_memory: VecDeque<Arrival<'static>>,
    bytes: usize,
    /// How many of those are in the batch that was returned last.
    out: usize,
}

impl Backlog {
    pub(super) fn new(rings: Rings) -> Self {
        Self { rings, in_memory: VecDeque::new(), bytes: 0, out: 0 }
    }

    pub(super) fn rings(&self) -> &Rings {
        &self.rings
    }

    /// Frames in the order of their arrival, `most` of them at most.
    /// [`finish`](Self::finish) makes room for more.
    pub(super) fn arrivals(&mut self, most: usize) -> Vec<Arrival<'_>> {
        if self.bytes < MOST && self.rings.is_half_full() {
            self.move_to_memory();
        }
        self.out = 0;
        if self.in_memory.is_empty() {
            return self.rings.arrivals(most);
        }
        self.out = most.min(self.in_memory.len());
        self.in_memory.iter().take(self.out).map(Arrival::borrowed).collect()
    }

    /// Releases the first `count` frames of the last batch. The others are returned again.
    pub(super) fn finish(&mut self, count: usize) {
        if self.out == 0 {
            return self.rings.finish(count);
        }
        self.out = 0;
        for done in self.in_memory.drain(..count) {
            self.bytes -= done.length();
        }
    }

    /// Moves the frames in the rings to memory.
    fn move_to_memory(&mut self) {
        let Self { rings, in_memory, bytes, .. } = self;
        for _ in 0..Rings::SLOTS / BATCH {
            let batch = rings.arrivals(BATCH);
            let count = batch.len();
            for arrival in batch {
                *bytes += arrival.length();
                in_memory.push_back(arrival.into_owned());
            }
            rings.finish(count);
            if count < BATCH || *bytes >= MOST {
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
        Arrival { frame, ..*self }
    }

    fn into_owned(self) -> Arrival<'static> {
        let Self { device, time, offloads, frame } = self;
        let frame = frame.map(|frame| Cow::Owned(frame.into_owned()));
        Arrival { device, time, offloads, frame }
    }
}
