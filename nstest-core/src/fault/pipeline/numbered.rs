//! A rule of a pipeline, with the number of packets that it has matched.

use super::RuleId;
use super::fragment_table::Datagram;
use crate::fault::action::Action;
use crate::fault::rule::{Packet, Rule, RuleAction};
use crate::frame::Direction;
use crate::frame::view::PacketView;

pub(super) struct Numbered {
    pub(super) id: RuleId,
    pub(super) rule: Rule,
    matched: u64,
}

/// How far a rule has come. A rule that moves to another link end takes it along.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleProgress {
    /// The number of packets that it has matched.
    pub(super) matched: u64,
    pub(super) is_cut: bool,
    pub(super) black_holes: Vec<Direction>,
}

/// How a rule takes a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Counted,
    /// A further fragment of a datagram that was counted.
    Further,
}

impl Numbered {
    /// A rule that has matched so many packets at another link end, before it came here.
    pub(super) fn new(id: RuleId, rule: Rule, matched: u64) -> Self {
        Self { id, rule, matched }
    }

    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// Whether the rule takes a packet, which may be a fragment of a datagram.
    pub(super) fn take(
        &mut self,
        packet: &Packet<'_>,
        datagram: Option<&mut Datagram>,
    ) -> Option<Taken> {
        if let RuleAction::Action(Action::Mtu { mtu, .. }) = self.rule.action {
            if fits(packet.view, mtu) {
                return None;
            }
        }
        let Some(datagram) = datagram.filter(|_| self.rule.counts_datagrams()) else {
            return (self.matches(packet) && self.count()).then_some(Taken::Counted);
        };
        let is_later = packet.view.is_later_fragment();
        match datagram.decision(self.id) {
            Some(taken) => return taken.then_some(Taken::Further),
            None if is_later && datagram.has_first() => return None,
            None => {}
        }
        let matches = self.matches(packet);
        let taken = matches && self.count();
        // A later fragment that comes too early does not show what the first will.
        if matches || !is_later {
            datagram.decide(self.id, taken);
        }
        taken.then_some(Taken::Counted)
    }

    fn matches(&self, packet: &Packet<'_>) -> bool {
        let packets = &self.rule.packets;
        let is_connection = packets.connection.is_none_or(|nth| {
            packet.conversation.is_some_and(|conversation| {
                conversation.nth == nth
                    && packets.port.is_none_or(|port| conversation.port == Some(port))
            })
        });
        is_connection && self.rule.matches(packet)
    }

    /// Counts a packet, and returns whether the rule takes this number.
    fn count(&mut self) -> bool {
        self.matched += 1;
        let included = self.rule.occurrence.includes(self.matched);
        if !included {
            self.rule.receipt.note_match();
        }
        included
    }

    /// The number for the listener, if the schedule of the fault starts with this packet, which
    /// is the first that the rule takes.
    pub(super) fn begin(&mut self) -> Option<u64> {
        self.rule.starts.take()
    }
}

/// Whether a packet passes a link of this MTU, whole or in fragments.
fn fits(view: &PacketView<'_>, mtu: u32) -> bool {
    view.ip.as_ref().is_none_or(|ip| ip.total_len <= mtu as usize || !ip.dont_fragment)
}
