//! A fault as one port sees it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::action::Action;
use super::occurrence::Occurrence;
use super::packets::Packets;
use super::receipt::Receipt;
use crate::addr::MacAddr;
use crate::frame::Direction;
use crate::frame::kind::ControlKind;
use crate::frame::view::PacketView;

/// Which packets one port treats how. It counts what matches, in both directions
/// together where it has none.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) direction: Option<Direction>,
    pub(crate) packets: Packets,
    pub(crate) occurrence: Occurrence,
    pub(crate) action: RuleAction,
    /// What it takes passes, and the action comes after it.
    pub(crate) passes: bool,
    /// Only what goes to or comes from these.
    pub(crate) others: Option<Others>,
    pub(crate) receipt: Receipt,
}

/// What becomes of a packet that a rule takes.
#[derive(Debug, Clone)]
pub(crate) enum RuleAction {
    Action(Action),
    /// It passes, and who listens is told this number.
    Tell(u64),
}

/// Nodes that this port's node cannot talk to: all their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Others {
    pub(crate) macs: BTreeSet<MacAddr>,
    pub(crate) ips: BTreeSet<IpAddr>,
}

impl Others {
    /// Whether the far end of a packet is one of them: where it comes from when it
    /// comes in, where it goes when it goes out.
    fn are_at(&self, direction: Direction, view: &PacketView<'_>) -> bool {
        let (src, dst) = view.addresses().unzip();
        let (mac, ip) = match direction {
            Direction::Ingress => (view.from, src),
            Direction::Egress => (view.to, dst),
        };
        self.macs.contains(&mac) || ip.is_some_and(|ip| self.ips.contains(&ip))
    }
}

impl Rule {
    pub(crate) fn new(packets: Packets, action: RuleAction, receipt: Receipt) -> Self {
        Self {
            direction: None,
            packets,
            occurrence: Occurrence::Every,
            action,
            passes: false,
            others: None,
            receipt,
        }
    }

    /// A side of a partition: nothing passes in a direction between the port's node
    /// and these others, multicast and neighbour discovery included.
    pub(crate) fn apart(direction: Direction, others: Others, receipt: Receipt) -> Self {
        let mut rule = Self::new(Packets::all(), RuleAction::Action(Action::Drop), receipt);
        rule.direction = Some(direction);
        rule.others = Some(others);
        rule
    }

    /// Whether it takes control as well as everything else: it lets nothing pass.
    fn is_wall(&self) -> bool {
        self.packets.is_all()
            && self.occurrence == Occurrence::Every
            && matches!(self.action, RuleAction::Action(Action::Drop))
    }

    /// Whether a packet matches, but for its connection and its number.
    pub(super) fn matches(
        &self,
        direction: Direction,
        view: &PacketView<'_>,
        control: Option<ControlKind>,
    ) -> bool {
        self.direction.is_none_or(|ours| ours == direction)
            && (self.is_wall() || self.packets.takes(view, control))
            && self.others.as_ref().is_none_or(|others| others.are_at(direction, view))
    }

    /// Whether it can only be told of a packet as it is on the cable.
    pub(super) fn is_per_packet(&self) -> bool {
        let whole = matches!(
            self.action,
            RuleAction::Action(Action::Drop | Action::Delay(_)) | RuleAction::Tell(_)
        );
        let counted = self.occurrence != Occurrence::Every;
        let finer = self.packets.kind.is_some() || self.packets.flags != Default::default();
        !whole || counted || finer
    }
}
