//! The edits that a test can make. Each checks its input.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use litemap::LiteMap;

use super::addresses::RequestedAddrs;
use super::hostnames::Hostnames;
use super::requests::{Join, NewLan, NewNode};
use super::router::wan_of;
use super::{
    DefaultVia, ForeignNames, InterfaceRole, InterfaceSpec, LinkEndId, NodeId, NodeSpec, SegmentId,
    SegmentKind, SegmentSpec, Spec,
};
use crate::addr::{Family, MacAddr, Subnet};
use crate::error::Result;
use crate::topology::errors;
use crate::topology::names::{
    NodeName, OWN_NODE, check_alias, check_interface_name, check_lan_name,
};
use crate::topology::shared_map::SharedMap;

/// Ethernet's, and veth's own default.
const MTU: u32 = 1500;

impl Spec {
    /// The test's own node alone, on no network.
    pub(crate) fn new() -> Result<Self> {
        let mut spec = Self::nothing();
        spec.insert_node(NodeName::new(OWN_NODE)?, vec![], DefaultVia::Auto)?;
        Ok(spec)
    }

    /// No node at all.
    pub(in crate::topology) fn nothing() -> Self {
        Self {
            nodes: SharedMap::default(),
            segments: SharedMap::default(),
            hostnames: Hostnames::default(),
            routers: BTreeSet::new(),
            routed: BTreeSet::new(),
            gives_macs: false,
            bridges_only: false,
            ipv6: true,
            offloads: true,
            root: true,
            netns: None,
            outside: Vec::new(),
            name_servers: Vec::new(),
            removed: LiteMap::new(),
            foreign: ForeignNames::new(),
            next_node: NodeId::TEST.0,
            next_segment: 1,
            next_end: 1,
            next_subnet: Self::FIRST_SUBNET,
        }
    }

    pub(crate) fn add_lan(&mut self, new: &NewLan<'_>) -> Result<SegmentId> {
        check_lan_name(new.name)?;
        self.add_segment(SegmentKind::Lan, new)
    }

    /// A direct link between two nodes.
    pub(crate) fn connect(&mut self, a: NodeId, b: NodeId, new: &NewLan<'_>) -> Result<SegmentId> {
        let (one, other) = (self.node(a)?, self.node(b)?);
        if a == b {
            return Err(errors::connected_to_itself(&one.title()));
        }
        // A router serves the node at the other end. Two routers get no default route from
        // each other.
        let sides = match (one.router.is_some(), other.router.is_some()) {
            (true, false) => (InterfaceRole::Lan, InterfaceRole::Host),
            (false, true) => (InterfaceRole::Host, InterfaceRole::Lan),
            (true, true) => (InterfaceRole::Lan, InterfaceRole::Lan),
            (false, false) => (InterfaceRole::Host, InterfaceRole::Host),
        };
        let plain = format!("{}-{}", one.name, other.name);
        let mut name = plain.clone();
        let mut nth = 1;
        while self.segments.values().any(|s| s.name == name) {
            nth += 1;
            name = format!("{plain}-{nth}");
        }
        let link = self.add_segment(SegmentKind::Link, &NewLan { name: &name, ..new.clone() })?;
        self.plug(a, &Join::of(link), sides.0)?;
        self.plug(b, &Join::of(link), sides.1)?;
        Ok(link)
    }

    pub(super) fn add_segment(&mut self, kind: SegmentKind, new: &NewLan<'_>) -> Result<SegmentId> {
        self.check_ours()?;
        if self.segments.values().any(|s| s.name == new.name) {
            return Err(errors::lan_name_taken(new.name));
        }
        let (v4, v6) = self.choose_subnets(new)?;
        let mtu = new.mtu.unwrap_or(MTU);
        errors::check_mtu(new.name, mtu, v6.is_some())?;
        let Some(next) = self.next_segment.checked_add(1) else {
            return Err(errors::too_many("LANs and links", self.segments.len()));
        };
        let id = SegmentId(self.next_segment);
        self.next_segment = next;
        let bridge = self.new_end();
        self.segments.insert(
            id,
            Arc::new(SegmentSpec {
                name: new.name.to_owned(),
                kind,
                v4,
                v6,
                mtu,
                may_overlap: new.may_overlap,
                bridge,
                leases: SharedMap::default(),
                known: SharedMap::default(),
                next_host: 1,
            }),
        );
        Ok(id)
    }

