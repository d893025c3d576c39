//! Packet filters: which packets a fault matches.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::{Family, MacAddr, Subnet};
use crate::frame::kind::{ControlKind, PacketKind};
use crate::frame::parse::ethertype;
use crate::frame::view::{PacketView, flag, protocol};

/// A packet filter. A packet matches if it meets all criteria.
///
/// The kernel sends ARP, neighbour and router discovery, MLD and IGMP (*control traffic*) at
/// times of its own. So only [`control`](Self::control) and [`arp`](Self::arp) match it, and
/// faults that drop everything affect it. Conditions do not.
///
/// A fragmented datagram is one packet: only its first fragment has a transport header, and
/// the others share its fate. It is counted once. Filters for [`PacketKind::Fragment`]
/// instead match each fragment after the first as a packet of its own.
///
/// ```
/// use nstest::{PacketKind, Packets};
///
/// let requests = Packets::tcp().dport(7000).kind(PacketKind::Data);
/// assert_eq!(requests.to_string(), "tcp dport 7000 data");
/// assert_eq!("tcp dport 7000 data".parse::<Packets>()?, requests);
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Packets {
    pub(crate) protocol: Option<PacketProtocol>,
    pub(crate) family: Option<Family>,
    pub(crate) port: Option<u16>,
    pub(crate) sport: Option<u16>,
    pub(crate) dport: Option<u16>,
    pub(crate) from: Option<AddrMatch>,
    pub(crate) to: Option<AddrMatch>,
    pub(crate) host: Option<AddrMatch>,
    pub(crate) connection: Option<u32>,
    pub(crate) kind: Option<PacketKind>,
    pub(crate) flags: Flags,
}

/// The protocol of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum PacketProtocol {
    Tcp,
    Udp,
    Icmp,
    Arp,
    Control,
}

impl PacketProtocol {
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("tcp", Self::Tcp),
        ("udp", Self::Udp),
        ("icmp", Self::Icmp),
        ("arp", Self::Arp),
        ("control", Self::Control),
    ];

    /// By the number of an IP protocol.
    pub(crate) const fn of(number: u8) -> Option<Self> {
        match number {
            protocol::TCP => Some(Self::Tcp),
            protocol::UDP => Some(Self::Udp),
            protocol::ICMP | protocol::ICMPV6 => Some(Self::Icmp),
            _ => None,
        }
    }
}

/// The addresses that the source or the destination of a packet must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddrMatch {
    /// An IP address, or all addresses of a subnet.
    Subnet(Subnet),
    /// An Ethernet address.
    Mac(MacAddr),
}

impl From<IpAddr> for AddrMatch {
    fn from(addr: IpAddr) -> Self {
        let len = if addr.is_ipv4() { 32 } else { 128 };
        Self::Subnet(Subnet::of(addr, len))
    }
}

impl From<Ipv4Addr> for AddrMatch {
    fn from(addr: Ipv4Addr) -> Self {
        IpAddr::from(addr).into()
    }
}

impl From<Ipv6Addr> for AddrMatch {
    fn from(addr: Ipv6Addr) -> Self {
        IpAddr::from(addr).into()
    }
}

impl From<Subnet> for AddrMatch {
    fn from(subnet: Subnet) -> Self {
        Self::Subnet(subnet)
    }
}

impl From<MacAddr> for AddrMatch {
    fn from(mac: MacAddr) -> Self {
        Self::Mac(mac)
    }
}

impl AddrMatch {
    fn is(self, addr: Option<IpAddr>, mac: MacAddr) -> bool {
        match self {
            Self::Subnet(subnet) => addr.is_some_and(|addr| subnet.contains(addr)),
            Self::Mac(ours) => ours == mac,
        }
    }
}

impl fmt::Display for AddrMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "{mac}"),
            Self::Subnet(subnet) => {
                let alone = if subnet.network().is_ipv4() { 32 } else { 128 };
                if subnet.prefix_len() == alone {
                    return write!(f, "{}", subnet.network());
                }
                write!(f, "{subnet}")
            }
        }
    }
}

/// TCP flags that must be set, and flags that must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Flags {
    pub(crate) set: u8,
    pub(crate) unset: u8,
}

