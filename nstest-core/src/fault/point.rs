//! A place in a test's traffic.

use std::fmt;

use super::action::Action;
use super::model::{Fault, FaultTarget};
use super::occurrence::Occurrence;
use super::packets::{Layer, Packets};
use crate::frame::Direction;
use crate::frame::kind::PacketKind;

/// One packet of a test's traffic, named so that another run finds it again.
///
/// The ephemeral port of a client is another one in each run, and so are sequence
/// numbers; the connection is named by its server's port and its number among
/// those to this port. Control is never counted.
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
    /// From 1, among those of the same kind, direction and conversation.
    pub(crate) nth: u64,
}

/// A flow, by what stays the same from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Conversation {
    /// `None` for what is neither TCP nor UDP nor ICMP.
    pub(crate) layer: Option<Layer>,
    /// Of the server; `None` without ports.
    pub(crate) port: Option<u16>,
    /// From 1, among those of the same protocol and port.
    pub(crate) nth: u32,
}

impl InjectionPoint {
    /// The fault that takes this packet.
    pub fn fault(&self, action: Action) -> Fault {
        let nth = Occurrence::nth(self.nth.max(1));
        let fault = Fault::on(self.link.clone()).packets(self.packets()).occurrence(nth);
        fault.direction(self.direction).action(action)
    }

    /// Whether an action can do anything to this packet: only TCP can be reset, and
    /// not by a packet that does so itself.
    #[must_use]
    pub fn suits(&self, action: &Action) -> bool {
        let packets = self.packets();
        let resets = matches!(action, Action::Reset);
        let is_reset = self.kind == PacketKind::Rst || packets.layer != Some(Layer::Tcp);
        action.nonsense(&packets).is_none() && !(resets && is_reset)
    }

    pub(crate) fn packets(&self) -> Packets {
        let Conversation { layer, port, nth } = self.conversation;
        let kind = Some(self.kind).filter(|kind| *kind != PacketKind::Icmp);
        Packets { layer, port, connection: Some(nth), kind, ..Packets::all() }
    }
}

impl fmt::Display for InjectionPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} nth {}", self.link, self.direction, self.packets(), self.nth)
    }
}