    pub(crate) fn add_node(&mut self, new: &NewNode<'_>) -> Result<NodeId> {
        let id = self.insert_node(NodeName::new(new.name)?, new.aliases.clone(), new.default)?;
        for join in &new.joins {
            self.plug(id, join, InterfaceRole::Host)?;
        }
        if new.without_offloads {
            self.set_offloads(id, false)?;
        }
        for (destination, gateway) in &new.routes {
            self.add_route(id, *destination, *gateway)?;
        }
        Ok(id)
    }

    pub(super) fn insert_node(
        &mut self,
        name: NodeName,
        aliases: Vec<String>,
        default: DefaultVia,
    ) -> Result<NodeId> {
        self.check_ours()?;
        if let Some(other) = self.colliding(&name) {
            return Err(errors::node_name_taken(&name, &other.name));
        }
        for alias in &aliases {
            check_alias(alias)?;
            if let Some(other) = self.nodes.values().find(|n| {
                n.aliases.contains(alias) || n.name.hostname() == alias || n.name.as_str() == alias
            }) {
                return Err(errors::alias_taken(alias, &other.title()));
            }
        }
        let Some(next) = self.next_node.checked_add(1) else {
            return Err(errors::too_many("nodes", self.nodes.len()));
        };
        let id = NodeId(self.next_node);
        self.next_node = next;
        self.hostnames.insert(&name, id);
        self.nodes.insert(
            id,
            Arc::new(NodeSpec {
                name,
                aliases,
                interfaces: LiteMap::new(),
                router: None,
                offloads: self.offloads,
                default,
                routes: Vec::new(),
            }),
        );
        Ok(id)
    }

    /// Hot-plugs a node into a LAN.
    pub(crate) fn join(&mut self, id: NodeId, join: &Join<'_>) -> Result<u8> {
        let segment = self.segment(join.segment)?;
        let node = self.node(id)?;
        match self.role_to_join(node, join.segment) {
            Some(role) if node.on(join.segment).is_none() => {
                if let (InterfaceRole::Wan, Some(wan)) = (role, wan_of(node)) {
                    let wan = self.segment(wan.segment)?;
                    return Err(errors::wan_elsewhere(
                        &node.title(),
                        &segment.to_string(),
                        &wan.to_string(),
                    ));
                }
                self.join_router(id, join, role == InterfaceRole::Wan)
            }
            _ => self.plug(id, join, InterfaceRole::Host),
        }
    }

    pub(super) fn plug(&mut self, id: NodeId, join: &Join<'_>, side: InterfaceRole) -> Result<u8> {
        let node = self.node(id)?;
        let segment = self.segment(join.segment)?;
        if node.on(join.segment).is_some() {
            return Err(errors::joined_twice(&node.title(), &segment.to_string()));
        }
        let Some(slot) = (0..=u8::MAX).find(|slot| !node.interfaces.contains_key(slot)) else {
            return Err(errors::too_many("interfaces", node.interfaces.len()));
        };
        let foreign = |name: &str| self.foreign.get(&id).is_some_and(|names| names.contains(name));
        let name = match join.interface {
            Some(name) => {
                check_interface_name(name)?;
                name.to_owned()
            }
            None => {
                let mut names = (u32::from(slot)..).map(|nth| format!("eth{nth}"));
                names.find(|name| !foreign(name)).unwrap_or_default()
            }
        };
        if foreign(&name) || node.interfaces.values().any(|i| i.name == name) {
            return Err(errors::interface_taken(&node.title(), &name));
        }
        let mac = join.mac.unwrap_or(MacAddr::of_interface(id.0, slot));
        if join.mac.is_some() || self.gives_macs {
            self.check_mac(mac, join.segment)?;
        }
        let wanted = RequestedAddrs::new(&node.title(), &join.addrs)?;
        let (v4, v6) = self.lease(id, join.segment, wanted, side)?;
        let end = self.new_end();
        let interface = InterfaceSpec { name, mac, segment: join.segment, end, side, v4, v6 };
        let node = self.node_mut(id)?;
        node.interfaces.insert(slot, interface);
        node.note_role(join.segment, side);
        self.gives_macs |= join.mac.is_some();
        Ok(slot)
    }

    fn check_mac(&self, mac: MacAddr, segment: SegmentId) -> Result<()> {
        if !mac.is_unicast() {
            return Err(errors::mac_not_unicast(mac));
        }
        for node in self.nodes.values() {
            if node.interfaces.values().any(|i| i.segment == segment && i.mac == mac) {
                return Err(errors::mac_taken(
                    mac,
                    &node.title(),
                    &self.segment(segment)?.to_string(),
                ));
            }
        }
        Ok(())
    }

