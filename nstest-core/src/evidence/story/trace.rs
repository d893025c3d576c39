//! A packet on its way from node to node: where it was sent, received and forwarded, and where
//! it was lost.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::KnownNode;
use super::headers::PacketHeaders;
use crate::evidence::packets::TracedPacket;
use crate::evidence::timeline::Fate;

/// How long a router takes at most to forward a packet.
const FORWARDING: Duration = Duration::from_millis(50);

/// The bytes that are recorded of a link end before the oldest could be dropped, with what
/// each packet costs beside its own.
const SURELY_KEPT: usize = 256 << 10;
const OVERHEAD: usize = 64;

/// A packet on its way from its sender to its receiver.
#[derive(Debug, Clone)]
pub(crate) struct PacketTrace {
    /// As it was sent first. NAT changes them.
    pub(crate) headers: PacketHeaders,
    /// From network to network. There is at least one.
    pub(crate) hops: Vec<Hop>,
}

/// A packet on its way over one network.
#[derive(Debug, Clone)]
pub(crate) struct Hop {
    /// Where it was sent: a link end. Absent if that is not recorded: a fault has made it, or
    /// the record is incomplete.
    pub(crate) from: Option<u32>,
    /// Where it was received.
    pub(crate) to: Vec<u32>,
    /// When it was sent, or received if it is not recorded where it was sent.
    pub(crate) time: Duration,
    pub(crate) received: Option<Duration>,
    pub(crate) fates: Vec<Fate>,
    /// The longest packet that was received of it, from its IP header on, and the bytes of data
    /// of all. Segmentation offload cuts a packet.
    pub(crate) longest: usize,
    pub(crate) data: usize,
    /// Whether its receiver's record may be incomplete.
    pub(crate) unclear: bool,
}

impl PacketTrace {
    pub(crate) fn time(&self) -> Duration {
        self.hops[0].time
    }

    /// The hop on which it was seen last.
    pub(crate) fn last(&self) -> &Hop {
        &self.hops[self.hops.len() - 1]
    }

    /// The link end from which it was sent first.
    pub(crate) fn sender(&self) -> Option<u32> {
        self.hops[0].from
    }

    /// The link end at which it was received last.
    pub(crate) fn receiver(&self) -> Option<u32> {
        self.last().to.first().copied()
    }

    /// Whether no node received it on its last hop, and that is certain.
    pub(crate) fn is_lost(&self) -> bool {
        self.last().is_lost()
    }

    /// The fault that dropped it, if it was lost.
    pub(crate) fn dropped_by(&self) -> Option<u32> {
        let last = self.last();
        last.fates
            .iter()
            .filter(|_| last.to.is_empty())
            .find(|fate| fate.effect == "dropped")?
            .fault
    }

    /// The faults that dropped it, or one of the packets that segmentation offload made of it.
    pub(crate) fn drops(&self) -> impl Iterator<Item = u32> {
        let fates = self.hops.iter().flat_map(|hop| &hop.fates);
        fates.filter(|fate| fate.effect == "dropped").filter_map(|fate| fate.fault)
    }

    /// The fault that made it, if the wire has made it.
    pub(crate) fn made_by(&self) -> Option<&Fate> {
        self.hops[0].fates.iter().find(|fate| fate.effect == "made")
    }
}

impl Hop {
    fn add_received(&mut self, packet: &TracedPacket, headers: &PacketHeaders) {
        if !self.to.contains(&packet.link_end) {
            self.to.push(packet.link_end);
        }
        if self.to.first() == Some(&packet.link_end) {
            self.longest = self.longest.max(headers.length);
            self.data += headers.data();
        }
        self.received.get_or_insert(packet.time);
    }

    pub(crate) fn is_lost(&self) -> bool {
        let dropped = self.fates.iter().any(|fate| fate.effect == "dropped");
        self.to.is_empty() && (dropped || !self.unclear)
    }
}

