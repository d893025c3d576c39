//! Finding what a spec holds.

use std::net::IpAddr;

use super::{InterfaceSpec, NodeId, NodeSpec, SegmentId, SegmentSpec, Spec};
use crate::error::Result;
use crate::topology::errors;
use crate::topology::subnet::Family;

impl Spec {
    pub(crate) fn node(&self, id: NodeId) -> Result<&NodeSpec> {
        match self.nodes.get(&id) {
            Some(node) => Ok(node),
            None => Err(errors::gone("node")),
        }
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Result<&mut NodeSpec> {
        match self.nodes.get_mut(&id) {
            Some(node) => Ok(node),
            None => Err(errors::gone("node")),
        }
    }

    pub(crate) fn segment(&self, id: SegmentId) -> Result<&SegmentSpec> {
        match self.segments.get(&id) {
            Some(segment) => Ok(segment),
            None => Err(errors::gone("LAN or link")),
        }
    }

    pub(crate) fn find_node(&self, name: &str) -> Result<NodeId> {
        match self.nodes.iter().find(|(_, n)| n.name.as_str() == name) {
            Some((id, _)) => Ok(*id),
            None => Err(errors::no_such(
                "node",
                name,
                self.nodes.values().map(|n| n.name.as_str()),
            )),
        }
    }

    pub(crate) fn find_segment(&self, name: &str) -> Result<SegmentId> {
        match self.segments.iter().find(|(_, s)| s.name == name) {
            Some((id, _)) => Ok(*id),
            None => Err(errors::no_such(
                "LAN",
                name,
                self.segments.values().map(|s| s.name.as_str()),
            )),
        }
    }

    /// The addresses of a node, in the order of its interfaces, IPv4 first.
    pub(crate) fn addrs(&self, id: NodeId) -> Result<Vec<IpAddr>> {
        let node = self.node(id)?;
        Ok(node
            .interfaces
            .values()
            .flat_map(InterfaceSpec::addrs)
            .collect())
    }

    /// The address that `node.ip()` is: its first one, of either family or of this one.
    pub(crate) fn address_of(&self, id: NodeId, family: Option<Family>) -> Result<IpAddr> {
        let wanted = |addr: &IpAddr| family.is_none_or(|family| Family::of(*addr) == family);
        match self.addrs(id)?.into_iter().find(wanted) {
            Some(addr) => Ok(addr),
            None => Err(errors::no_address(self.node(id)?, family)),
        }
    }
}
