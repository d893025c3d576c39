//! Edits that remove something, unless something else needs it.

use super::{DefaultVia, LinkEndId, NodeId, SegmentId, SegmentKind, Spec};
use crate::error::Result;
use crate::topology::errors;

impl Spec {
    pub(crate) fn remove_node(&mut self, id: NodeId) -> Result<()> {
        let node = self.node(id)?;
        let title = node.title();
        if id == NodeId::TEST {
            return Err(errors::own_node_removed());
        }
        for interface in node.interfaces.values() {
            let segment = self.segment(interface.segment)?;
            if segment.kind == SegmentKind::Link {
                return Err(errors::node_in_use(
                    &title,
                    &format!("it is one end of the {segment}"),
                    "remove the link first",
                ));
            }
        }
        for other in self.nodes.values() {
            if other.default == DefaultVia::Router(id) {
                return Err(errors::node_in_use(
                    &title,
                    &format!("it is the default route of the {}", other.title()),
                    "give that node another default route first",
                ));
            }
            if other.router.iter().flat_map(|r| &r.forwards).any(|f| f.node == id) {
                return Err(errors::node_in_use(
                    &title,
                    &format!("the {} forwards a port to it", other.title()),
                    "remove the port forwarding first",
                ));
            }
        }
        let name = node.name.clone();
        self.hostnames.remove(&name, id);
        self.removed.insert(id, name.to_string());
        self.nodes.remove(&id);
        self.routers.remove(&id);
        self.routed.remove(&id);
        self.name_servers.retain(|server| *server != id);
        Ok(())
    }

    /// Removes the link that has these ends.
    pub(crate) fn remove_link(&mut self, ends: &[(NodeId, u8, LinkEndId)]) -> Result<()> {
        self.remove_segment(self.own_segment(ends, "remove", "let the node leave the LAN")?)
    }

    /// Sets the MTU of a direct link, at both of its ends.
    pub(crate) fn set_link_mtu(
        &mut self,
        ends: &[(NodeId, u8, LinkEndId)],
        mtu: u32,
    ) -> Result<()> {
        let help = "set that of the LAN: `Lan::set_mtu`";
        self.set_mtu(self.own_segment(ends, "set the MTU of", help)?, mtu)
    }

    /// The segment of a direct link. A LAN is refused.
    fn own_segment(
        &self,
        ends: &[(NodeId, u8, LinkEndId)],
        what: &str,
        help: &'static str,
    ) -> Result<SegmentId> {
        let Some((node, slot, end)) = ends.first() else {
            return Err(errors::gone("link"));
        };
        match self.interface(*node, *slot) {
            Some((segment, now)) if now == *end && self.is_link(segment) => Ok(segment),
            Some((segment, now)) if now == *end => Err(errors::no_link_of_its_own(
                what,
                &self.node(*node)?.title(),
                &self.segment(segment)?.to_string(),
                help,
            )),
            _ => Err(errors::gone("link")),
        }
    }

    /// Removes a LAN without nodes, or a link with both its ends.
    pub(crate) fn remove_segment(&mut self, id: SegmentId) -> Result<()> {
        let segment = self.segment(id)?;
        let on: Vec<NodeId> =
            self.nodes.iter().filter(|(_, n)| n.on(id).is_some()).map(|(id, _)| *id).collect();
        if segment.kind == SegmentKind::Lan && !on.is_empty() {
            let names: Vec<String> = on
                .iter()
                .filter_map(|id| self.nodes.get(id))
                .map(|n| format!("`{}`", n.name))
                .collect();
            return Err(errors::lan_in_use(&segment.to_string(), &names));
        }
        for node in on {
            self.node_mut(node)?.interfaces.retain(|_, i| i.segment != id);
        }
        self.forget_roles(id)?;
        self.segments.remove(&id);
        Ok(())
    }
}
