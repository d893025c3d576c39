//! The handle on a router.

use std::net::IpAddr;
use std::ops::Deref;

use super::node::Node;
use crate::error::Result;
use crate::topology::changes::Changes;
use crate::topology::spec::PortForward;
use crate::topology::{Firewall, Nat, Nat6, Protocol};

/// A node that forwards packets. It may translate their addresses.
#[derive(Debug, Clone)]
pub struct Router {
    node: Node,
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
    /// `nat`, if the node is not behind the router; `in-use`, if the port is forwarded.
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

    /// Forgets every mapping and connection, as a reboot does. A connection that continues
    /// is translated like a new one: TCP survives only if it gets the same port again. TCP
    /// and UDP packets that arrive during the call, some milliseconds, are dropped.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn flush_nat(&self) -> Result<()> {
        let shared = &mut *self.net().lock();
        let Some(state) = shared.topology.state().nodes.get(&self.id()) else {
            return Err(crate::topology::gone("router"));
        };
        let changes = Changes::flush_nat(self.id(), state);
        shared.fabric.carry_out(&changes).map_err(|stopped| stopped.error)
    }
}
