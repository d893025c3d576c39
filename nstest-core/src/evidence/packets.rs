//! The recorded packets, decoded: the events that `events.jsonl` has, and the frames that
//! captures and hints need.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::timeline::{Entry, Fate, TimelineEvent};
use crate::frame::view::{PacketView, TransportHeader};

/// The number that stands for `lo` of the test's own node in place of a link end.
pub(crate) const LOOPBACK: u32 = 0;

/// A recorded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedFrame {
    /// The index of the link end's device in the fabric.
    pub(crate) link_end: u32,
    /// Whether it went to the node; otherwise the node has sent it.
    pub(crate) to_node: bool,
    /// Since the Unix epoch.
    pub(crate) time: Duration,
    /// The length of the frame before it was cut off.
    pub(crate) length: usize,
    pub(crate) frame: Box<[u8]>,
}

/// What was found out about a recorded frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MatchedFrame {
    /// Of a frame that was received: the index of the record where it was sent.
    pub(crate) sent_as: Option<usize>,
    /// Of a frame that was sent: what faults have done to it on its way. Of one that was
    /// received: that a fault has made or changed it.
    pub(crate) fates: Vec<Fate>,
}

/// A packet where a node sent it, or where a node received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TracedPacket {
    /// Its number in the capture, from 1.
    pub(crate) number: u64,
    /// Since the Unix epoch.
    pub(crate) time: Duration,
    pub(crate) link_end: u32,
    /// Whether the node received it; otherwise the node sent it.
    pub(crate) received: bool,
    /// The length of the frame, of which there may be fewer bytes.
    pub(crate) length: usize,
    pub(crate) frame: Box<[u8]>,
    /// The number under which it was recorded where it was sent.
    pub(crate) sent_as: Option<u64>,
    pub(crate) fates: Vec<Fate>,
}

/// Numbers frames in the order of their time. `matched`: what was found out about each.
pub(crate) fn trace(frames: Vec<RecordedFrame>, matched: Vec<MatchedFrame>) -> Vec<TracedPacket> {
    let numbered = frames.into_iter().zip(matched).zip(1..);
    let numbered = numbered.map(|((recorded, matched), number)| TracedPacket {
        number,
        time: recorded.time,
        link_end: recorded.link_end,
        received: recorded.to_node,
        length: recorded.length,
        frame: recorded.frame,
        sent_as: matched.sent_as.map(|index| index as u64 + 1),
        fates: matched.fates,
    });
    numbered.collect()
}

impl TracedPacket {
    /// The event that stands for it.
    pub(crate) fn entry(&self) -> Entry {
        let view = PacketView::parse(&self.frame);
        let (source, destination) = endpoints(&view).unzip();
        let event = TimelineEvent::Packet {
            packet: self.number,
            link_end: self.link_end,
            received: self.received,
            length: self.length as u64,
            protocol: protocol(&view).to_owned(),
            source,
            destination,
            summary: view.to_string(),
            sent_as: self.sent_as,
            fates: self.fates.clone(),
        };
        Entry { time: self.time, event }
    }
}

fn endpoints(view: &PacketView<'_>) -> Option<(String, String)> {
    let (source, destination) = view.addresses()?;
    let at = |address: IpAddr, port: Option<u16>| match port {
        Some(port) => SocketAddr::new(address, port).to_string(),
        None => address.to_string(),
    };
    let ports = view.ports();
    Some((at(source, ports.map(|(port, _)| port)), at(destination, ports.map(|(_, port)| port))))
}

fn protocol(view: &PacketView<'_>) -> &'static str {
    match view.transport {
        TransportHeader::Tcp(_) => "TCP",
        TransportHeader::Udp { .. } => "UDP",
        TransportHeader::Icmp { version: 4, .. } => "ICMP",
        TransportHeader::Icmp { .. } => "ICMPv6",
        TransportHeader::Other if view.arp.is_some() => "ARP",
        TransportHeader::Other if view.ip.is_some() => "IP",
        TransportHeader::Other => "Ethernet",
    }
}
