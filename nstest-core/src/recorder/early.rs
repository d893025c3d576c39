//! The first frames of a test, which are read one by one.

use super::capture::WHOLE;
use super::queues::{SeenAt, recorded};
use crate::evidence::packets::RecordedFrame;
use crate::sys::packet::{DeferredClose, PacketSocket};

/// More than these are not kept here. The socket with the ring records long before.
const MOST: usize = 1 << 16;

/// The frames that the socket without a ring has captured.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) socket: PacketSocket,
    seen_at: SeenAt,
    frames: Vec<RecordedFrame>,
    /// How many were not kept.
    missed: u64,
}

impl Early {
    pub(super) fn of(socket: PacketSocket, seen_at: SeenAt) -> Self {
        Self { socket, seen_at, frames: Vec::new(), missed: 0 }
    }

    /// Reads the frames that have arrived. Returns how many were read since the start.
    pub(super) fn take(&mut self) -> usize {
        let mut buffer = [0; WHOLE as usize];
        while let Some(captured) = self.socket.receive(&mut buffer) {
            match self.frames.len() < MOST {
                true => self.frames.push(recorded(&captured, self.seen_at)),
                false => self.missed += 1,
            }
        }
        self.frames.len()
    }

    /// The frames before the first one that the other socket has recorded, or all of them, and
    /// how many are missing.
    pub(super) fn finish(mut self, first: Option<&RecordedFrame>) -> (Vec<RecordedFrame>, u64) {
        self.take();
        let missed = self.missed + self.socket.dropped().map_or(0, u64::from);
        if let Some(first) = first {
            let alike = |frame: &RecordedFrame| {
                (frame.link_end, frame.to_node) == (first.link_end, first.to_node)
                    && frame.frame == first.frame
            };
            // Of several that are alike, it is the nearest in time.
            let alike = self.frames.iter().enumerate().filter(|(_, frame)| alike(frame));
            let same = alike.min_by_key(|(_, frame)| frame.time.abs_diff(first.time));
            match same {
                Some((index, _)) => self.frames.truncate(index),
                None => self.frames.retain(|frame| frame.time < first.time),
            }
        }
        DeferredClose::close(self.socket); // closing waits for RCU
        (self.frames, missed)
    }
}
