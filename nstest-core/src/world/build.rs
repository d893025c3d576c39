//! Builders for LANs, nodes and routers.
//!
//! A builder collects what the test asks for. `build` creates it, or returns an error and
//! changes nothing.

use std::net::IpAddr;

use super::lan::Lan;
use super::network::SharedNetwork;
use super::node::Node;
use super::router::Router;
use crate::addr::{MacAddr, Subnet};
use crate::error::Result;
use crate::topology::spec::{self, DefaultVia, Join};
use crate::topology::{DefaultRoute, Firewall, Nat, Nat6};

/// Creates a [`Lan`].
#[derive(Debug, Clone)]
#[must_use = "nothing is created before `build`"]
pub struct LanBuilder {
    net: SharedNetwork,
    name: String,
    subnets: Vec<String>,
    without_ipv4: bool,
    without_ipv6: bool,
    mtu: Option<u32>,
    may_overlap: bool,
}

impl LanBuilder {
    pub(super) fn new(net: SharedNetwork, name: &str) -> Self {
        Self {
            net,
            name: name.to_owned(),
            subnets: Vec::new(),
            without_ipv4: false,
            without_ipv6: false,
            mtu: None,
            may_overlap: false,
        }
    }

    /// A subnet, such as "192.168.1.0/24" or "2001:db8::/64", at most one of each IP
    /// version. Without this, nstest chooses one.
    pub fn subnet(mut self, subnet: impl ToString) -> Self {
        self.subnets.push(subnet.to_string());
        self
    }

    /// No IPv4 on it.
    pub fn without_ipv4(mut self) -> Self {
        self.without_ipv4 = true;
        self
    }

    /// No IPv6 on it.
    pub fn without_ipv6(mut self) -> Self {
        self.without_ipv6 = true;
        self
    }

    /// The MTU of every interface on it, in bytes; 1500 unless given.
    pub fn mtu(mut self, mtu: u32) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// Allows subnets of another LAN, as long as no node is on both.
    pub fn may_overlap(mut self) -> Self {
        self.may_overlap = true;
        self
    }

    /// Creates it.
    ///
    /// # Errors
    /// `name-taken`, `subnet`, `subnet-overlap`; what the kernel refuses.
    pub fn build(self) -> Result<Lan> {
        let subnets = self.subnets.iter().map(|text| text.parse::<Subnet>());
        let new = spec::NewLan {
            name: &self.name,
            subnets: subnets.collect::<Result<_>>()?,
            without_ipv4: self.without_ipv4,
            without_ipv6: self.without_ipv6,
            mtu: self.mtu,
            may_overlap: self.may_overlap,
        };
        let id = self.net.edit(|spec| spec.add_lan(&new))?;
        Ok(Lan::new(self.net, id, self.name))
    }
}

/// An interface on a LAN, as asked for.
#[derive(Debug, Clone)]
struct NewInterface {
    lan: Lan,
    addrs: Vec<IpAddr>,
    mac: Option<MacAddr>,
    interface: Option<String>,
}

impl NewInterface {
    fn on(lan: &Lan) -> Self {
        Self { lan: lan.clone(), addrs: Vec::new(), mac: None, interface: None }
    }

    fn join(&self) -> Join<'_> {
        Join {
            segment: self.lan.id(),
            addrs: self.addrs.clone(),
            mac: self.mac,
            interface: self.interface.as_deref(),
        }
    }
}

/// Creates a [`Node`].
#[derive(Debug, Clone)]
#[must_use = "nothing is created before `build`"]
pub struct NodeBuilder {
    net: SharedNetwork,
    name: String,
    aliases: Vec<String>,
    interfaces: Vec<NewInterface>,
    default: DefaultVia,
    without_offloads: bool,
    routes: Vec<(String, IpAddr)>,
}

impl NodeBuilder {
    pub(super) fn new(net: SharedNetwork, name: &str) -> Self {
        Self {
            net,
            name: name.to_owned(),
            aliases: Vec::new(),
            interfaces: Vec::new(),
            default: DefaultVia::default(),
            without_offloads: false,
            routes: Vec::new(),
        }
    }

    /// Adds an interface on this LAN. Calls after this one configure it, up to the next
    /// `join`.
    pub fn join(mut self, lan: &Lan) -> Self {
        self.interfaces.push(NewInterface::on(lan));
        self
    }

    /// Its IP address on the LAN last named; at most one of each IP version.
    ///
    /// # Panics
    /// If no LAN was named.
    #[track_caller]
    pub fn ip(mut self, addr: impl Into<IpAddr>) -> Self {
        self.last("ip").addrs.push(addr.into());
        self
    }

    /// Its MAC address on the LAN last named.
    ///
    /// # Panics
    /// If no LAN was named.
    #[track_caller]
    pub fn mac(mut self, mac: MacAddr) -> Self {
        self.last("mac").mac = Some(mac);
        self
    }

    /// The name of its interface on the LAN last named; `eth0` and on unless given.
    ///
    /// # Panics
    /// If no LAN was named.
    #[track_caller]
    pub fn interface(mut self, name: &str) -> Self {
        self.last("interface").interface = Some(name.to_owned());
        self
    }

