//! Fault injection on a link: its condition, and faults of its packets.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::faults::{FaultRequest, target_of};
use super::injection::Injection;
use super::link::Link;
use crate::error::Result;
use crate::fault::{Action, Condition, Fault, Packets, Unreachable};
use crate::frame::Direction;

/// One direction of a link: [`Link::egress`], [`Link::ingress`].
#[derive(Debug, Clone)]
pub struct LinkDirection {
    link: Link,
    direction: Direction,
}

/// Fault injection, in both directions.
///
/// An occurrence such as the third packet counts the packets of both directions together.
/// [`egress`] and [`ingress`] are one direction each.
///
/// [`egress`]: Self::egress
/// [`ingress`]: Self::ingress
impl Link {
    /// The direction from the handle's node into the network. For a link that
    /// [`connect`](crate::Net::connect) made, that is the first of the two nodes.
    #[must_use]
    pub fn egress(&self) -> LinkDirection {
        LinkDirection { link: self.clone(), direction: Direction::Egress }
    }

    /// The direction from the network to the handle's node.
    #[must_use]
    pub fn ingress(&self) -> LinkDirection {
        LinkDirection { link: self.clone(), direction: Direction::Ingress }
    }

    /// A fault of this link, as a base for [`Net::inject`](crate::Net::inject).
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
        Ok(Fault::on(self.net().look(|spec| target_of(spec, self.end()))?))
    }

    /// Sets the condition of the link, in place of its present one. [`Condition::new`] is
    /// a perfect link.
    ///
    /// # Errors
    /// `fault`, if the values of the condition contradict each other; what the kernel
    /// refuses.
    #[track_caller]
    pub fn condition(&self, condition: Condition) -> Result<Injection> {
        self.inject(None, |fault| fault.condition(condition), true)
    }

    /// Drops these packets.
    ///
    /// # Errors
    /// `plan-conflict`, if a fault drops them already; what the kernel refuses.
    #[track_caller]
    pub fn drop_packets(&self, packets: Packets) -> Result<Injection> {
        self.act_on(None, packets, Action::Drop)
    }

    /// Drops these packets, and sends their senders an ICMP error.
    ///
    /// # Errors
    /// As [`drop_packets`](Self::drop_packets).
    #[track_caller]
    pub fn reject(&self, packets: Packets, why: Unreachable) -> Result<Injection> {
        self.act_on(None, packets, Action::Reject(why))
    }

    /// Resets the TCP connection of each of these packets, at both of its ends.
    ///
    /// # Errors
    /// As [`drop_packets`](Self::drop_packets); `fault`, if they are not TCP.
    #[track_caller]
    pub fn reset(&self, packets: Packets) -> Result<Injection> {
        self.act_on(None, packets, Action::Reset)
    }

    /// Drops packets that are longer than `mtu` bytes, from their IP header on, and must
    /// not be fragmented. The sender gets no ICMP error: the black hole of path MTU
    /// discovery (RFC 2923 §2.1).
    ///
    /// # Errors
    /// As [`drop_packets`](Self::drop_packets); `fault`, for less than 68.
    #[track_caller]
    pub fn mtu_blackhole(&self, mtu: u32) -> Result<Injection> {
        self.act_on(None, Packets::all(), Action::Mtu { mtu, notify: false })
    }

    /// Takes the link down, and up again after this time.
    ///
    /// # Errors
    /// `plan-conflict`, if a fault has taken it down already; what the kernel refuses.
    #[track_caller]
    pub fn flap(&self, down_for: Duration) -> Result<Injection> {
        self.inject(None, |fault| fault.down().lasting(down_for), false)
    }

    /// Injects a fault of this link. The handle's link end goes along, so that the link
    /// is not looked up by its name.
    #[track_caller]
    fn inject(
        &self,
        direction: Option<Direction>,
        fault: impl FnOnce(Fault) -> Fault,
        replaces: bool,
    ) -> Result<Injection> {
        let (since, location) = (Instant::now(), Location::caller());
        self.net().inject(|spec| {
            let mut fault = fault(Fault::on(target_of(spec, self.end())?));
            fault.direction = direction;
            Ok(FaultRequest { fault, handle: Some(self.end()), since, replaces, location })
        })
    }

    #[track_caller]
    fn act_on(
        &self,
        direction: Option<Direction>,
        packets: Packets,
        action: Action,
    ) -> Result<Injection> {
        self.inject(direction, |fault| fault.packets(packets).action(action), false)
    }
}

/// Fault injection in one direction of a [`Link`].
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
    #[track_caller]
    pub fn condition(&self, condition: Condition) -> Result<Injection> {
        self.link.inject(Some(self.direction), |fault| fault.condition(condition), true)
    }

    /// [`Link::drop_packets`], in this direction. With [`Packets::all`], only the other
    /// direction works.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn drop_packets(&self, packets: Packets) -> Result<Injection> {
        self.link.act_on(Some(self.direction), packets, Action::Drop)
    }

    /// [`Link::reject`], in this direction.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn reject(&self, packets: Packets, why: Unreachable) -> Result<Injection> {
        self.link.act_on(Some(self.direction), packets, Action::Reject(why))
    }

    /// [`Link::reset`], by packets of this direction.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn reset(&self, packets: Packets) -> Result<Injection> {
        self.link.act_on(Some(self.direction), packets, Action::Reset)
    }

    /// [`Link::mtu_blackhole`], in this direction.
    ///
    /// # Errors
    /// As there.
    #[track_caller]
    pub fn mtu_blackhole(&self, mtu: u32) -> Result<Injection> {
        self.link.act_on(Some(self.direction), Packets::all(), Action::Mtu { mtu, notify: false })
    }
}
