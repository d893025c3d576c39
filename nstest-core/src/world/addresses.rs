//! The addresses of nodes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::lan::Lan;
use super::node::Node;
use crate::addr::Family;
use crate::error::Result;
use crate::fault::AddrMatch;

/// Its addresses.
impl Node {
    /// Its first address: IPv4 where it has one, or else IPv6.
    ///
    /// # Panics
    /// If it is on no network; see [`try_ip`](Self::try_ip).
    #[must_use]
    #[track_caller]
    pub fn ip(&self) -> IpAddr {
        match self.try_ip() {
            Ok(ip) => ip,
            // Not in a closure, which would hide the caller's line.
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Its first address: IPv4 where it has one, or else IPv6.
    ///
    /// # Errors
    /// `no-address`, if it is on no network.
    pub fn try_ip(&self) -> Result<IpAddr> {
        self.net().look(|spec| spec.address_of(self.id(), None))
    }

    /// Its first IPv4 address.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    #[track_caller]
    pub fn ipv4(&self) -> Ipv4Addr {
        match self.net().look(|spec| spec.address_of(self.id(), Some(Family::V4))) {
            Ok(IpAddr::V4(ip)) => ip,
            Ok(IpAddr::V6(ip)) => unreachable!("asked for IPv4, got {ip}"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Its first IPv6 address, link-local ones not counted.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    #[track_caller]
    pub fn ipv6(&self) -> Ipv6Addr {
        match self.net().look(|spec| spec.address_of(self.id(), Some(Family::V6))) {
            Ok(IpAddr::V6(ip)) => ip,
            Ok(IpAddr::V4(ip)) => unreachable!("asked for IPv6, got {ip}"),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// All of its addresses, in the order of its interfaces, IPv4 first.
    #[must_use]
    pub fn ips(&self) -> Vec<IpAddr> {
        self.net().look(|spec| spec.ips(self.id())).unwrap_or_default()
    }

    /// Its first address ([`ip`](Self::ip)), with this port.
    ///
    /// ```no_run
    /// # fn test(server: nstest::Node) -> nstest::TestResult {
    /// use std::net::TcpStream;
    ///
    /// let stream = TcpStream::connect(server.addr(7000))?;
    /// # drop(stream);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If it is on no network.
    #[must_use]
    #[track_caller]
    pub fn addr(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(), port)
    }

    /// Its addresses on a LAN, IPv4 first.
    ///
    /// # Errors
    /// `not-found`, if it is not on that LAN.
    pub fn ips_on(&self, lan: &Lan) -> Result<Vec<IpAddr>> {
        self.net().look(|spec| spec.ips_on(self.id(), lan.id()))
    }

    /// Its address on a LAN: IPv4 where it has one, or else IPv6.
    ///
    /// ```no_run
    /// # fn test(net: nstest::Net) -> nstest::TestResult {
    /// # let home = net.add_lan("home").build()?;
    /// # let internet = net.add_lan("internet").build()?;
    /// let router = net.add_router("router").lan(&home).wan(&internet).build()?;
    /// assert_eq!(router.ip(), router.ip_on(&home)?);
    /// assert!(internet.subnets()[0].contains(router.ip_on(&internet)?));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `not-found`, if it is not on that LAN.
    pub fn ip_on(&self, lan: &Lan) -> Result<IpAddr> {
        // A LAN without subnets of either kind is refused when it is built.
        self.ips_on(lan).map(|addrs| addrs[0])
    }
}

/// Its first address. Panics if the node is on no network: [`Node::ip`].
impl From<&Node> for IpAddr {
    #[track_caller]
    fn from(node: &Node) -> Self {
        node.ip()
    }
}

/// Its [`ip`](Node::ip), for a packet filter.
///
/// ```no_run
/// # fn test(client: nstest::Node, server: nstest::Node) -> nstest::TestResult {
/// use nstest::Packets;
///
/// server.link().drop_packets(Packets::tcp().from(&client))?;
/// # Ok(())
/// # }
/// ```
impl From<&Node> for AddrMatch {
    /// # Panics
    /// If the node is on no network.
    #[track_caller]
    fn from(node: &Node) -> Self {
        node.ip().into()
    }
}