/// The packets that these records are about, in the order in which they were sent. What was due
/// after `last` may still have been on its way when the test failed.
pub(super) fn traces(
    packets: &[TracedPacket],
    nodes: &BTreeMap<u32, KnownNode>,
    last: Duration,
) -> Vec<PacketTrace> {
    let mut hops = hops(packets);
    mark_unclear(&mut hops, packets, nodes, last);
    let node_of: HashMap<u32, u32> = nodes
        .iter()
        .flat_map(|(node, known)| known.interfaces.keys().map(|end| (*end, *node)))
        .collect();
    let mut traces: Vec<PacketTrace> = Vec::new();
    // Packets that a node received, and may forward.
    let mut received: HashMap<_, (usize, Duration)> = HashMap::new();
    for (headers, hop) in hops {
        let (identity, from) = (headers.identity(), hop.from);
        let sender = from.and_then(|end| node_of.get(&end));
        let forwarded = sender.and_then(|node| {
            let (index, time) = received.remove(&(*node, identity))?;
            let earlier = &traces[index].headers;
            // A reply with the same content is not forwarded.
            let is_reply = headers.destination == earlier.source;
            (!is_reply && hop.time.saturating_sub(time) < FORWARDING).then_some(index)
        });
        let is_ip = headers.source.is_some() && headers.to.is_unicast();
        let (to, time) = (hop.to.first().copied(), hop.received);
        let index = match forwarded {
            Some(index) => {
                traces[index].hops.push(hop);
                index
            }
            None => {
                traces.push(PacketTrace { headers, hops: vec![hop] });
                traces.len() - 1
            }
        };
        let receiver = to.and_then(|end| node_of.get(&end));
        if let (true, Some(node), Some(time)) = (is_ip, receiver, time) {
            received.insert((*node, identity), (index, time));
        }
    }
    traces
}

/// Each packet on each network.
fn hops(packets: &[TracedPacket]) -> Vec<(PacketHeaders, Hop)> {
    let mut hops: Vec<(PacketHeaders, Hop)> = Vec::new();
    let mut sent: HashMap<u64, usize> = HashMap::new();
    for packet in packets {
        let earlier = packet.sent_as.and_then(|number| sent.get(&number));
        if let Some((_, hop)) = earlier.and_then(|index| hops.get_mut(*index)) {
            hop.add_received(packet, &PacketHeaders::of(&packet.frame, packet.length));
            for fate in &packet.fates {
                if !hop.fates.contains(fate) {
                    hop.fates.push(fate.clone());
                }
            }
            continue;
        }
        let headers = PacketHeaders::of(&packet.frame, packet.length);
        let mut hop = Hop {
            from: (!packet.received).then_some(packet.link_end),
            to: Vec::new(),
            time: packet.time,
            received: None,
            fates: packet.fates.clone(),
            longest: 0,
            data: 0,
            unclear: false,
        };
        if packet.received {
            hop.add_received(packet, &headers);
        } else {
            sent.insert(packet.number, hops.len());
        }
        hops.push((headers, hop));
    }
    hops
}

/// Marks the packets that may have been received although that is not recorded: they are
/// older than the record of their receiver, still on their way, or parts of a larger one.
fn mark_unclear(
    hops: &mut [(PacketHeaders, Hop)],
    packets: &[TracedPacket],
    nodes: &BTreeMap<u32, KnownNode>,
    last: Duration,
) {
    let mut kept: HashMap<u32, (Duration, usize)> = HashMap::new();
    for packet in packets {
        let (_, bytes) = kept.entry(packet.link_end).or_insert((packet.time, 0));
        *bytes += packet.frame.len() + OVERHEAD;
    }
    let total: usize = kept.values().map(|(_, bytes)| bytes).sum();
    let ends: HashMap<_, u32> = nodes
        .values()
        .flat_map(|node| &node.interfaces)
        .filter_map(|(end, interface)| Some((interface.mac?, *end)))
        .collect();
    for (headers, hop) in hops {
        let receiver = ends.get(&headers.to).and_then(|end| kept.get(end));
        let is_older = receiver.is_some_and(|(oldest, bytes)| {
            hop.time < *oldest && (*bytes > SURELY_KEPT || total > 12 << 20)
        });
        let delay = hop.fates.iter().filter_map(|fate| fate.delay).max().unwrap_or(0);
        let due = hop.time + Duration::from_nanos(delay);
        hop.unclear = is_older || due > last || headers.length > 9_000;
    }
}
