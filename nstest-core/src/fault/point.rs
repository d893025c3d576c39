//! Injection points: single packets of a test's traffic.

use std::fmt;

use super::action::Action;
use super::conversation::Conversation;
use super::model::{Fault, FaultTarget};
use super::occurrence::Occurrence;
use super::packets::{PacketProtocol, Packets};
use crate::frame::Direction;
use crate::frame::kind::PacketKind;

/// One packet of a test's traffic, with a name that is valid in other runs, too.
///
/// The ephemeral port of a client and the sequence numbers differ in each run. So a
/// connection is identified by the port of its server and its number among the connections
/// to this port. Control traffic is not counted.
///
/// ```
/// use nstest::{Action, InjectionPoint};
///
/// let point: InjectionPoint = "server egress tcp port 7000 #1 data nth 3".parse()?;
/// assert_eq!(point.to_string(), "server egress tcp port 7000 #1 data nth 3");
/// assert_eq!(
///     point.fault(Action::Reset).to_string(),
///     "server egress tcp port 7000 #1 data nth 3: reset"
/// );
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InjectionPoint {
    pub(crate) link: FaultTarget,
    pub(crate) direction: Direction,
    pub(crate) conversation: Conversation,
    pub(crate) kind: PacketKind,
    /// Its number among the packets of this kind, direction and conversation, from 1.
    pub(crate) nth: u64,
}

impl InjectionPoint {
    /// A fault that affects only this packet.
    pub fn fault(&self, action: Action) -> Fault {
        let nth = Occurrence::nth(self.nth.max(1));
        let fault = Fault::on(self.link.clone()).packets(self.packets()).occurrence(nth);
        fault.direction(self.direction).action(action)
    }

    /// Whether an action has an effect on this packet. Only TCP can be reset, and a RST
    /// itself cannot.
    #[must_use]
    pub fn suits(&self, action: &Action) -> bool {
        let packets = self.packets();
        let resets = matches!(action, Action::Reset);
        let is_reset =
            self.kind == PacketKind::Rst || packets.protocol != Some(PacketProtocol::Tcp);
        action.problem(&packets).is_none() && !(resets && is_reset)
    }

    pub(crate) fn packets(&self) -> Packets {
        let Conversation { protocol, port, nth } = self.conversation;
        let kind = Some(self.kind).filter(|kind| *kind != PacketKind::Icmp);
        Packets { protocol, port, connection: Some(nth), kind, ..Packets::all() }
    }
}

impl fmt::Display for InjectionPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} nth {}", self.link, self.direction, self.packets(), self.nth)
    }
}
