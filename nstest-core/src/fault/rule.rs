//! Rules: the part of a fault that one link end carries out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::action::Action;
use super::conversation::Conversation;
use super::occurrence::Occurrence;
use super::packets::Packets;
use super::receipt::Receipt;
use crate::addr::MacAddr;
use crate::frame::kind::{ControlKind, PacketKind};
use crate::frame::view::PacketView;
use crate::frame::{Direction, Discovery};

/// Applies an action to the matching packets at one link end. A rule without a direction
/// counts packets of both directions together.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) direction: Option<Direction>,
    pub(crate) packets: Packets,
    pub(crate) occurrence: Occurrence,
    pub(crate) action: RuleAction,
    /// Whether the packet passes, and the action follows it.
    pub(crate) then: bool,
    /// If set, only packets to or from these addresses match.
    pub(crate) remote: Option<RemoteAddrs>,
    /// If set, the schedule of the fault starts with the first packet that it takes, and the
    /// listener is called with this number.
    pub(crate) starts: Option<u64>,
    pub(crate) receipt: Receipt,
}

/// What a rule does to a packet.
#[derive(Debug, Clone)]
pub(crate) enum RuleAction {
    Action(Action),
    /// Lets the packet pass, and calls the listener with this number.
    Notify(u64),
}

/// A packet that rules decide about.
pub(crate) struct Packet<'a> {
    pub(crate) direction: Direction,
    pub(crate) view: &'a PacketView<'a>,
    pub(crate) control: Option<ControlKind>,
    pub(crate) conversation: Option<Conversation>,
    /// Source and destination port. Of a later fragment, those of its datagram.
    pub(crate) ports: Option<(u16, u16)>,
}

/// The addresses of the nodes that a partition separates from this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RemoteAddrs {
    pub(crate) macs: BTreeSet<MacAddr>,
    pub(crate) ips: BTreeSet<IpAddr>,
}

impl RemoteAddrs {
    /// Whether the remote address of a packet is one of them: the source of an incoming
    /// packet, the destination of an outgoing one.
    fn contain(&self, direction: Direction, view: &PacketView<'_>) -> bool {
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
            then: false,
            remote: None,
            starts: None,
            receipt,
        }
    }

    /// One side of a partition: drops all packets in a direction between this node and the
    /// remote addresses, including multicast and neighbour discovery.
    pub(crate) fn partition(direction: Direction, remote: RemoteAddrs, receipt: Receipt) -> Self {
        let mut rule = Self::new(Packets::all(), RuleAction::Action(Action::Drop), receipt);
        rule.direction = Some(direction);
        rule.remote = Some(remote);
        rule
    }

    /// Whether it drops everything. Only such a rule matches control traffic, too.
    fn blocks_everything(&self) -> bool {
        self.packets.is_all()
            && self.occurrence == Occurrence::Every
            && matches!(self.action, RuleAction::Action(Action::Drop))
    }

    /// Whether a fragmented datagram counts as one packet. It does unless each fragment is
    /// dropped with everything else, or the rule selects fragments.
    pub(super) fn counts_datagrams(&self) -> bool {
        !self.blocks_everything() && self.packets.kind != Some(PacketKind::Fragment)
    }

    /// Whether it is about packets in this direction.
    pub(super) fn concerns(&self, direction: Direction) -> bool {
        self.direction.is_none_or(|ours| ours == direction)
    }

    /// Whether a packet matches, apart from its connection and its number.
    pub(super) fn matches(&self, packet: &Packet<'_>) -> bool {
        let Packet { direction, view, control, ports, .. } = *packet;
        self.concerns(direction)
            && (self.blocks_everything() || self.packets.matches(view, ports, control))
            && self.remote.as_ref().is_none_or(|remote| remote.contain(direction, view))
    }

    /// The neighbour discovery that it can affect.
    pub(super) fn discovery(&self) -> Discovery {
        let cuts = matches!(self.action, RuleAction::Action(Action::Cut));
        match &self.remote {
            Some(remote) if !cuts => Discovery::Of(remote.macs.clone()),
            None if !cuts && !self.blocks_everything() && !self.packets.is_control() => {
                Discovery::NONE
            }
            _ => Discovery::All,
        }
    }

    /// Whether it needs single packets, not frames before segmentation.
    pub(super) fn is_per_packet(&self) -> bool {
        let whole = matches!(
            self.action,
            RuleAction::Action(Action::Drop | Action::Delay(_)) | RuleAction::Notify(_)
        );
        let counted = self.occurrence != Occurrence::Every;
        let finer = self.packets.kind.is_some() || self.packets.flags != Default::default();
        !whole || counted || finer
    }
}
