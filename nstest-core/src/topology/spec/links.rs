//! Link ends: by the names that faults use, and what identifies their packets.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{LinkEndId, NodeId, NodeSpec, Spec};
use crate::addr::MacAddr;
use crate::error::Result;
use crate::topology::errors;

/// One end of a link: an interface of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LinkEnd {
    pub(crate) node: NodeId,
    pub(crate) slot: u8,
    pub(crate) id: LinkEndId,
}

/// The addresses that identify the packets of some nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identities {
    pub(crate) macs: BTreeSet<MacAddr>,
    pub(crate) ips: BTreeSet<IpAddr>,
}

impl Spec {
    /// The only link of a node, or the one of the named interface.
    pub(crate) fn find_link(&self, node: &str, interface: Option<&str>) -> Result<LinkEnd> {
        let id = self.find_node(node)?;
        let interfaces = &self.node(id)?.interfaces;
        let mut found =
            interfaces.iter().filter(|(_, i)| interface.is_none_or(|name| i.name == name));
        match (found.next(), found.next()) {
            (Some((slot, i)), None) => Ok(LinkEnd { node: id, slot: *slot, id: i.end }),
            _ => {
                let names = interfaces.values().map(|i| i.name.as_str());
                Err(errors::no_such_link(node, interface, names))
            }
        }
    }

    /// The names by which faults call an interface's link: the node, and the interface if the
    /// node has several.
    pub(crate) fn link_names(&self, end: LinkEnd) -> Option<(&str, Option<&str>)> {
        let node = self.nodes.get(&end.node)?;
        let interface = node.interfaces.get(&end.slot)?;
        Some((node.name(), (node.interfaces.len() > 1).then_some(&*interface.name)))
    }

    /// What a link joins: "server–lan", or "client–server" of a direct link.
    pub(crate) fn link_title(&self, end: LinkEnd) -> Result<String> {
        let name = self.node(end.node)?.name();
        let other = match (self.opposite(end), self.interface(end.node, end.slot)) {
            (Some(other), _) => self.node(other.node)?.name(),
            (None, Some((segment, _))) => &self.segment(segment)?.name,
            (None, None) => return Err(errors::gone("link")),
        };
        Ok(format!("{name}–{other}"))
    }

    /// The link end at which faults of a link take place. A direct link has two names. Its
    /// faults take place at the end of the node that was made last.
    pub(crate) fn principal(&self, end: LinkEnd) -> LinkEnd {
        match self.interface(end.node, end.slot) {
            Some((segment, _)) if self.is_link(segment) => {
                let ends = self.ends(segment).into_iter();
                let ends = ends.map(|(node, slot, id)| LinkEnd { node, slot, id });
                ends.max().unwrap_or(end)
            }
            _ => end,
        }
    }

    /// The other end of a direct link.
    pub(crate) fn opposite(&self, end: LinkEnd) -> Option<LinkEnd> {
        let (segment, _) = self.interface(end.node, end.slot)?;
        let others = self.is_link(segment).then(|| self.ends(segment))?.into_iter();
        let mut others = others.map(|(node, slot, id)| LinkEnd { node, slot, id });
        others.find(|other| *other != end)
    }

    /// Every interface of a node.
    pub(crate) fn links_of(&self, id: NodeId) -> Vec<LinkEnd> {
        let interfaces = self.nodes.get(&id).into_iter().flat_map(|node| &node.interfaces);
        interfaces.map(|(slot, i)| LinkEnd { node: id, slot: *slot, id: i.end }).collect()
    }

    /// The addresses of an interface, with its link-local one.
    pub(crate) fn ips_at(&self, end: LinkEnd) -> BTreeSet<IpAddr> {
        let node = self.nodes.get(&end.node);
        let interface = node.and_then(|node| node.interfaces.get(&end.slot));
        interface.map(|interface| interface.all_ips().collect()).unwrap_or_default()
    }

    /// What identifies the packets from and to these nodes, link-local addresses included.
    pub(crate) fn identities<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Identities {
        let mut all = Identities::default();
        let nodes = names.into_iter().filter_map(|name| self.find_node(name).ok());
        for node in nodes.filter_map(|id| self.nodes.get(&id)) {
            all.add(node);
        }
        all
    }
}

impl Identities {
    fn add(&mut self, node: &NodeSpec) {
        for interface in node.interfaces.values() {
            self.macs.insert(interface.mac);
            self.ips.extend(interface.all_ips());
        }
    }
}