    /// Unplugs a node from a LAN.
    pub(crate) fn leave(&mut self, id: NodeId, segment: SegmentId) -> Result<()> {
        let at = self.segment(segment)?;
        let node = self.node(id)?;
        if at.kind == SegmentKind::Link {
            return Err(errors::one_end_of_a_link(&at.to_string()));
        }
        let Some((slot, _)) = node.on(segment) else {
            return Err(errors::not_on(&node.title(), &at.to_string()));
        };
        self.node_mut(id)?.interfaces.remove(&slot);
        Ok(())
    }

    /// Moves an interface of a node from one LAN to another. Its addresses are then those of
    /// the other LAN.
    pub(crate) fn roam(&mut self, id: NodeId, from: SegmentId, to: &Join<'_>) -> Result<()> {
        let node = self.node(id)?;
        let title = node.title();
        let Some((slot, interface)) = node.on(from) else {
            return Err(errors::not_on(&title, &self.segment(from)?.to_string()));
        };
        if self.segment(from)?.kind == SegmentKind::Link {
            return Err(errors::one_end_of_a_link(&self.segment(from)?.to_string()));
        }
        if self.node(id)?.on(to.segment).is_some() {
            return Err(errors::joined_twice(&title, &self.segment(to.segment)?.to_string()));
        }
        let (mac, side) = (interface.mac, interface.side);
        self.check_mac(mac, to.segment)?;
        let (v4, v6) = self.lease(id, to.segment, RequestedAddrs::new(&title, &to.addrs)?, side)?;
        let node = self.node_mut(id)?;
        if let Some(interface) = node.interfaces.get_mut(&slot) {
            interface.segment = to.segment;
            (interface.v4, interface.v6) = (v4, v6);
        }
        node.note_role(to.segment, side);
        Ok(())
    }

    /// Gives a node other addresses on one of its LANs. An IP version without an address here
    /// keeps its address.
    pub(crate) fn readdress(
        &mut self,
        id: NodeId,
        segment: SegmentId,
        addrs: &[IpAddr],
    ) -> Result<()> {
        let node = self.node(id)?;
        let Some((slot, interface)) = node.on(segment) else {
            return Err(errors::not_on(&node.title(), &self.segment(segment)?.to_string()));
        };
        let side = interface.side;
        let mut wanted = RequestedAddrs::new(&node.title(), addrs)?;
        wanted.or(interface.v4, interface.v6);
        let (v4, v6) = self.lease(id, segment, wanted, side)?;
        if let Some(interface) = self.node_mut(id)?.interfaces.get_mut(&slot) {
            (interface.v4, interface.v6) = (v4, v6);
        }
        Ok(())
    }

    pub(crate) fn set_default(&mut self, id: NodeId, default: DefaultVia) -> Result<()> {
        self.node_mut(id)?.default = default;
        Ok(())
    }

    pub(crate) fn add_route(
        &mut self,
        id: NodeId,
        destination: Subnet,
        gateway: IpAddr,
    ) -> Result<()> {
        let node = self.node_mut(id)?;
        if Family::of(gateway) != destination.family() {
            return Err(errors::route_between_families(&node.title(), destination, gateway));
        }
        if node.routes.iter().any(|(d, _)| *d == destination) {
            return Err(errors::route_twice(&node.title(), destination));
        }
        node.routes.push((destination, gateway));
        self.routed.insert(id);
        Ok(())
    }

    pub(crate) fn remove_route(&mut self, id: NodeId, destination: Subnet) -> Result<()> {
        let node = self.node_mut(id)?;
        let before = node.routes.len();
        node.routes.retain(|(d, _)| *d != destination);
        if node.routes.len() == before {
            return Err(errors::no_such_route(&node.title(), destination));
        }
        if node.routes.is_empty() {
            self.routed.remove(&id);
        }
        Ok(())
    }

    pub(crate) fn set_mtu(&mut self, id: SegmentId, mtu: u32) -> Result<()> {
        let segment = self.segment(id)?;
        errors::check_mtu(&segment.name, mtu, segment.v6.is_some())?;
        if let Some(segment) = self.segments.get_mut(&id).map(Arc::make_mut) {
            segment.mtu = mtu;
        }
        Ok(())
    }

    pub(crate) fn set_offloads(&mut self, id: NodeId, on: bool) -> Result<()> {
        self.check_ours()?;
        self.node_mut(id)?.offloads = on;
        Ok(())
    }

    fn new_end(&mut self) -> LinkEndId {
        let end = LinkEndId(self.next_end);
        self.next_end += 1;
        end
    }
}
