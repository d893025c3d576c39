//! The conversations that a port has seen.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::fault::packets::Layer;
use crate::fault::point::Conversation;
use crate::frame::Direction;
use crate::frame::flow::Flow;
use crate::frame::view::{PacketView, flag};

/// Numbers conversations in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Flows {
    seen: HashMap<Flow, Seen>,
    /// The sequence number behind all that was sent, by flow and direction.
    sent: HashMap<(Flow, Direction), u32>,
    /// How many there were of a protocol with a server's port.
    begun: HashMap<(Option<Layer>, Option<u16>), u32>,
}

#[derive(Debug)]
struct Seen {
    conversation: Conversation,
    /// The sequence number of the SYN that opened it.
    opened: Option<u32>,
}

type End = (IpAddr, u16);

impl Flows {
    /// The conversation of a packet, a new one if it begins one.
    ///
    /// The server is to whom the first packet goes, or who sends it if that is a SYN
    /// and ACK. A SYN with another sequence number begins a new connection between
    /// the same ports.
    pub(super) fn of(
        &mut self,
        flow: Flow,
        (src, dst): (End, End),
        view: &PacketView<'_>,
    ) -> Conversation {
        let tcp = view.tcp();
        let syn = tcp.filter(|tcp| tcp.has(flag::SYN) && !tcp.has(flag::ACK));
        let opened = syn.map(|tcp| tcp.seq);
        if let Some(seen) = self.seen.get(&flow) {
            if opened.is_none() || opened == seen.opened {
                return seen.conversation;
            }
        }
        let is_answer = tcp.is_some_and(|tcp| tcp.has(flag::SYN | flag::ACK));
        let server = if is_answer { src } else { dst };
        let layer = Layer::of(flow.protocol);
        let port = view.ports().map(|_| server.1);
        let begun = self.begun.entry((layer, port)).or_default();
        *begun += 1;
        let conversation = Conversation { layer, port, nth: *begun };
        self.seen.insert(flow, Seen { conversation, opened });
        conversation
    }

    /// Whether all of a segment has been sent before: TCP does so when the machine is
    /// slow, too, and nothing was lost. Asked once for each packet.
    pub(super) fn is_sent_again(
        &mut self,
        flow: Flow,
        direction: Direction,
        view: &PacketView<'_>,
    ) -> bool {
        let Some(tcp) = view.tcp() else { return false };
        let end = tcp.seq.wrapping_add(tcp.sequence_len());
        let before = self.sent.get(&(flow, direction)).copied();
        // RFC 9293 §3.4: numbers are compared modulo 2^32.
        let is_old = before.is_some_and(|sent| sent.wrapping_sub(end) < 1 << 31);
        let is_other = tcp.has(flag::SYN) && before != Some(end);
        if is_other || !is_old {
            self.sent.insert((flow, direction), end);
            return false;
        }
        true
    }

    /// The sequence number of the SYN that opened it, if that was seen.
    pub(super) fn opened(&self, flow: Flow) -> Option<u32> {
        self.seen.get(&flow)?.opened
    }
}
