//! The handle on a link.

use std::fmt;
use std::sync::Arc;

use super::network::{Network, SharedNetwork};
use crate::error::{Error, Result};
use crate::topology::gone;
use crate::topology::spec::{LinkEnd, LinkEndId, NodeId};

/// A node's link to a LAN, or a link between two nodes.
#[derive(Clone)]
pub struct Link {
    net: SharedNetwork,
    /// What it links, for `Debug`, which must not wait for the network.
    name: Arc<str>,
    /// The end at the handle's node.
    end: LinkEnd,
    /// The interfaces of the link, and their link ends in the fabric.
    ends: Vec<(NodeId, u8, LinkEndId)>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.name)
    }
}

impl Link {
    /// On a LAN the link has one end, between two nodes two.
    pub(super) fn of(net: SharedNetwork, node: NodeId, slot: u8) -> Result<Self> {
        let (name, end, ends) = net.look(|spec| {
            let (segment, id) = spec.interface(node, slot).ok_or_else(|| gone("link"))?;
            let end = LinkEnd { node, slot, id };
            let all =
                if spec.is_link(segment) { spec.ends(segment) } else { vec![(node, slot, id)] };
            Ok::<_, Error>((spec.link_title(end)?.into(), end, all))
        })?;
        Ok(Self { net, name, end, ends })
    }

    pub(crate) fn net(&self) -> &SharedNetwork {
        &self.net
    }

    pub(super) fn end(&self) -> LinkEnd {
        self.end
    }

    /// Takes the link down: the interfaces at its ends lose their carrier, and keep
    /// their addresses and routes.
    ///
    /// The link is down until [`up`](Self::up), and for as long as a fault says `down`
    /// ([`flap`](Self::flap), a plan). The end of such a fault does not bring up a link
    /// that the test has taken down.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn down(&self) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.net.lock();
        faults.link_down(self.end, topology.spec(), fabric)
    }

    /// Ends [`down`](Self::down). A link that a fault keeps down comes up when that fault
    /// ends.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn up(&self) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.net.lock();
        faults.link_up(self.end, topology.spec(), fabric)
    }

    /// Sets the MTU of a link between two nodes, in bytes, at both ends. Larger packets are
    /// fragmented, or refused with EMSGSIZE.
    ///
    /// # Errors
    /// `in-use`, for a node's link to a LAN, which has one MTU for all nodes
    /// ([`Lan::set_mtu`](super::Lan::set_mtu)); `config`, for an MTU that IPv4 or IPv6 does
    /// not allow.
    pub fn set_mtu(&self, mtu: u32) -> Result<()> {
        self.net.edit(|spec| spec.set_link_mtu(&self.ends, mtu))
    }

    /// Removes a link between two nodes, with the interfaces at its ends.
    ///
    /// # Errors
    /// `in-use`, for a node's link to a LAN: use [`Node::leave`](super::Node::leave).
    pub fn remove(self) -> Result<()> {
        self.net.edit(|spec| spec.remove_link(&self.ends))
    }
}

/// For the tests of the wire.
#[cfg(test)]
impl Link {
    pub(crate) fn ends(&self) -> impl Iterator<Item = (NodeId, LinkEndId)> + '_ {
        self.ends.iter().map(|(node, _, id)| (*node, *id))
    }
}
