//! Edits of routers: nodes that forward packets, with NAT and firewall.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use litemap::LiteMap;

use super::requests::{Join, NewRouter};
use super::{
    DefaultVia, InterfaceRole, NodeId, NodeSpec, PortForward, Rebound, RouterSpec, SegmentId, Spec,
    Translated,
};
use crate::addr::{Family, Subnet};
use crate::error::Result;
use crate::netlink::nftables::L4Proto;
use crate::topology::errors;
use crate::topology::names::NodeName;
use crate::topology::nat::{Firewall, Nat, Nat6, Protocol};

impl Spec {
    pub(crate) fn add_router(&mut self, new: &NewRouter<'_>) -> Result<NodeId> {
        let id = self.insert_node(NodeName::new(new.name)?, vec![], DefaultVia::Auto)?;
        self.node_mut(id)?.router = Some(RouterSpec::default());
        self.routers.insert(id);
        if new.without_offloads {
            self.set_offloads(id, false)?;
        }
        for (join, is_wan) in &new.joins {
            self.join_router(id, join, *is_wan)?;
        }
        // Without a WAN, it can be asked for nothing but the defaults.
        if let Some(nat) = new.nat {
            self.set_nat(id, Some(nat))?;
        }
        if new.nat6 != Nat6::default() {
            self.set_nat6(id, new.nat6)?;
        }
        if new.firewall != Firewall::default() {
            self.set_firewall(id, new.firewall)?;
        }
        Ok(id)
    }

    /// Plugs a router into a LAN that it serves, or into its WAN.
    pub(crate) fn join_router(&mut self, id: NodeId, join: &Join<'_>, is_wan: bool) -> Result<u8> {
        self.router_mut(id)?;
        let router = self.node(id)?;
        if is_wan && wan_of(router).is_some() {
            return Err(errors::two_wans(&router.title()));
        }
        let slot =
            self.plug(id, join, if is_wan { InterfaceRole::Wan } else { InterfaceRole::Lan })?;
        // A prefix translation allows one LAN only. If the router has left that one, the
        // translation waits until it joins again.
        let router = self.node(id)?;
        if let Some(RouterSpec { nat6: Nat6::Prefix(external), .. }) = router.router {
            if !self.lan_subnets(router, Family::V6).is_empty() {
                self.check_prefix(router, external)?;
            }
        }
        Ok(slot)
    }

    /// What a router does on a LAN that it joins: what it did there before. On another LAN, it
    /// takes the place of the WAN that the router has left, as if it roamed there. A router
    /// that lacks no WAN serves the LAN. `None` if the node is no router.
    pub(super) fn role_to_join(&self, node: &NodeSpec, at: SegmentId) -> Option<InterfaceRole> {
        let router = node.router.as_ref()?;
        Some(match router.roles.get(&at) {
            Some(role) => *role,
            None if router.has_wan && wan_of(node).is_none() => InterfaceRole::Wan,
            None => InterfaceRole::Lan,
        })
    }

    /// No router joins this segment again.
    pub(super) fn forget_roles(&mut self, segment: SegmentId) -> Result<()> {
        for id in self.routers.clone() {
            let router = self.node(id)?.router.as_ref();
            if router.is_some_and(|router| router.roles.contains_key(&segment)) {
                self.router_mut(id)?.roles.remove(&segment);
            }
        }
        Ok(())
    }

    /// The router of this name.
    pub(crate) fn find_router(&self, name: &str) -> Result<NodeId> {
        let routers = self.routers();
        let mut named = routers.clone().filter(|(_, node)| node.name.as_str() == name);
        match named.next() {
            Some((id, _)) => Ok(id),
            None => {
                let names = routers.map(|(_, node)| node.name.as_str());
                Err(errors::no_such("router", name, names))
            }
        }
    }

    pub(crate) fn set_nat(&mut self, id: NodeId, nat: Option<Nat>) -> Result<()> {
        match nat {
            Some(_) => self.check_wan_has(id, Family::V4, "NAT")?,
            None => self.check_wan(id, "another NAT")?,
        }
        self.router_mut(id)?.nat = nat;
        Ok(())
    }

    pub(crate) fn set_nat6(&mut self, id: NodeId, nat: Nat6) -> Result<()> {
        match nat {
            Nat6::Routed => self.check_wan(id, "another NAT for IPv6")?,
            Nat6::Nat(_) => self.check_wan_has(id, Family::V6, "NAT for IPv6")?,
            Nat6::Prefix(external) => {
                self.check_wan_has(id, Family::V6, "a prefix translation")?;
                self.check_prefix(self.node(id)?, external)?;
            }
        }
        self.router_mut(id)?.nat6 = nat;
        Ok(())
    }

    fn check_prefix(&self, node: &NodeSpec, external: Subnet) -> Result<()> {
        let internal = self.lan_subnets(node, Family::V6);
        if external.is_ipv4()
            || internal.len() != 1
            || internal[0].prefix_len() != external.prefix_len()
        {
            return Err(errors::bad_prefix(&node.title(), external, &internal));
        }
        match self.segments.values().find(|s| s.subnets().any(|s| s.overlaps(&external))) {
            Some(other) => Err(errors::prefix_in_use(&node.title(), external, &other.to_string())),
            None => Ok(()),
        }
    }

    pub(crate) fn set_firewall(&mut self, id: NodeId, firewall: Firewall) -> Result<()> {
        self.check_wan(id, "a firewall")?;
        self.router_mut(id)?.firewall = firewall;
        Ok(())
    }