impl Flags {
    pub(crate) const WORDS: [(&'static str, u8); 8] = [
        ("fin", flag::FIN),
        ("syn", flag::SYN),
        ("rst", flag::RST),
        ("psh", flag::PSH),
        ("ack", flag::ACK),
        ("urg", flag::URG),
        ("ece", flag::ECE),
        ("cwr", flag::CWR),
    ];
}

impl Packets {
    /// All packets except control traffic.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            protocol: None,
            family: None,
            port: None,
            sport: None,
            dport: None,
            from: None,
            to: None,
            host: None,
            connection: None,
            kind: None,
            flags: Flags { set: 0, unset: 0 },
        }
    }

    const fn of(protocol: PacketProtocol) -> Self {
        let mut packets = Self::all();
        packets.protocol = Some(protocol);
        packets
    }

    /// TCP segments.
    #[must_use]
    pub const fn tcp() -> Self {
        Self::of(PacketProtocol::Tcp)
    }

    /// UDP datagrams.
    #[must_use]
    pub const fn udp() -> Self {
        Self::of(PacketProtocol::Udp)
    }

    /// ICMP and ICMPv6, except control traffic.
    #[must_use]
    pub const fn icmp() -> Self {
        Self::of(PacketProtocol::Icmp)
    }

    /// ARP messages.
    #[must_use]
    pub const fn arp() -> Self {
        Self::of(PacketProtocol::Arp)
    }

    /// Control traffic: ARP, neighbour and router discovery, MLD, IGMP.
    ///
    /// Conditions do not apply to it. A test that needs slow neighbour discovery asks for it:
    ///
    /// ```no_run
    /// # fn test(server: nstest::Node, net: nstest::Net) -> nstest::TestResult {
    /// use std::time::Duration;
    ///
    /// use nstest::{Action, Packets};
    ///
    /// let slow = server.link().fault()?.packets(Packets::control());
    /// net.inject(slow.action(Action::Delay(Duration::from_millis(500))))?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn control() -> Self {
        Self::of(PacketProtocol::Control)
    }

    /// Only IPv4.
    #[must_use]
    pub const fn ipv4(mut self) -> Self {
        self.family = Some(Family::V4);
        self
    }

    /// Only IPv6.
    #[must_use]
    pub const fn ipv6(mut self) -> Self {
        self.family = Some(Family::V6);
        self
    }

    /// With this source or destination port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// With this source port.
    #[must_use]
    pub const fn sport(mut self, port: u16) -> Self {
        self.sport = Some(port);
        self
    }

    /// With this destination port.
    #[must_use]
    pub const fn dport(mut self, port: u16) -> Self {
        self.dport = Some(port);
        self
    }

    /// With this source address: an IP address, a [`Subnet`], a
    /// [`MacAddr`], or that of a node (`&node`: its [`ip`](crate::Node::ip)). It is the address
    /// that the packet has on this link: behind a router that translates addresses, that of the
    /// router.
    #[must_use]
    pub fn from(mut self, peer: impl Into<AddrMatch>) -> Self {
        self.from = Some(peer.into());
        self
    }

    /// With this destination address, as for [`from`](Self::from).
    #[must_use]
    pub fn to(mut self, peer: impl Into<AddrMatch>) -> Self {
        self.to = Some(peer.into());
        self
    }

    /// With this source or destination address.
    #[must_use]
    pub fn host(mut self, peer: impl Into<AddrMatch>) -> Self {
        self.host = Some(peer.into());
        self
    }

    /// Of the `nth` connection that passed this link end, counted from 1 for each port of a
    /// server. [`port`](Self::port) selects the port. A UDP exchange counts as a connection;
    /// its client is the sender of the first datagram.
    ///
    /// They are numbered from the beginning of the link. The link's first fault or condition
    /// finds the TCP connections that are older by the sockets of the nodes. If these do not
    /// show the number, because a connection was closed, or several were made to one port, the
    /// fault is refused (`fault`). The same holds for UDP after the first datagram of a node,
    /// and for the links of a router after the first packet that it has forwarded. Inject such
    /// a fault before the first connection.
    #[must_use]
    pub const fn connection(mut self, nth: u32) -> Self {
        self.connection = Some(nth);
        self
    }

    /// Only this kind of packet.
    #[must_use]
    pub const fn kind(mut self, kind: PacketKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// TCP segments with all flags of `set` and none of `unset`, as bits of the 14th byte of
    /// the header (RFC 9293 §3.1).
    #[must_use]
    pub const fn flags(mut self, set: u8, unset: u8) -> Self {
        self.flags = Flags { set, unset };
        self
    }

    /// Whether it has no criteria.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// Whether it matches control traffic.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self.protocol, Some(PacketProtocol::Arp | PacketProtocol::Control))
            || self.kind == Some(PacketKind::Control)
    }

    /// Whether a packet with these ports matches, apart from its connection.
    pub(crate) fn matches(
        &self,
        view: &PacketView<'_>,
        ports: Option<(u16, u16)>,
        control: Option<ControlKind>,
    ) -> bool {
        if control.is_some() != self.is_control() {
            return false;
        }
        let protocol = match self.protocol {
            None => true,
            Some(PacketProtocol::Arp) => view.ethertype == ethertype::ARP,
            Some(PacketProtocol::Control) => control.is_some(),
            protocol => {
                view.ip.as_ref().is_some_and(|ip| PacketProtocol::of(ip.protocol) == protocol)
            }
        };
        let addrs = view.addresses();
        let (src, dst) = (addrs.map(|(src, _)| src), addrs.map(|(_, dst)| dst));
        let family =
            self.family.is_none_or(|family| src.is_some_and(|src| Family::of(src) == family));
        let (sport, dport) = ports.unzip();
        let is = |ours: Option<u16>, port: Option<u16>| ours.is_none_or(|_| ours == port);
        let ports = is(self.sport, sport)
            && is(self.dport, dport)
            && (is(self.port, sport) || is(self.port, dport));
        let from = |peer: AddrMatch| peer.is(src, view.from);
        let to = |peer: AddrMatch| peer.is(dst, view.to);
        let peers = self.from.is_none_or(from)
            && self.to.is_none_or(to)
            && self.host.is_none_or(|peer| from(peer) || to(peer));
        let flags = self.flags == Flags::default()
            || view
                .tcp()
                .is_some_and(|tcp| tcp.has(self.flags.set) && tcp.flags & self.flags.unset == 0);
        protocol && family && ports && peers && flags && self.kind.is_none_or(|k| k == view.kind())
    }
}
