//! Finds out which records are of one frame: where it was sent, what faults did to it, and
//! where it was received.
//!
//! A frame has the same bytes everywhere on a network, apart from checksums. If a node sends
//! equal frames, such as retransmissions, time decides: a frame is received after it was sent
//! and after the delays of its faults, and frames do not overtake each other without a fault.
//! Frames that segmentation offload cuts on the way are found by the bytes of the flow that
//! they contain. Across a router, a packet is another frame.

mod identity;
mod networks;
mod source;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use self::identity::{FlowKey, FrameIdentity, Part, part};
pub(crate) use self::networks::Networks;
use self::source::{Origin, Source, pair};
use super::packets::{MatchedFrame, RecordedFrame};
use super::timeline::{Fate, nanoseconds};
use super::verdicts::WireVerdict;
use crate::frame::{Direction, PacketEffect};

/// Matches the frames of a test, which are in the order of their time, with each other and with
/// verdicts, which are in the order of their numbers. Returns one value for each frame.
pub(crate) fn match_frames(
    frames: &[RecordedFrame],
    verdicts: &[WireVerdict<'_>],
    networks: &Networks,
) -> Vec<MatchedFrame> {
    let mut matching = Matching::new(frames, verdicts, networks);
    matching.place_groups(Direction::Egress);
    matching.place_groups(Direction::Ingress);
    matching.pair_received();
    matching.result()
}

/// The verdicts about one frame at one link end.
#[derive(Debug)]
struct Group<'a> {
    verdicts: &'a [WireVerdict<'a>],
    /// The source of the frame that it is about.
    source: Option<usize>,
}

/// Records of frames with equal bytes on one network.
#[derive(Debug, Default)]
struct Equal {
    sources: Vec<usize>,
    groups: Vec<usize>,
    received: Vec<usize>,
}

struct Matching<'a> {
    frames: &'a [RecordedFrame],
    networks: &'a Networks,
    sources: Vec<Source>,
    groups: Vec<Group<'a>>,
    equal: HashMap<FrameIdentity, Equal>,
    /// What each flow sends, in the order of time.
    flows: HashMap<FlowKey, Vec<(Part, usize)>>,
    /// The source of each frame that was received.
    from: Vec<Option<usize>>,
}

impl<'a> Group<'a> {
    /// A verdict about the frame itself, if there is one. All have the same frame and time.
    fn about(&self) -> Option<&'a WireVerdict<'a>> {
        self.verdicts.iter().find(|verdict| !verdict.is_new)
    }
}

