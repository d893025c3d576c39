//! What can go wrong on a link.

use std::time::{Duration, Instant};

use super::faults::Request;
use super::injection::Injection;
use super::link::Link;
use crate::error::Result;
use crate::fault::{Action, Condition, Fault, Packets, Unreachable};
use crate::frame::Direction;
use crate::topology::gone;

/// One direction of a link: [`Link::egress`], [`Link::ingress`].
#[derive(Debug, Clone)]
pub struct LinkDirection {
    link: Link,
    direction: Direction,
}

/// Failure on purpose, in both directions.
///
/// What is said of packets counts in both directions together; [`egress`] and
/// [`ingress`] are one each.
///
/// [`egress`]: Self::egress
/// [`ingress`]: Self::ingress
impl Link {
    /// What goes from the node, whose link this is, into the network; of a cable
    /// that [`connect`](crate::Net::connect) made, from the first of the two nodes.
    #[must_use]
    pub fn egress(&self) -> LinkDirection {
        LinkDirection { link: self.clone(), direction: Direction::Egress }
    }

    /// What comes from the network to the node whose link this is.
    #[must_use]
    pub fn ingress(&self) -> LinkDirection {
        LinkDirection { link: self.clone(), direction: Direction::Ingress }
    }

    /// A fault of this link, to be made more precise and given to
    /// [`Net::inject`](crate::Net::inject).
    ///
    /// ```no_run
    /// # fn test(server: nstest::Node, net: nstest::Net) -> nstest::TestResult {
    /// use nstest::{Action, PacketKind, Packets};
    ///
    /// let third = server.link().fault()?.packets(Packets::tcp().kind(PacketKind::Syn)).nth(3);
    /// let lost = net.inject(third.action(Action::Drop))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `not-found`, if the link has been removed.
    pub fn fault(&self) -> Result<Fault> {
        match self.net().look(|spec| spec.link_name(self.end())) {
            Some(name) => Ok(Fault::on(name.as_str())),
            None => Err(gone("link")),
        }
    }

    /// What the link is like from now on, in place of what it was like before.
    /// [`Condition::new`] is a perfect link.
    ///
    /// # Errors
    /// `fault`, if it is no condition; what the kernel refuses.
    pub fn condition(&self, condition: Condition) -> Result<Injection> {
        self.inject(None, |fault| fault.condition(condition), true)
    }

    /// Lets these packets vanish.
    ///
    /// # Errors
    /// `plan-conflict`, if they do already; what the kernel refuses. So do those
    /// below.
    pub fn drop_packets(&self, packets: Packets) -> Result<Injection> {
        self.act_on(None, packets, Action::Drop)
    }

    /// Lets these packets vanish, and their senders be told by ICMP.
    ///
    /// # Errors
    /// As [`drop_packets`](Self::drop_packets).
    pub fn reject(&self, packets: Packets, why: Unreachable) -> Result<Injection> {
        self.act_on(None, packets, Action::Reject(why))
    }

    /// Resets the TCP connection of each of these packets, at both of its ends.
    ///
    /// # Errors
    /// As [`drop_packets`](Self::drop_packets); `fault`, if they are not TCP.
    pub fn reset(&self, packets: Packets) -> Result<Injection> {
        self.act_on(None, packets, Action::Reset)
    }

    /// Lets packets that are longer than `mtu` octets, from their IP header on, and
    /// must not be fragmented vanish untold: the black hole of path MTU discovery
    /// (RFC 2923 §2.1).
    ///
    /// # Errors
    /// As [`drop_packets`](Self::drop_packets); `fault`, for less than 68.
    pub fn mtu_blackhole(&self, mtu: u32) -> Result<Injection> {
        self.act_on(None, Packets::all(), Action::Mtu { mtu, notify: false })
    }

    /// Pulls the cable, and plugs it in again after this time, by itself.
    ///
    /// # Errors
    /// `plan-conflict`, if it is pulled already; what the kernel refuses.
    pub fn flap(&self, down_for: Duration) -> Result<Injection> {
        self.inject(None, |fault| fault.down().lasting(down_for), false)
    }

    /// Injects a fault of this link. The handle's link end goes along, so that the link
    /// is not looked up by its name.
    fn inject(
        &self,
        direction: Option<Direction>,
        fault: impl FnOnce(Fault) -> Fault,
        replaces: bool,
    ) -> Result<Injection> {
        let (mut fault, handle) = (fault(self.fault()?), Some(self.end()));
        fault.direction = direction;
        self.net().inject(Request { fault, handle, since: Instant::now(), replaces })
    }

    fn act_on(
        &self,
        direction: Option<Direction>,
        packets: Packets,
        action: Action,
    ) -> Result<Injection> {
        self.inject(direction, |fault| fault.packets(packets).action(action), false)
    }
}

/// Failure on purpose, as for a [`Link`].
impl LinkDirection {
    /// A fault of this direction: [`Link::fault`].
    ///
    /// # Errors
    /// As there.
    pub fn fault(&self) -> Result<Fault> {
        Ok(self.link.fault()?.direction(self.direction))
    }

    /// [`Link::condition`], in this direction.
    ///
    /// # Errors
    /// As there.
    pub fn condition(&self, condition: Condition) -> Result<Injection> {
        self.link.inject(Some(self.direction), |fault| fault.condition(condition), true)
    }

    /// [`Link::drop_packets`], in this direction: with [`Packets::all`], the link is
    /// half-open.
    ///
    /// # Errors
    /// As there.
    pub fn drop_packets(&self, packets: Packets) -> Result<Injection> {
        self.link.act_on(Some(self.direction), packets, Action::Drop)
    }

    /// [`Link::reject`], in this direction.
    ///
    /// # Errors
    /// As there.
    pub fn reject(&self, packets: Packets, why: Unreachable) -> Result<Injection> {
        self.link.act_on(Some(self.direction), packets, Action::Reject(why))
    }

    /// [`Link::reset`], by packets of this direction.
    ///
    /// # Errors
    /// As there.
    pub fn reset(&self, packets: Packets) -> Result<Injection> {
        self.link.act_on(Some(self.direction), packets, Action::Reset)
    }

    /// [`Link::mtu_blackhole`], in this direction.
    ///
    /// # Errors
    /// As there.
    pub fn mtu_blackhole(&self, mtu: u32) -> Result<Injection> {
        self.link.act_on(Some(self.direction), Packets::all(), Action::Mtu { mtu, notify: false })
    }
}
