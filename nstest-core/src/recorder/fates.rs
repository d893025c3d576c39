//! The body's log of what the wire did to frames: a file in memory that the parent has, too.
//!
//! It has slots of fixed size, of which the newest overwrite the oldest. Only the thread of the
//! wire writes, once for all frames that it has decided about together. There is no file until
//! a fault affects a frame.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use super::channel::{Content, DescriptorSender, sender, shared_file};
use crate::evidence::verdicts::{SLOT, WireVerdict};
use crate::frame::{Affected, Direction, Outlet};
use crate::sys::limits::may_write;

/// 2 MiB.
const SLOTS: u64 = 16384;

/// Writes verdicts.
#[derive(Debug)]
pub(crate) struct FateLog {
    sender: DescriptorSender,
    file: Option<File>,
    /// How many verdicts there have been before those that wait.
    written: u64,
    /// Verdicts that are not in the file yet, as slots.
    waiting: Vec<u8>,
}

impl FateLog {
    /// A log, if the parent wants one.
    pub(crate) fn new() -> Option<Self> {
        sender().map(Self::to)
    }

    fn to(sender: DescriptorSender) -> Self {
        Self { sender, file: None, written: 0, waiting: Vec::new() }
    }

    /// Notes what was decided at a link end about a frame that has come there at a time, since
    /// the Unix epoch. Does nothing if the frame was not affected.
    pub(crate) fn note(
        &mut self,
        at: (u32, Direction),
        (time, frame): (Duration, &[u8]),
        decided: &Outlet,
        now: Instant,
    ) {
        let Outlet { affected, emissions, .. } = decided;
        if affected.is_empty() && emissions.is_empty() {
            return;
        }
        let first = self.next();
        for affected in affected {
            self.push(first, at, (time, frame, false), *affected);
        }
        for emission in emissions {
            let delay = emission.at.saturating_duration_since(now);
            let affected = Affected { delay, ..emission.affected };
            self.push(first, (at.0, emission.direction), (time, &emission.frame, true), affected);
        }
    }

    /// The number of the next verdict.
    fn next(&self) -> u64 {
        self.written + (self.waiting.len() / SLOT) as u64
    }

    fn push(
        &mut self,
        first: u64,
        (link_end, direction): (u32, Direction),
        (time, frame, is_new): (Duration, &[u8], bool),
        affected: Affected,
    ) {
        let verdict = WireVerdict {
            number: self.next(),
            first,
            time,
            link_end,
            direction,
            affected,
            is_new,
            length: frame.len(),
            frame: Cow::Borrowed(frame),
        };
        verdict.encode(&mut self.waiting);
    }

    /// Writes what was noted.
    pub(crate) fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let next = self.next();
        // It fails where memory has run out. The log lacks these verdicts then.
        if let Some(file) = self.file.take().or_else(|| open(self.sender)) {
            let slot = self.written % SLOTS;
            let until_end = (SLOTS - slot) as usize * SLOT;
            let (some, rest) = self.waiting.split_at(until_end.min(self.waiting.len()));
            if may_write(SLOTS * SLOT as u64) {
                let _ = file.write_all_at(some, slot * SLOT as u64);
                let _ = file.write_all_at(rest, 0);
            }
            self.file = Some(file);
        }
        self.written = next;
        self.waiting.clear();
    }
}

/// The file, once the parent has it.
fn open(sender: DescriptorSender) -> Option<File> {
    shared_file(sender, c"nstest fates", Content::Fates, OFlag::empty()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Emission, PacketEffect};
    use crate::recorder::{Recorder, channel};

    #[test]
    fn the_parent_reads_the_newest_verdicts_and_counts_the_others() {
        const BATCHES: u64 = 2000;
        const BATCH: u64 = 9; // which crosses the end of the file
        let (receiver, end) = channel().unwrap();
        let mut recorder = Recorder::of(receiver);
        let mut log = FateLog::to(DescriptorSender::of(end));
        let (now, at) = (Instant::now(), (7, Direction::Egress));
        let mut decided = Outlet::default();
        log.note(at, (Duration::ZERO, b"not affected"), &decided, now);
        log.flush();
        assert!(recorder.finish().verdicts.is_empty() && log.file.is_none());

        let affected = Affected::by(Some(3), PacketEffect::Dropped);
        let emission = Emission {
            at: now + Duration::from_millis(5),
            direction: Direction::Ingress,
            frame: b"made".to_vec(),
            affected: Affected::by(Some(3), PacketEffect::Made),
        };
        for _ in 0..BATCHES {
            decided.affected = vec![affected];
            for _ in 0..BATCH - 2 {
                log.note(at, (Duration::ZERO, b"frame"), &decided, now);
            }
            decided.emissions = vec![emission.clone()];
            log.note(at, (Duration::ZERO, b"frame"), &decided, now);
            decided.clear();
            log.flush();
        }
        drop(log);
        let recorded = recorder.finish();
        assert_eq!(recorded.verdicts.len() as u64, SLOTS);
        assert_eq!(recorded.overwritten, BATCHES * BATCH - SLOTS);
        let [.., dropped, made] = recorded.verdicts.as_slice() else { panic!("there are many") };
        assert_eq!(
            (dropped.affected, dropped.is_new, &*dropped.frame),
            (affected, false, b"frame".as_slice())
        );
        let delay = Duration::from_millis(5);
        assert_eq!(made.affected, Affected { delay, ..emission.affected });
        assert_eq!((made.first, made.number), (dropped.number, dropped.number + 1));
        assert_eq!(
            (made.direction, made.is_new, &*made.frame),
            (Direction::Ingress, true, b"made".as_slice())
        );
    }
}
