//! Where a frame comes from, and when it can be where.

use std::time::Duration;

use crate::evidence::packets::LOOPBACK;
use crate::evidence::verdicts::WireVerdict;
use crate::frame::{Direction, PacketEffect};

/// A frame that begins its way: a node has sent it, or the wire.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) origin: Origin,
    /// The link end at which it begins.
    link_end: u32,
    /// Whether it goes to the node there, past the wires of other link ends.
    to_node: bool,
    pub(super) time: Duration,
    /// What the wire at its link end did to it.
    egress: Passage,
    /// What the wires did to it at the link ends that it went to.
    ingress: Vec<(u32, Passage)>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// The record with this index.
    Sent(usize),
    /// The wire has made it: the group, and the number of the verdict.
    New(usize, u64),
}

/// What a wire lets through of a frame.
#[derive(Debug, Clone, Copy)]
struct Passage {
    /// How many of it at most.
    copies: u32,
    delay: Duration,
}

const UNCHANGED: Passage = Passage { copies: 1, delay: Duration::ZERO };

impl Passage {
    fn of(verdicts: &[WireVerdict<'_>]) -> Self {
        let mut passage = UNCHANGED;
        for verdict in verdicts.iter().filter(|verdict| !verdict.is_new) {
            match verdict.affected.effect {
                PacketEffect::Dropped => passage.copies = 0,
                PacketEffect::Changed => passage.copies -= passage.copies.min(1),
                PacketEffect::Duplicated => passage.copies = u32::MAX,
                PacketEffect::Delayed => passage.delay += verdict.affected.delay,
                PacketEffect::Reordered | PacketEffect::Made | PacketEffect::Answered => {}
            }
        }
        passage
    }
}

impl Source {
    pub(super) fn sent(index: usize, link_end: u32, time: Duration) -> Self {
        let (origin, to_node) = (Origin::Sent(index), false);
        Self { origin, link_end, to_node, time, egress: UNCHANGED, ingress: Vec::new() }
    }

    /// Of a frame that the wire has made.
    pub(super) fn new(group: usize, verdict: &WireVerdict<'_>) -> Self {
        Self {
            origin: Origin::New(group, verdict.number),
            link_end: verdict.link_end,
            to_node: verdict.direction == Direction::Ingress,
            time: verdict.time + verdict.affected.delay,
            egress: UNCHANGED,
            ingress: Vec::new(),
        }
    }

    /// Notes what a wire did to it.
    pub(super) fn pass(&mut self, verdicts: &[WireVerdict<'_>]) {
        let Some(WireVerdict { link_end, direction, .. }) = verdicts.iter().find(|it| !it.is_new)
        else {
            return;
        };
        let passage = Passage::of(verdicts);
        match direction {
            Direction::Egress => self.egress = passage,
            Direction::Ingress => self.ingress.push((*link_end, passage)),
        }
    }

    /// When it comes to the wire of a link end at the earliest, and how many of it at most;
    /// `None` if it does not.
    pub(super) fn comes_to_wire(&self, at: u32, direction: Direction) -> Option<(Duration, u32)> {
        match direction {
            Direction::Egress => {
                let is_from_node = matches!(self.origin, Origin::Sent(_));
                (is_from_node && self.link_end == at).then_some((self.time, 1))
            }
            Direction::Ingress => (!self.to_node && (self.link_end != at || at == LOOPBACK))
                .then(|| (self.time + self.egress.delay, self.egress.copies)),
        }
    }

    /// When it comes to the node of a link end at the earliest, and how many of it at most;
    /// `None` if it does not.
    pub(super) fn comes_to_node(&self, at: u32) -> Option<(Duration, u32)> {
        if self.to_node {
            return (self.link_end == at).then_some((self.time, 1));
        }
        let (time, copies) = self.comes_to_wire(at, Direction::Ingress)?;
        let passage = self.ingress.iter().find(|(link_end, _)| *link_end == at);
        let passage = passage.map_or(UNCHANGED, |(_, passage)| *passage);
        Some((time + passage.delay, copies.saturating_mul(passage.copies)))
    }
}

/// Pairs sightings of equal frames with their sources: each with the last one that it can come
/// from, so that a source without a sighting does not shift the others. `sources`: the earliest
/// time of a sighting, the most sightings, and a number. Returns pairs of a sighting and a
/// source.
pub(super) fn pair(
    mut sources: Vec<(Duration, u32, usize)>,
    mut sightings: Vec<(Duration, usize)>,
) -> Vec<(usize, usize)> {
    sources.sort_by_key(|(earliest, ..)| *earliest);
    sightings.sort_by_key(|(time, _)| *time);
    let mut pairs = Vec::with_capacity(sightings.len());
    for (time, sighting) in sightings.into_iter().rev() {
        while sources.last().is_some_and(|(earliest, left, _)| *earliest > time || *left == 0) {
            sources.pop();
        }
        let Some((_, left, source)) = sources.last_mut() else { break };
        *left -= 1;
        pairs.push((sighting, *source));
    }
    pairs
}
