//! The handle on a link.

use std::fmt;

use super::{Net, Node};
use crate::error::Result;
use crate::topology::spec::{NodeId, PortId, SegmentId};

/// A node's link to a network, or a cable between two nodes.
#[derive(Clone)]
pub struct Link {
    net: Net,
    /// Interfaces, and the ports in the fabric that their cables end at.
    ends: Vec<(NodeId, u8, PortId)>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Link {
    /// Of a node on a LAN, its own cable; of a point-to-point link, all of it.
    pub(super) fn of_node(node: &Node, slot: u8) -> Self {
        let net = node.net().clone();
        let ends = net.look(|spec| match spec.interface(node.id(), slot) {
            Some((segment, _)) if spec.is_link(segment) => spec.ends(segment),
            Some((_, port)) => vec![(node.id(), slot, port)],
            None => Vec::new(),
        });
        Self { net, ends }
    }

    pub(super) fn of_segment(net: Net, id: SegmentId) -> Self {
        let ends = net.look(|spec| spec.ends(id));
        Self { net, ends }
    }

    /// Pulls the cable: the interfaces at its ends lose their carrier, and keep
    /// their addresses and routes.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn down(&self) -> Result<()> {
        self.set(false)
    }

    /// Plugs the cable in again.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn up(&self) -> Result<()> {
        self.set(true)
    }

    /// Removes a cable between two nodes, with the interfaces at its ends.
    ///
    /// # Errors
    /// `in-use`, for a node's link to a LAN, which it can [`leave`](super::Node::leave).
    pub fn remove(self) -> Result<()> {
        self.net.edit(|spec| spec.remove_link(&self.ends))
    }

    /// Its ends: nodes, and the ports in the fabric that their cables end at.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (NodeId, PortId)> + '_ {
        self.ends.iter().map(|(node, _, port)| (*node, *port))
    }

    /// The network that it belongs to.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    fn set(&self, up: bool) -> Result<()> {
        self.net.lock().fabric.set_carrier(&self.ends, up)
    }
}
