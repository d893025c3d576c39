//! The newest frames of each link end.

use std::collections::VecDeque;

use litemap::LiteMap;

use crate::evidence::packets::{LOOPBACK, RecordedFrame};
use crate::sys::packet::Captured;

/// How many bytes are kept of each link end, and of all of them.
const OF_LINK_END: usize = 1 << 20;
const OF_ALL: usize = 16 << 20;

/// Frames by link end. The oldest are dropped.
#[derive(Debug, Default)]
pub(super) struct FrameQueues {
    queues: LiteMap<u32, FrameQueue>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct FrameQueue {
    frames: VecDeque<RecordedFrame>,
    bytes: usize,
    /// How many older ones were dropped.
    dropped: u64,
}

impl FrameQueues {
    pub(super) fn push(&mut self, frame: RecordedFrame) {
        let bytes = size_of_frame(&frame);
        let queue = self.queues.entry(frame.link_end).or_default();
        queue.frames.push_back(frame);
        queue.bytes += bytes;
        self.bytes += bytes;
        while queue.bytes > OF_LINK_END {
            self.bytes -= queue.drop_oldest();
        }
        while self.bytes > OF_ALL {
            let queues = self.queues.iter_mut().map(|(_, queue)| queue);
            let Some(largest) = queues.max_by_key(|queue| queue.bytes) else { return };
            self.bytes -= largest.drop_oldest();
        }
    }

    /// All frames in the order of their time, and how many of each link end were dropped.
    pub(super) fn finish(self) -> (Vec<RecordedFrame>, LiteMap<u32, u64>) {
        let mut frames = Vec::new();
        let mut dropped = LiteMap::new();
        for (link_end, queue) in self.queues {
            frames.extend(queue.frames);
            if queue.dropped > 0 {
                dropped.insert(link_end, queue.dropped);
            }
        }
        frames.sort_by_key(|frame| frame.time);
        (frames, dropped)
    }
}

impl FrameQueue {
    /// Returns the bytes that it took.
    fn drop_oldest(&mut self) -> usize {
        let Some(oldest) = self.frames.pop_front() else { return 0 };
        let bytes = size_of_frame(&oldest);
        self.bytes -= bytes;
        self.dropped += 1;
        bytes
    }
}

fn size_of_frame(frame: &RecordedFrame) -> usize {
    frame.frame.len() + size_of::<RecordedFrame>()
}

/// Where frames are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenAt {
    /// At link ends: a device there sends what its node receives.
    LinkEnds,
    /// At `lo` of the test's own node, which sends and receives them itself.
    Loopback,
}

/// A frame as it is kept, with the VLAN tag that the kernel keeps beside it.
pub(super) fn recorded(captured: &Captured<'_>, seen_at: SeenAt) -> RecordedFrame {
    const ADDRESSES: usize = 12;
    let frame = match (captured.tag, captured.frame.split_at_checked(ADDRESSES)) {
        (Some((protocol, value)), Some((addresses, rest))) => {
            [addresses, &protocol.to_be_bytes(), &value.to_be_bytes(), rest].concat().into()
        }
        _ => captured.frame.into(),
    };
    let (link_end, to_node) = match seen_at {
        SeenAt::LinkEnds => (captured.device, captured.sent),
        SeenAt::Loopback => (LOOPBACK, !captured.sent),
    };
    RecordedFrame { link_end, to_node, time: captured.time, length: captured.length, frame }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_frames_of_a_link_end_are_dropped_and_counted() {
        let mut queues = FrameQueues::default();
        let frame = |link_end, time: u64, length: usize| RecordedFrame {
            link_end,
            to_node: false,
            time: Duration::from_secs(time),
            length,
            frame: vec![0; length].into(),
        };
        queues.push(frame(1, 0, 100));
        for time in 1..=10 {
            queues.push(frame(2, time, OF_LINK_END / 4));
        }
        let (frames, dropped) = queues.finish();
        let times: Vec<_> = frames.iter().map(|frame| frame.time.as_secs()).collect();
        assert_eq!(times, [0, 8, 9, 10]);
        assert_eq!(dropped, LiteMap::from_iter([(2, 7)]));
    }
}