impl<'a> Matching<'a> {
    fn new(
        frames: &'a [RecordedFrame],
        verdicts: &'a [WireVerdict<'a>],
        networks: &'a Networks,
    ) -> Self {
        let mut matching = Self {
            frames,
            networks,
            sources: Vec::new(),
            groups: Vec::new(),
            equal: HashMap::new(),
            flows: HashMap::new(),
            from: vec![None; frames.len()],
        };
        for (index, recorded) in frames.iter().enumerate() {
            if recorded.to_node {
                let RecordedFrame { link_end, time, frame, .. } = recorded;
                matching.equal(*link_end, *time, frame).received.push(index);
            } else {
                matching.add_sent(index, recorded);
            }
        }
        for verdicts in verdicts.chunk_by(|one, next| one.first == next.first) {
            matching.add_group(verdicts);
        }
        matching
    }

    /// The records that are equal to that of a frame.
    fn equal(&mut self, link_end: u32, time: Duration, frame: &[u8]) -> &mut Equal {
        let identity = FrameIdentity::of(self.networks.at(link_end, time), frame);
        self.equal.entry(identity).or_default()
    }

    fn add_sent(&mut self, index: usize, recorded: &RecordedFrame) {
        let RecordedFrame { link_end, time, length, frame, .. } = recorded;
        let source = self.sources.len();
        self.sources.push(Source::sent(index, *link_end, *time));
        self.equal(*link_end, *time, frame).sources.push(source);
        if let Some((flow, part)) = part(self.networks.at(*link_end, *time), frame, *length) {
            self.flows.entry(flow).or_default().push((part, source));
        }
    }

    fn add_group(&mut self, verdicts: &'a [WireVerdict<'a>]) {
        let (index, group) = (self.groups.len(), Group { verdicts, source: None });
        for verdict in verdicts.iter().filter(|verdict| verdict.is_new) {
            let source = self.sources.len();
            self.sources.push(Source::new(index, verdict));
            self.equal(verdict.link_end, verdict.time, &verdict.frame).sources.push(source);
        }
        if let Some(about) = group.about() {
            self.equal(about.link_end, about.time, &about.frame).groups.push(index);
        }
        self.groups.push(group);
    }

    /// Finds the sources of the frames that the wire has decided about in a direction.
    fn place_groups(&mut self, direction: Direction) {
        let mut placed: Vec<(usize, usize)> = Vec::new();
        for Equal { sources, groups, .. } in self.equal.values() {
            let mut sightings = BTreeMap::<u32, Vec<(Duration, usize)>>::new();
            for group in groups {
                let Some(about) = self.groups[*group].about() else { continue };
                if about.direction == direction {
                    sightings.entry(about.link_end).or_default().push((about.time, *group));
                }
            }
            for (link_end, sightings) in sightings {
                let comes = |source: &usize| {
                    let (at, copies) = self.sources[*source].comes_to_wire(link_end, direction)?;
                    Some((at, copies, *source))
                };
                placed.extend(pair(sources.iter().filter_map(comes).collect(), sightings));
            }
        }
        for (group, source) in placed {
            self.groups[group].source = Some(source);
            let Group { verdicts, .. } = self.groups[group];
            self.sources[source].pass(verdicts);
        }
        for group in 0..self.groups.len() {
            let Group { source: None, .. } = self.groups[group] else { continue };
            let Some(about) = self.groups[group].about() else { continue };
            if about.direction == direction {
                let WireVerdict { link_end, time, frame, length, .. } = about;
                let comes =
                    |source: &Source| source.comes_to_wire(*link_end, direction).map(|(at, _)| at);
                self.groups[group].source =
                    self.superframe((*link_end, *time), (frame, *length), comes);
            }
        }
    }

    /// Finds the sources of the frames that were received.
    fn pair_received(&mut self) {
        let mut paired: Vec<(usize, usize)> = Vec::new();
        for Equal { sources, received, .. } in self.equal.values() {
            let mut sightings = BTreeMap::<u32, Vec<(Duration, usize)>>::new();
            for index in received {
                let RecordedFrame { link_end, time, .. } = &self.frames[*index];
                sightings.entry(*link_end).or_default().push((*time, *index));
            }
            for (link_end, sightings) in sightings {
                let comes = |source: &usize| {
                    let (at, copies) = self.sources[*source].comes_to_node(link_end)?;
                    Some((at, copies, *source))
                };
                paired.extend(pair(sources.iter().filter_map(comes).collect(), sightings));
            }
        }
        for (index, source) in paired {
            self.from[index] = Some(source);
        }
        for (index, recorded) in self.frames.iter().enumerate() {
            let RecordedFrame { link_end, to_node, time, length, frame } = recorded;
            if *to_node && self.from[index].is_none() {
                let comes = |source: &Source| source.comes_to_node(*link_end).map(|(at, _)| at);
                self.from[index] = self.superframe((*link_end, *time), (frame, *length), comes);
            }
        }
    }

    /// The last source that cutting can have made a frame of, which was seen at a link end.
    fn superframe(
        &self,
        (link_end, time): (u32, Duration),
        (frame, length): (&[u8], usize),
        comes: impl Fn(&Source) -> Option<Duration>,
    ) -> Option<usize> {
        /// The frames of a flow that are under way at the same time.
        const MOST: usize = 4096;
        let (flow, part) = part(self.networks.at(link_end, time), frame, length)?;
        let sent = self.flows.get(&flow)?;
        let before = sent.partition_point(|(_, source)| self.sources[*source].time <= time);
        let before = sent[..before].iter().rev().take(MOST);
        let mut fitting = before.filter(|(whole, source)| {
            whole.contains(&part) && comes(&self.sources[*source]).is_some_and(|at| at <= time)
        });
        fitting.next().map(|(_, source)| *source)
    }

    fn result(self) -> Vec<MatchedFrame> {
        let mut matched = vec![MatchedFrame::default(); self.frames.len()];
        let sent = |source: Option<usize>| match self.sources[source?].origin {
            Origin::Sent(index) => Some(index),
            Origin::New(..) => None,
        };
        for Group { verdicts, source } in &self.groups {
            let Some(index) = sent(*source) else { continue };
            for verdict in verdicts.iter().filter(|verdict| !verdict.is_new) {
                add_fate(&mut matched[index].fates, verdict);
            }
        }
        for (index, source) in self.from.iter().enumerate() {
            let Some(source) = source else { continue };
            match self.sources[*source].origin {
                Origin::Sent(sent) => matched[index].sent_as = Some(sent),
                Origin::New(group, number) => {
                    let Group { verdicts, source } = &self.groups[group];
                    let Some(verdict) = verdicts.iter().find(|it| it.number == number) else {
                        continue;
                    };
                    add_fate(&mut matched[index].fates, verdict);
                    if verdict.affected.effect == PacketEffect::Changed {
                        matched[index].sent_as = sent(*source);
                    }
                }
            }
        }
        matched
    }
}

/// Adds what a verdict says. What a fault did to several parts of a frame is said once, with
/// the longest delay.
fn add_fate(fates: &mut Vec<Fate>, verdict: &WireVerdict<'_>) {
    let affected = verdict.affected;
    let effect = match affected.effect {
        PacketEffect::Dropped => "dropped",
        PacketEffect::Delayed => "delayed",
        PacketEffect::Reordered => "reordered",
        PacketEffect::Duplicated => "duplicated",
        PacketEffect::Changed => "changed",
        PacketEffect::Made => "made",
        PacketEffect::Answered => "answered",
    };
    let delay = (affected.effect == PacketEffect::Delayed).then(|| nanoseconds(affected.delay));
    let same = |fate: &&mut Fate| fate.effect == effect && fate.fault == affected.fault;
    match fates.iter_mut().find(same) {
        Some(fate) => fate.delay = fate.delay.max(delay),
        None => fates.push(Fate { effect: effect.to_owned(), fault: affected.fault, delay }),
    }
}
