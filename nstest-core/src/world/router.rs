//! The handle on a router.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use super::network::Network;
use super::node::Node;
use crate::error::Result;
use crate::topology::changes::{Changes, NodeRef};
use crate::topology::spec::{ForeignNames, PortForward};
use crate::topology::state::NodeState;
use crate::topology::{Firewall, Nat, Nat6, Protocol, Topology, Transition};

/// A node that forwards packets. It may translate their addresses.
///
/// # The WAN
/// NAT, firewall and forwarded ports are about the packets from and to its WAN. A router that
/// [leaves](Node::leave) its WAN has no default route: connections from behind it fail with
/// `ENETUNREACH`.
/// Its settings stay, and are in force again when it [joins](Node::join) that LAN again, or
/// another one that it does not serve, which is then its WAN. Mappings and connections are
/// lost, as with [`flush_nat`](Self::flush_nat). Without a WAN, calls that change or use these
/// settings fail with `nat`; only [`unforward_port`](Self::unforward_port) works.
/// [`roam`](Node::roam) moves the WAN to another LAN in one step.
#[derive(Clone)]
pub struct Router {
    node: Node,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Router({})", self.node.name())
    }
}

impl Deref for Router {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

/// Its first address. Panics if the router is on no network: [`Node::ip`].
impl From<&Router> for IpAddr {
    #[track_caller]
    fn from(router: &Router) -> Self {
        router.ip()
    }
}

impl Router {
    pub(super) fn new(node: Node) -> Self {
        Self { node }
    }

    /// The router as a node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Changes how IPv4 addresses are translated. With `None` they are not.
    ///
    /// Known connections keep their present translation, until
    /// [`flush_nat`](Self::flush_nat). With `None` they are no longer translated, and
    /// break.
    ///
    /// # Errors
    /// `nat`, if the router has no WAN.
    pub fn set_nat(&self, nat: impl Into<Option<Nat>>) -> Result<()> {
        let nat = nat.into();
        self.net().edit(|spec| spec.set_nat(self.id(), nat))
    }

    /// Changes how IPv6 addresses are translated. See [`set_nat`](Self::set_nat) for known
    /// connections.
    ///
    /// # Errors
    /// `nat`, if the router has no WAN, or prefixes of different lengths.
    pub fn set_nat6(&self, nat: Nat6) -> Result<()> {
        self.net().edit(|spec| spec.set_nat6(self.id(), nat))
    }

    /// Changes what may come in from the WAN.
    ///
    /// A router that translates tracks its connections, and they continue. A router that
    /// was [`Open`](Firewall::Open) and translates nothing has tracked none. It tracks each
    /// from its next packet from inside.
    ///
    /// # Errors
    /// `nat`, if the router has no WAN.
    pub fn set_firewall(&self, firewall: Firewall) -> Result<()> {
        self.net().edit(|spec| spec.set_firewall(self.id(), firewall))
    }

    /// Forwards a port of the WAN's address to a node behind the router.
    ///
    /// # Errors
    /// `nat`, if the router has no WAN, or the node is not behind it; `in-use`, if the port is forwarded.
    pub fn forward_port(
        &self,
        protocol: Protocol,
        port: u16,
        to: &Node,
        to_port: u16,
    ) -> Result<()> {
        let forward = PortForward { protocol, port, node: to.id(), node_port: to_port };
        self.net().edit(|spec| spec.forward_port(self.id(), forward))
    }

    /// Removes a forwarded port.
    ///
    /// # Errors
    /// `not-found`, if it is not forwarded.
    pub fn unforward_port(&self, protocol: Protocol, port: u16) -> Result<()> {
        self.net().edit(|spec| spec.unforward_port(self.id(), protocol, port))
    }

    /// Removes every mapping and connection, as a reboot does. A connection that continues
    /// is translated like a new one. TCP and UDP packets that arrive during the call, some
    /// milliseconds, are dropped.
    ///
    /// A mapping may get **the same external port again**. With
    /// [`port_preservation`](Nat::port_preservation), the default, it does: nodes outside
    /// notice nothing, and TCP connections survive. To test what happens when the port
    /// changes, call [`rebind`](Self::rebind).
    ///
    /// # Errors
    /// `nat`, if the router has no WAN; what the kernel refuses.
    pub fn flush_nat(&self) -> Result<()> {
        let Network { topology, fabric, .. } = &mut *self.net().lock();
        topology.spec().check_wan(self.id(), "a NAT without mappings")?;
        let changes = Changes::flush_nat(self.id(), self.state_in(topology)?);
        fabric.carry_out(&changes).map_err(|stopped| stopped.error)
    }

    /// Removes every mapping and connection, and gives every endpoint behind the router a
    /// new external port. This is a NAT rebinding ([RFC 9308], section 3.3), as applications
    /// meet it when a router reboots or a mapping expires.
    ///
    /// The next packet of a socket leaves by a port that none of its mappings had, with UDP and
    /// TCP, for both IP versions, and also with
    /// [`port_preservation`](Nat::port_preservation). Packets to the old ports no longer come
    /// in. TCP connections break: the peer answers the next packet with a reset. Forwarded
    /// ports stay. A port cannot change if the router has no other one ([`Nat::ports`]). TCP
    /// and UDP packets that arrive during the call, some milliseconds, are dropped.
    ///
    /// ```no_run
    /// # fn test(router: nstest::Router, phone: nstest::Node, server: nstest::Node) -> nstest::TestResult {
    /// use std::net::UdpSocket;
    ///
    /// let client = phone.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    /// let listener = server.run(|| UdpSocket::bind("0.0.0.0:443"))?;
    /// client.send_to(b"1", (server.ip(), 443))?;
    /// let (_, before) = listener.recv_from(&mut [0; 9])?;
    /// router.rebind()?;
    /// client.send_to(b"2", (server.ip(), 443))?;
    /// let (_, after) = listener.recv_from(&mut [0; 9])?;
    /// assert_ne!(before.port(), after.port());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `nat`, if the router has no WAN, or does not translate ports; what the kernel refuses.
    ///
    /// [RFC 9308]: https://www.rfc-editor.org/rfc/rfc9308.html
    pub fn rebind(&self) -> Result<()> {
        let Network { topology, fabric, .. } = &mut *self.net().lock();
        let (id, state) = (self.id(), self.state_in(topology)?);
        topology.spec().check_rebinds(id)?;
        // Until the ports are known and removed, no packet makes further mappings.
        let closed = fabric.carry_out(&Changes::close_router(id, state));
        let moved = closed
            .map_err(|stopped| stopped.error)
            .and_then(|()| fabric.translated(&NodeRef::new(id, state)))
            .and_then(|now| topology.edit(&ForeignNames::new(), |spec| spec.rebind(id, &now)))
            .and_then(|(Transition { next, .. }, ())| {
                let changes = Changes::flush_nat(id, self.state_in(&next)?);
                fabric.carry_out(&changes).map_err(|stopped| stopped.error)?;
                Ok(next)
            });
        match moved {
            Ok(next) => {
                *topology = next;
                Ok(())
            }
            Err(error) => {
                fabric.take_back(&Changes::open_router(id, state));
                Err(error)
            }
        }
    }

    fn state_in<'t>(&self, topology: &'t Topology) -> Result<&'t NodeState> {
        let state = topology.state().nodes.get(&self.id());
        state.map(Arc::as_ref).ok_or_else(|| topology.spec().node_gone(self.id()))
    }
}