    #[track_caller]
    fn last(&mut self, what: &str) -> &mut NewInterface {
        match self.interfaces.last_mut() {
            Some(interface) => interface,
            None => panic!(
                "`{what}` of node {} belongs to an interface on a LAN: call `join` first",
                self.name
            ),
        }
    }

    /// A further name that resolves to it.
    pub fn alias(mut self, alias: &str) -> Self {
        self.aliases.push(alias.to_owned());
        self
    }

    /// A route of its own. The destination is a [`Subnet`] or a text such as
    /// `"203.0.113.0/24"`, the gateway an address or a node.
    #[track_caller]
    pub fn route(mut self, destination: impl ToString, gateway: impl Into<IpAddr>) -> Self {
        self.routes.push((destination.to_string(), gateway.into()));
        self
    }

    /// Its default route leads to this router, and not to that of its first LAN.
    pub fn default_via(mut self, router: &Router) -> Self {
        self.default = DefaultVia::Router(router.id());
        self
    }

    /// Where packets go that no other route matches: by default to the router of its first
    /// LAN that has one.
    pub fn default_route(mut self, route: DefaultRoute) -> Self {
        self.default = route.into();
        self
    }

    /// Its interfaces have no segmentation and checksum offload: see
    /// [`Node::set_offloads`].
    pub fn without_offloads(mut self) -> Self {
        self.without_offloads = true;
        self
    }

    /// Creates it.
    ///
    /// # Errors
    /// `name`, `name-taken`, `address`, `subnet`, `subnet-full`, `route`; what the kernel
    /// refuses.
    pub fn build(self) -> Result<Node> {
        let routes = self.routes.iter().map(|(subnet, gateway)| Ok((subnet.parse()?, *gateway)));
        let new = spec::NewNode {
            name: &self.name,
            aliases: self.aliases,
            joins: self.interfaces.iter().map(NewInterface::join).collect(),
            default: self.default,
            without_offloads: self.without_offloads,
            routes: routes.collect::<Result<_>>()?,
        };
        let id = self.net.edit(|spec| spec.add_node(&new))?;
        Node::of(self.net, id)
    }
}

/// Creates a [`Router`].
#[derive(Debug, Clone)]
#[must_use = "nothing is created before `build`"]
pub struct RouterBuilder {
    net: SharedNetwork,
    name: String,
    interfaces: Vec<(NewInterface, bool)>,
    nat: Option<Nat>,
    nat6: Nat6,
    firewall: Firewall,
    without_offloads: bool,
}

impl RouterBuilder {
    pub(super) fn new(net: SharedNetwork, name: &str) -> Self {
        Self {
            net,
            name: name.to_owned(),
            interfaces: Vec::new(),
            nat: None,
            nat6: Nat6::default(),
            firewall: Firewall::default(),
            without_offloads: false,
        }
    }

    /// Serves this LAN: its nodes get their default route from the router.
    pub fn lan(mut self, lan: &Lan) -> Self {
        self.interfaces.push((NewInterface::on(lan), false));
        self
    }

    /// Gets its default route from this LAN, and translates addresses towards it.
    pub fn wan(mut self, lan: &Lan) -> Self {
        self.interfaces.push((NewInterface::on(lan), true));
        self
    }

    /// Its IP address on the LAN last named; at most one of each IP version.
    ///
    /// # Panics
    /// If no LAN was named.
    #[track_caller]
    pub fn ip(mut self, addr: impl Into<IpAddr>) -> Self {
        match self.interfaces.last_mut() {
            Some((interface, _)) => interface.addrs.push(addr.into()),
            None => {
                panic!("`ip` of router {} belongs to a LAN: call `lan` or `wan` first", self.name)
            }
        }
        self
    }

    /// Translates IPv4 addresses between its LANs and its WAN.
    pub fn nat(mut self, nat: Nat) -> Self {
        self.nat = Some(nat);
        self
    }

    /// What happens to IPv6 addresses; they are routed unless this is given.
    pub fn nat6(mut self, nat: Nat6) -> Self {
        self.nat6 = nat;
        self
    }

    /// What may come in from the WAN.
    pub fn firewall(mut self, firewall: Firewall) -> Self {
        self.firewall = firewall;
        self
    }

    /// Its interfaces have no segmentation and checksum offload: see
    /// [`Node::set_offloads`].
    pub fn without_offloads(mut self) -> Self {
        self.without_offloads = true;
        self
    }

    /// Creates it.
    ///
    /// # Errors
    /// As [`NodeBuilder::build`], and `nat`.
    pub fn build(self) -> Result<Router> {
        let new = spec::NewRouter {
            name: &self.name,
            joins: self
                .interfaces
                .iter()
                .map(|(interface, is_wan)| (interface.join(), *is_wan))
                .collect(),
            nat: self.nat,
            nat6: self.nat6,
            firewall: self.firewall,
            without_offloads: self.without_offloads,
        };
        let id = self.net.edit(|spec| spec.add_router(&new))?;
        Ok(Router::new(Node::of(self.net, id)?))
    }
}
