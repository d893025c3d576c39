//! The handle on a router.

use std::ops::Deref;

use super::node::Node;
use crate::error::Result;
use crate::topology::changes::Changes;
use crate::topology::spec::PortForward;
use crate::topology::{Firewall, Nat, Nat6, Protocol};

/// A node that forwards packets, and perhaps translates their addresses.
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

impl Router {
    pub(super) fn new(node: Node) -> Self {
        Self { node }
    }

    /// The router as a node.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Changes how IPv4 addresses are translated; `None` is not at all.
    ///
    /// From one NAT to another, conversations that the router knows go on as they
    /// began, until [`flush_nat`](Self::flush_nat). With `None` nobody translates
    /// them any more, and they break off.
    ///
    /// # Errors
    /// `nat`, if the router has no WAN.
    pub fn set_nat(&self, nat: impl Into<Option<Nat>>) -> Result<()> {
        let nat = nat.into();
        self.net().edit(|spec| spec.set_nat(self.id(), nat))
    }

    /// Changes what happens to IPv6 addresses; see [`set_nat`](Self::set_nat) for
    /// what becomes of conversations.
    ///
    /// # Errors
    /// `nat`, if the router has no WAN, or prefixes of different lengths.
    pub fn set_nat6(&self, nat: Nat6) -> Result<()> {
        self.net().edit(|spec| spec.set_nat6(self.id(), nat))
    }

    /// Changes what may come in from the WAN.
    ///
    /// A router that translates knows its conversations, and they go on. One that
    /// was [`Open`](Firewall::Open) and translates nothing has watched none: it
    /// learns of each by the next packet from inside.
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

    /// Forwards it no longer.
    ///
    /// # Errors
    /// `not-found`, if it is not forwarded.
    pub fn unforward_port(&self, protocol: Protocol, port: u16) -> Result<()> {
        self.net().edit(|spec| spec.unforward_port(self.id(), protocol, port))
    }

    /// Forgets every mapping and conversation, as a router that was rebooted. A
    /// conversation that goes on is translated like a new one: TCP survives only
    /// where it is given the same port again. TCP and UDP that arrive meanwhile,
    /// for some milliseconds, are dropped.
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
