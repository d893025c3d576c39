//! Finding what a spec holds.

use std::net::IpAddr;
use std::sync::Arc;

use litemap::LiteMap;

use super::{
    InterfaceSpec, LinkEndId, NodeId, NodeSpec, SegmentId, SegmentKind, SegmentSpec, Spec,
};
use crate::addr::Family;
use crate::error::{Error, Result};
use crate::topology::errors;

impl Spec {
    pub(crate) fn node(&self, id: NodeId) -> Result<&NodeSpec> {
        match self.nodes.get(&id) {
            Some(node) => Ok(node),
            None => Err(self.node_gone(id)),
        }
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> Result<&mut NodeSpec> {
        let Self { nodes, removed, .. } = self;
        nodes.get_mut(&id).map(Arc::make_mut).ok_or_else(|| not_there(removed, id))
    }

    /// The error for a node that is not there any more.
    pub(crate) fn node_gone(&self, id: NodeId) -> Error {
        not_there(&self.removed, id)
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
            None => {
                Err(errors::no_such("node", name, self.nodes.values().map(|n| n.name.as_str())))
            }
        }
    }

    pub(crate) fn find_segment(&self, name: &str) -> Result<SegmentId> {
        match self.segments.iter().find(|(_, s)| s.name == name) {
            Some((id, _)) => Ok(*id),
            None => {
                Err(errors::no_such("LAN", name, self.segments.values().map(|s| s.name.as_str())))
            }
        }
    }

    /// The addresses of a node, in the order of its interfaces, IPv4 first.
    pub(crate) fn ips(&self, id: NodeId) -> Result<Vec<IpAddr>> {
        let node = self.node(id)?;
        Ok(node.interfaces.values().flat_map(InterfaceSpec::ips).collect())
    }

    /// The addresses of a node on a segment, IPv4 first.
    pub(crate) fn ips_on(&self, id: NodeId, segment: SegmentId) -> Result<Vec<IpAddr>> {
        let slot = self.slot_on(id, segment)?;
        let interface = self.node(id)?.interfaces.get(&slot);
        Ok(interface.into_iter().flat_map(InterfaceSpec::ips).collect())
    }

    /// The node that has this address, by name.
    pub(crate) fn owner_of(&self, ip: IpAddr) -> Option<String> {
        let owns = |node: &NodeSpec| {
            node.interfaces.values().any(|interface| {
                interface.v4.is_some_and(|own| ip == own)
                    || interface.v6.is_some_and(|own| ip == own)
            })
        };
        self.nodes.values().find(|node| owns(node)).map(|node| node.name.to_string())
    }

    /// The address that `node.ip()` is: its first one, of either family or of this one.
    pub(crate) fn address_of(&self, id: NodeId, family: Option<Family>) -> Result<IpAddr> {
        let wanted = |addr: &IpAddr| family.is_none_or(|family| Family::of(*addr) == family);
        match self.ips(id)?.into_iter().find(wanted) {
            Some(addr) => Ok(addr),
            None => {
                let node = self.node(id)?;
                Err(errors::no_address(&node.title(), node.interfaces.is_empty(), family))
            }
        }
    }

    /// Whether the test joined a namespace that is not ours to configure.
    pub(crate) fn joins_namespace(&self) -> bool {
        self.netns.is_some()
    }

    /// # Errors
    /// `config`, if the test joined a namespace that is not ours to configure.
    pub(crate) fn check_ours(&self) -> Result<()> {
        self.netns.as_ref().map_or(Ok(()), |netns| Err(errors::joined_namespace(netns)))
    }

    /// Every node, in the order of creation.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &NodeSpec)> {
        self.nodes.iter().map(|(id, node)| (*id, &**node))
    }

    /// Every router, in the order of creation.
    pub(in crate::topology) fn routers(&self) -> impl Iterator<Item = (NodeId, &NodeSpec)> + Clone {
        self.routers.iter().filter_map(|id| Some((*id, &**self.nodes.get(id)?)))
    }

    /// Whether it is a direct link between two nodes.
    pub(crate) fn is_link(&self, segment: SegmentId) -> bool {
        self.segments.get(&segment).is_some_and(|segment| segment.kind == SegmentKind::Link)
    }

    /// The nodes that are on a segment.
    pub(crate) fn on_segment(&self, segment: SegmentId) -> Vec<NodeId> {
        self.nodes().filter(|(_, node)| node.on(segment).is_some()).map(|(id, _)| id).collect()
    }

    /// The interfaces of a node.
    pub(crate) fn slots(&self, node: NodeId) -> Result<Vec<u8>> {
        Ok(self.node(node)?.interfaces.keys().copied().collect())
    }

    /// The interface of a node on a segment.
    pub(crate) fn slot_on(&self, node: NodeId, segment: SegmentId) -> Result<u8> {
        let (node, title) = (self.node(node)?, self.segment(segment)?.to_string());
        match node.on(segment) {
            Some((slot, _)) => Ok(slot),
            None => Err(errors::not_on(&node.title(), &title)),
        }
    }

    /// The segment of an interface, and its link end.
    pub(crate) fn interface(&self, node: NodeId, slot: u8) -> Option<(SegmentId, LinkEndId)> {
        let interface = self.nodes.get(&node)?.interfaces.get(&slot)?;
        Some((interface.segment, interface.end))
    }

    /// The interfaces on a segment, and their link ends.
    pub(crate) fn ends(&self, segment: SegmentId) -> Vec<(NodeId, u8, LinkEndId)> {
        let all = self
            .nodes()
            .flat_map(|(id, node)| node.interfaces.iter().map(move |(slot, i)| (id, *slot, i)));
        all.filter(|(.., i)| i.segment == segment).map(|(id, slot, i)| (id, slot, i.end)).collect()
    }
}

fn not_there(removed: &LiteMap<NodeId, String>, id: NodeId) -> Error {
    removed.get(&id).map_or_else(|| errors::gone("node"), |name| errors::node_gone(name))
}
