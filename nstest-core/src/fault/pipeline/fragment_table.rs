//! Fragmented datagrams: their fragments share what a rule decides.
//!
//! Only the first fragment has a transport header. Rules decide about a datagram when its
//! first matching fragment comes, and count it once. The other fragments follow.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::RuleId;
use crate::fault::conversation::Conversation;
use crate::fault::rule::Packet;
use crate::frame::Direction;
use crate::frame::view::{Fragment, PacketView};

/// The number of datagrams that are remembered. A sender sends the fragments of a datagram
/// one after the other, so only those of concurrent senders are mixed.
const REMEMBERED: usize = 1024;

/// The datagrams with a fragment that passed a link end, the last ones.
#[derive(Debug, Default)]
pub(super) struct FragmentTable {
    known: HashMap<DatagramId, Datagram>,
    order: VecDeque<DatagramId>,
}

/// What the fragments of a datagram have in common (RFC 791 §3.2, RFC 8200 §4.5), at one
/// link end. A router can have both directions of a datagram at one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DatagramId {
    direction: Direction,
    src: IpAddr,
    dst: IpAddr,
    /// The protocol of IPv4. IPv6 identifies datagrams without it.
    protocol: Option<u8>,
    number: u32,
}

/// A datagram, and what rules have decided about it.
#[derive(Debug, Default)]
pub(super) struct Datagram {
    /// Whether its first fragment has come.
    has_first: bool,
    /// Source and destination port, from the first fragment.
    ports: Option<(u16, u16)>,
    conversation: Option<Conversation>,
    /// Whether each rule takes it.
    decided: Vec<(RuleId, bool)>,
    /// The rule with a cut or a black hole that follows this datagram.
    pub(super) followed_by: Option<RuleId>,
}

impl FragmentTable {
    /// Notes a frame, and returns the datagram that it is a fragment of; `None` if it is not
    /// a fragment.
    pub(super) fn note(
        &mut self,
        direction: Direction,
        view: &PacketView<'_>,
    ) -> Option<DatagramId> {
        let ip = view.ip.as_ref()?;
        let (number, is_first) = match ip.fragment {
            Fragment::Whole => return None,
            Fragment::First(number) => (number, true),
            Fragment::Later(number) => (number, false),
        };
        let protocol = ip.src.is_ipv4().then_some(ip.protocol);
        let id = DatagramId { direction, src: ip.src, dst: ip.dst, protocol, number };
        if !self.known.contains_key(&id) {
            self.order.push_back(id);
            if self.order.len() > REMEMBERED {
                self.order.pop_front().map(|oldest| self.known.remove(&oldest));
            }
        }
        let datagram = self.known.entry(id).or_default();
        if is_first {
            if datagram.has_first {
                *datagram = Datagram::default(); // a copy, or a new one with a number used before
            }
            (datagram.has_first, datagram.ports) = (true, view.ports());
        }
        Some(id)
    }

    pub(super) fn get(&mut self, id: Option<DatagramId>) -> Option<&mut Datagram> {
        self.known.get_mut(&id?)
    }
}

impl Datagram {
    /// Completes what a fragment alone does not show.
    pub(super) fn complete(&mut self, fragment: &mut Packet<'_>) {
        self.conversation = self.conversation.or(fragment.conversation);
        (fragment.conversation, fragment.ports) = (self.conversation, self.ports);
    }

    /// Whether a rule takes it; `None` if the rule has not decided.
    pub(super) fn decision(&self, rule: RuleId) -> Option<bool> {
        self.decided.iter().find(|(id, _)| *id == rule).map(|(_, taken)| *taken)
    }

    pub(super) fn decide(&mut self, rule: RuleId, taken: bool) {
        self.decided.push((rule, taken));
    }

    /// Whether the first fragment has come. A rule that has not decided about it then is
    /// younger than the datagram.
    pub(super) fn has_first(&self) -> bool {
        self.has_first
    }
}