    /// # Errors
    /// `nat`, if the router has no WAN, or does not translate ports.
    pub(crate) fn check_rebinds(&self, id: NodeId) -> Result<()> {
        self.check_wan(id, "other external ports")?;
        let node = self.node(id)?;
        let translates =
            |router: &RouterSpec| router.nat.is_some() || matches!(router.nat6, Nat6::Nat(_));
        if node.router.as_ref().is_some_and(translates) {
            return Ok(());
        }
        Err(errors::nothing_to_rebind(&node.title()))
    }

    /// Gives endpoints behind the router external ports that they do not have now.
    pub(crate) fn rebind(&mut self, id: NodeId, now: &[Translated]) -> Result<()> {
        let wan = wan_of(self.node(id)?);
        let own: Vec<IpAddr> =
            Family::BOTH.into_iter().filter_map(|family| wan?.addr(family)).collect();
        let mut ports: LiteMap<(L4Proto, SocketAddr), BTreeSet<u16>> = LiteMap::new();
        for Translated { protocol, internal, external } in now {
            if own.contains(&external.ip()) && !own.contains(&internal.ip()) {
                ports.entry((*protocol, *internal)).or_default().insert(external.port());
            }
        }
        let rebound = ports.into_iter().map(|((protocol, internal), ports)| Rebound {
            protocol,
            internal,
            ports,
        });
        self.router_mut(id)?.rebound = rebound.collect();
        Ok(())
    }

    /// Forwards a port of the router's WAN address to a node behind it.
    pub(crate) fn forward_port(&mut self, id: NodeId, forward: PortForward) -> Result<()> {
        self.check_wan(id, "a port forwarding")?;
        let target = self.node(forward.node)?;
        let router = self.node(id)?;
        if self.behind(router, target, Family::V4).is_none()
            && self.behind(router, target, Family::V6).is_none()
        {
            return Err(errors::not_behind(&router.title(), &target.title()));
        }
        if forward.port == 0 || forward.node_port == 0 {
            return Err(errors::port_zero(&router.title()));
        }
        let title = router.title();
        let forwards = &mut self.router_mut(id)?.forwards;
        if forwards.iter().any(|f| (f.protocol, f.port) == (forward.protocol, forward.port)) {
            return Err(errors::forwarded_twice(&title, forward.protocol, forward.port));
        }
        forwards.push(forward);
        Ok(())
    }

    pub(crate) fn unforward_port(
        &mut self,
        id: NodeId,
        protocol: Protocol,
        port: u16,
    ) -> Result<()> {
        let title = self.node(id)?.title();
        let forwards = &mut self.router_mut(id)?.forwards;
        let before = forwards.len();
        forwards.retain(|f| (f.protocol, f.port) != (protocol, port));
        if forwards.len() == before {
            return Err(errors::not_forwarded(&title, protocol, port));
        }
        Ok(())
    }

    /// The address by which a router reaches a node on one of the LANs that it serves.
    pub(in crate::topology) fn behind(
        &self,
        router: &NodeSpec,
        target: &NodeSpec,
        family: Family,
    ) -> Option<IpAddr> {
        let lans = router.interfaces.values().filter(|i| i.side == InterfaceRole::Lan);
        lans.filter(|i| i.addr(family).is_some()).find_map(|i| target.on(i.segment)?.1.addr(family))
    }

    pub(in crate::topology) fn lan_subnets(
        &self,
        router: &NodeSpec,
        family: Family,
    ) -> Vec<Subnet> {
        let lans = router.interfaces.values().filter(|i| i.side == InterfaceRole::Lan);
        lans.filter_map(|i| self.segments.get(&i.segment)?.subnet(family)).collect()
    }

    /// The prefixes under which IPv6 LANs are known outside.
    pub(in crate::topology) fn external_prefixes(&self) -> impl Iterator<Item = Subnet> + '_ {
        let routers = self.routers().filter_map(|(_, node)| node.router.as_ref());
        routers.filter_map(|r| match r.nat6 {
            Nat6::Prefix(external) => Some(external),
            Nat6::Routed | Nat6::Nat(_) => None,
        })
    }

    /// # Errors
    /// `nat`, if the node is no router, or has no WAN now.
    pub(crate) fn check_wan(&self, id: NodeId, what: &str) -> Result<()> {
        let node = self.node(id)?;
        let Some(router) = &node.router else {
            return Err(errors::no_router(&node.title()));
        };
        match wan_of(node) {
            Some(_) => Ok(()),
            None if router.has_wan => Err(errors::left_its_wan(&node.title(), what)),
            None => Err(errors::needs_wan(&node.title(), what)),
        }
    }

    fn check_wan_has(&self, id: NodeId, family: Family, what: &str) -> Result<()> {
        self.check_wan(id, what)?;
        let node = self.node(id)?;
        match wan_of(node) {
            Some(wan) if wan.addr(family).is_none() => {
                let segment = self.segment(wan.segment)?.to_string();
                Err(errors::wan_without(&node.title(), what, family, &segment))
            }
            _ => Ok(()),
        }
    }

    fn router_mut(&mut self, id: NodeId) -> Result<&mut RouterSpec> {
        let node = self.node_mut(id)?;
        let title = node.title();
        node.router.as_mut().ok_or_else(|| errors::no_router(&title))
    }
}

impl NodeSpec {
    /// Notes what the node does on a segment, if it is a router.
    pub(super) fn note_role(&mut self, segment: SegmentId, role: InterfaceRole) {
        if let Some(router) = &mut self.router {
            router.roles.insert(segment, role);
            router.has_wan |= role == InterfaceRole::Wan;
        }
    }
}

pub(in crate::topology) fn wan_of(node: &NodeSpec) -> Option<&super::InterfaceSpec> {
    node.interfaces.values().find(|i| i.side == InterfaceRole::Wan)
}
