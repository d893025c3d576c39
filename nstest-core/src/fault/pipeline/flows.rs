//! The flows that passed a link end, numbered.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::fault::conversation::Conversation;
use crate::fault::packets::PacketProtocol;
use crate::frame::Direction;
use crate::frame::flow::Flow;
use crate::frame::view::{PacketView, flag, is_not_after};

/// Numbers flows in the order of their first packets.
#[derive(Debug, Default)]
pub(super) struct Flows {
    known: HashMap<Flow, Known>,
    /// The sequence number after the last byte sent, by flow and direction.
    sent: HashMap<(Flow, Direction), u32>,
    /// The number of conversations by protocol and server port.
    begun: HashMap<(Option<PacketProtocol>, Option<u16>), u32>,
}

#[derive(Debug)]
struct Known {
    conversation: Conversation,
    /// The sequence number of the SYN that opened it.
    opened: Option<u32>,
}

type End = (IpAddr, u16);

impl Flows {
    /// The conversation of a packet, which is a new one if the packet starts one.
    ///
    /// The server is the destination of the first packet, or its source if that has SYN and
    /// ACK. A SYN with another sequence number starts a new connection between the same
    /// ports.
    pub(super) fn conversation(
        &mut self,
        flow: Flow,
        (src, dst): (End, End),
        view: &PacketView<'_>,
    ) -> Conversation {
        let tcp = view.tcp();
        let opened = tcp.filter(|tcp| tcp.opens()).map(|tcp| tcp.seq);
        if let Some(known) = self.known.get(&flow) {
            if opened.is_none() || opened == known.opened {
                return known.conversation;
            }
        }
        let is_answer = tcp.is_some_and(|tcp| tcp.has(flag::SYN | flag::ACK));
        let server = if is_answer { src } else { dst };
        let protocol = PacketProtocol::of(flow.protocol);
        let port = view.ports().map(|_| server.1);
        let begun = self.begun.entry((protocol, port)).or_default();
        *begun += 1;
        let conversation = Conversation { protocol, port, nth: *begun };
        self.known.insert(flow, Known { conversation, opened });
        conversation
    }

    /// Enters a TCP connection that is older than the first packet seen. `is_alone`: it is the
    /// only one to its server's port, and has the number 1.
    pub(super) fn enter(&mut self, flow: Flow, port: Option<u16>, is_alone: bool) {
        let protocol = PacketProtocol::of(flow.protocol);
        if port.is_some() {
            *self.begun.entry((protocol, port)).or_default() += 1;
        }
        let conversation = Conversation { protocol, port, nth: u32::from(is_alone) };
        self.known.insert(flow, Known { conversation, opened: None });
    }

    /// Whether a segment contains nothing new. TCP also retransmits when the machine is slow
    /// and nothing was lost. To be called once for each packet.
    pub(super) fn is_retransmission(
        &mut self,
        flow: Flow,
        direction: Direction,
        view: &PacketView<'_>,
    ) -> bool {
        let Some(tcp) = view.tcp() else { return false };
        let end = tcp.end();
        let before = self.sent.get(&(flow, direction)).copied();
        let is_old = before.is_some_and(|sent| is_not_after(end, sent));
        let is_other = tcp.has(flag::SYN) && before != Some(end);
        if is_other || !is_old {
            self.sent.insert((flow, direction), end);
            return false;
        }
        true
    }

    /// The sequence number of the SYN that opened a connection, if the SYN passed here.
    pub(super) fn opened(&self, flow: Flow) -> Option<u32> {
        self.known.get(&flow)?.opened
    }
}
