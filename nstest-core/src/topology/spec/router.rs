//! Edits of routers: nodes that forward packets, with NAT and firewall.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::requests::{Join, NewRouter};
use super::{
    DefaultVia, InterfaceRole, NodeId, NodeSpec, PortForward, Rebound, RouterSpec, Spec, Translated,
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
        self.set_nat(id, new.nat)?;
        self.set_nat6(id, new.nat6)?;
        self.set_firewall(id, new.firewall)?;
        Ok(id)
    }

    /// Plugs a router into a LAN that it serves, or into its WAN.
    pub(crate) fn join_router(&mut self, id: NodeId, join: &Join<'_>, is_wan: bool) -> Result<u8> {
        let nat6 = self.router_mut(id)?.nat6;
        let router = self.node(id)?;
        if is_wan && wan_of(router).is_some() {
            return Err(errors::two_wans(&router.title()));
        }
        let slot =
            self.plug(id, join, if is_wan { InterfaceRole::Wan } else { InterfaceRole::Lan })?;
        // A prefix translation allows one LAN only.
        self.set_nat6(id, nat6)?;
        Ok(slot)
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
        if nat.is_some() {
            self.check_wan(id, Family::V4, "NAT")?;
        }
        self.router_mut(id)?.nat = nat;
        Ok(())
    }

    pub(crate) fn set_nat6(&mut self, id: NodeId, nat: Nat6) -> Result<()> {
        match nat {
            Nat6::Routed => {}
            Nat6::Nat(_) => self.check_wan(id, Family::V6, "NAT for IPv6")?,
            Nat6::Prefix(external) => {
                self.check_wan(id, Family::V6, "a prefix translation")?;
                let node = self.node(id)?;
                let internal = self.lan_subnets(node, Family::V6);
                if external.is_ipv4()
                    || internal.len() != 1
                    || internal[0].prefix_len() != external.prefix_len()
                {
                    return Err(errors::bad_prefix(&node.title(), external, &internal));
                }
                let others =
                    self.segments.values().find(|s| s.subnets().any(|s| s.overlaps(&external)));
                if let Some(other) = others {
                    return Err(errors::prefix_in_use(&node.title(), external, &other.to_string()));
                }
            }
        }
        self.router_mut(id)?.nat6 = nat;
        Ok(())
    }

    pub(crate) fn set_firewall(&mut self, id: NodeId, firewall: Firewall) -> Result<()> {
        if firewall != Firewall::Open && wan_of(self.node(id)?).is_none() {
            return Err(errors::needs_wan(&self.node(id)?.title(), "a firewall"));
        }
        self.router_mut(id)?.firewall = firewall;
        Ok(())
    }

    /// # Errors
    /// `nat`, if a router does not translate ports.
    pub(crate) fn check_rebinds(&self, id: NodeId) -> Result<()> {
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
        let mut ports: BTreeMap<(L4Proto, SocketAddr), BTreeSet<u16>> = BTreeMap::new();
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
        let target = self.node(forward.node)?;
        let router = self.node(id)?;
        if wan_of(router).is_none() {
            return Err(errors::needs_wan(&router.title(), "a port forwarding"));
        }
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

    fn check_wan(&self, id: NodeId, family: Family, what: &str) -> Result<()> {
        let node = self.node(id)?;
        match wan_of(node) {
            None => Err(errors::needs_wan(&node.title(), what)),
            Some(wan) if wan.addr(family).is_none() => {
                let segment = self.segment(wan.segment)?.to_string();
                Err(errors::wan_without(&node.title(), what, family, &segment))
            }
            Some(_) => Ok(()),
        }
    }

    fn router_mut(&mut self, id: NodeId) -> Result<&mut RouterSpec> {
        let node = self.node_mut(id)?;
        let title = node.title();
        node.router.as_mut().ok_or_else(|| errors::no_router(&title))
    }
}

pub(in crate::topology) fn wan_of(node: &NodeSpec) -> Option<&super::InterfaceSpec> {
    node.interfaces.values().find(|i| i.side == InterfaceRole::Wan)
}
