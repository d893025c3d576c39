//! The handle on a link.

use std::fmt;

use super::{Net, Node};
use crate::error::Result;
use crate::topology::spec::{NodeId, PortId, SegmentId};

/// A node's link to a network, or a cable between two nodes.
#[derive(Clone)]
pub struct Link {
    net: Net,
    ends: Vec<End>,
}

/// One interface, and the port in the fabric that its cable ends at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) node: NodeId,
    pub(crate) slot: u8,
    pub(crate) port: PortId,
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
        let (segment, own) = net.look(|spec| (spec.segment_at(node.id(), slot), spec.end(node.id(), slot)));
        if let Some(segment) = segment.filter(|segment| net.is_link(*segment)) {
            if let Ok(link) = Self::of_segment(net.clone(), segment) {
                return link;
            }
        }
        Self { net, ends: own.into_iter().collect() }
    }

    pub(super) fn of_segment(net: Net, id: SegmentId) -> Result<Self> {
        let ends = net.look(|spec| spec.segment(id).map(|_| spec.ends(id)))?;
        Ok(Self { net, ends })
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

    fn set(&self, up: bool) -> Result<()> {
        self.net.lock().fabric.set_carrier(&self.ends, up)
    }
}
