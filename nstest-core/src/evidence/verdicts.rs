//! What the wire did to frames.
//!
//! The wire writes a [`WireVerdict`] as a *slot* of fixed size into memory that the parent
//! has, too. A slot is written with a single write or not at all. It has its number, so that a
//! reader finds the order of slots, and how many have been overwritten.

use std::borrow::Cow;
use std::time::Duration;

use super::timeline::nanoseconds;
use crate::frame::{Affected, Direction, PacketEffect};

/// What the wire did to a frame, by one fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WireVerdict<'a> {
    /// Its number among all verdicts of a test, from 0.
    pub(crate) number: u64,
    /// The number of the first verdict about the same frame.
    pub(crate) first: u64,
    /// When the frame that the wire decided about came there, since the Unix epoch.
    pub(crate) time: Duration,
    /// The index of the device of the link end where it decided.
    pub(crate) link_end: u32,
    pub(crate) direction: Direction,
    pub(crate) affected: Affected,
    /// Whether `frame` is one that the wire has made, or a changed copy. Otherwise it is the
    /// one that the wire decided about.
    pub(crate) is_new: bool,
    /// The length of the frame before it was cut off.
    pub(crate) length: usize,
    /// Its first [`KEPT`] bytes.
    pub(crate) frame: Cow<'a, [u8]>,
}

/// Bytes of a slot.
pub(crate) const SLOT: usize = 128;

/// How many bytes of a frame a slot has.
pub(crate) const KEPT: usize = SLOT - HEADER;

/// The fields before the frame.
const HEADER: usize = 48;

const NO_FAULT: u32 = u32::MAX;

const EFFECTS: [PacketEffect; 7] = [
    PacketEffect::Dropped,
    PacketEffect::Delayed,
    PacketEffect::Reordered,
    PacketEffect::Duplicated,
    PacketEffect::Changed,
    PacketEffect::Made,
    PacketEffect::Answered,
];

impl WireVerdict<'_> {
    /// Appends its slot.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let kept = &self.frame[..self.frame.len().min(KEPT)];
        let effect = EFFECTS.iter().position(|effect| *effect == self.affected.effect);
        // Numbers in a slot are one more, so that one that was never written has none.
        out.extend((self.number + 1).to_le_bytes());
        out.extend((self.first + 1).to_le_bytes());
        out.extend(nanoseconds(self.time).to_le_bytes());
        out.extend(nanoseconds(self.affected.delay).to_le_bytes());
        out.extend(self.link_end.to_le_bytes());
        out.extend(self.affected.fault.unwrap_or(NO_FAULT).to_le_bytes());
        out.extend(u32::try_from(self.length).unwrap_or(u32::MAX).to_le_bytes());
        out.extend([
            u8::from(self.direction == Direction::Ingress),
            effect.unwrap_or_default() as u8,
            u8::from(self.is_new),
            kept.len() as u8,
        ]);
        debug_assert_eq!(out.len(), start + HEADER);
        out.extend(kept);
        out.resize(start + SLOT, 0);
    }
}

impl WireVerdict<'static> {
    /// The verdict in a slot: `None` if it was never written.
    pub(crate) fn decode(slot: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_le_bytes(slot.get(at..at + 8)?.try_into().ok()?));
        let word = |at: usize| Some(u32::from_le_bytes(slot.get(at..at + 4)?.try_into().ok()?));
        let [ingress, effect, is_new, kept] = slot.get(44..HEADER)?.try_into().ok()?;
        Some(Self {
            number: long(0)?.checked_sub(1)?,
            first: long(8)?.checked_sub(1)?,
            time: Duration::from_nanos(long(16)?),
            link_end: word(32)?,
            direction: if ingress == 0 { Direction::Egress } else { Direction::Ingress },
            affected: Affected {
                effect: *EFFECTS.get(usize::from(effect))?,
                fault: Some(word(36)?).filter(|fault| *fault != NO_FAULT),
                delay: Duration::from_nanos(long(24)?),
            },
            is_new: is_new != 0,
            length: word(40)? as usize,
            frame: Cow::Owned(slot.get(HEADER..HEADER + usize::from(kept))?.to_vec()),
        })
    }

    /// The verdicts in all slots of a file, in the order of their numbers, and how many have
    /// been overwritten.
    pub(crate) fn decode_all(slots: &[u8]) -> (Vec<Self>, u64) {
        let mut verdicts: Vec<_> = slots.chunks_exact(SLOT).filter_map(Self::decode).collect();
        verdicts.sort_by_key(|verdict| verdict.number);
        let total = verdicts.last().map_or(0, |last| last.number + 1);
        let overwritten = total - verdicts.len() as u64;
        (verdicts, overwritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(number: u64) -> WireVerdict<'static> {
        WireVerdict {
            number,
            first: number.saturating_sub(1),
            time: Duration::new(1_700_000_000, 123_456_789),
            link_end: 7,
            direction: Direction::Ingress,
            affected: Affected {
                effect: PacketEffect::Delayed,
                fault: Some(3),
                delay: Duration::from_millis(40),
            },
            is_new: true,
            length: 1514,
            frame: Cow::Owned((0..KEPT as u8).collect()),
        }
    }

    #[test]
    fn a_slot_holds_a_verdict() {
        let mut slot = Vec::new();
        verdict(5).encode(&mut slot);
        assert_eq!(slot.len(), SLOT);
        assert_eq!(WireVerdict::decode(&slot), Some(verdict(5)));
        let mut short = WireVerdict { frame: Cow::Borrowed(b"short"), ..verdict(0) };
        (short.affected, short.direction) =
            (Affected::by(None, PacketEffect::Answered), Direction::Egress);
        slot.clear();
        short.encode(&mut slot);
        assert_eq!(WireVerdict::decode(&slot), Some(short));
        assert_eq!(WireVerdict::decode(&[0; SLOT]), None);
    }

    #[test]
    fn slots_are_in_order_and_those_overwritten_are_counted() {
        let mut slots = Vec::new();
        for number in [4, 5, 2, 3] {
            verdict(number).encode(&mut slots);
        }
        slots.extend([0; SLOT]);
        let (verdicts, overwritten) = WireVerdict::decode_all(&slots);
        let numbers: Vec<u64> = verdicts.iter().map(|verdict| verdict.number).collect();
        assert_eq!((numbers, overwritten), (vec![2, 3, 4, 5], 2));
        assert_eq!(WireVerdict::decode_all(&[]), (Vec::new(), 0));
    }
}
