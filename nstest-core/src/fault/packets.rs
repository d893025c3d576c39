//! Which packets a fault takes.

use std::fmt;
use std::net::IpAddr;

use crate::addr::{Family, MacAddr, Subnet};
use crate::frame::kind::{ControlKind, PacketKind};
use crate::frame::parse::ethertype;
use crate::frame::view::{PacketView, flag, protocol};

/// Which packets a fault takes: those that meet everything that is said here.
///
/// ARP, neighbour and router discovery, MLD and IGMP (*control*) come when the
/// kernel likes, and are not counted: only [`control`](Self::control) and
/// [`arp`](Self::arp) take them, and faults that let nothing at all pass.
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
    pub(crate) layer: Option<Layer>,
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

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Layer {
    Tcp,
    Udp,
    Icmp,
    Arp,
    ControlKind,
}

impl Layer {
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("tcp", Self::Tcp),
        ("udp", Self::Udp),
        ("icmp", Self::Icmp),
        ("arp", Self::Arp),
        ("control", Self::ControlKind),
    ];

    /// Of an IP protocol, if it is one of these.
    pub(crate) const fn of(number: u8) -> Option<Self> {
        match number {
            protocol::TCP => Some(Self::Tcp),
            protocol::UDP => Some(Self::Udp),
            protocol::ICMP | protocol::ICMPV6 => Some(Self::Icmp),
            _ => None,
        }
    }
}

/// Somebody at an end of a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddrMatch {
    /// An IP address, or any of a subnet.
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

/// TCP flags that must be set, and that must not.
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
    /// All but control.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            layer: None,
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

    const fn of(layer: Layer) -> Self {
        let mut packets = Self::all();
        packets.layer = Some(layer);
        packets
    }

    /// TCP segments.
    #[must_use]
    pub const fn tcp() -> Self {
        Self::of(Layer::Tcp)
    }

    /// UDP datagrams. Of a fragmented one, this and ports match the first fragment.
    #[must_use]
    pub const fn udp() -> Self {
        Self::of(Layer::Udp)
    }

    /// ICMP of either version, without what is control.
    #[must_use]
    pub const fn icmp() -> Self {
        Self::of(Layer::Icmp)
    }

    /// ARP messages.
    #[must_use]
    pub const fn arp() -> Self {
        Self::of(Layer::Arp)
    }

    /// ARP, neighbour and router discovery, MLD, IGMP.
    #[must_use]
    pub const fn control() -> Self {
        Self::of(Layer::ControlKind)
    }

    /// Of IPv4 only.
    #[must_use]
    pub const fn ipv4(mut self) -> Self {
        self.family = Some(Family::V4);
        self
    }

    /// Of IPv6 only.
    #[must_use]
    pub const fn ipv6(mut self) -> Self {
        self.family = Some(Family::V6);
        self
    }

    /// From this port or to it.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// From this port.
    #[must_use]
    pub const fn sport(mut self, port: u16) -> Self {
        self.sport = Some(port);
        self
    }

    /// To this port.
    #[must_use]
    pub const fn dport(mut self, port: u16) -> Self {
        self.dport = Some(port);
        self
    }

    /// From this address.
    #[must_use]
    pub fn from(mut self, peer: impl Into<AddrMatch>) -> Self {
        self.from = Some(peer.into());
        self
    }

    /// To this address.
    #[must_use]
    pub fn to(mut self, peer: impl Into<AddrMatch>) -> Self {
        self.to = Some(peer.into());
        self
    }

    /// From this address or to it.
    #[must_use]
    pub fn host(mut self, peer: impl Into<AddrMatch>) -> Self {
        self.host = Some(peer.into());
        self
    }

    /// Of the `nth` connection, from 1, that this end of the link has seen with a
    /// server's port, that of [`pipeline`](Self::port) if it is said. With UDP, which
    /// has no connections, who sends first is the client.
    #[must_use]
    pub const fn connection(mut self, nth: u32) -> Self {
        self.connection = Some(nth);
        self
    }

    /// Of this kind.
    #[must_use]
    pub const fn kind(mut self, kind: PacketKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// TCP segments whose flags are these among others: bits of the header's 14th
    /// octet (RFC 9293 §3.1).
    #[must_use]
    pub const fn flags(mut self, set: u8, unset: u8) -> Self {
        self.flags = Flags { set, unset };
        self
    }

    /// Whether it says nothing: all packets.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// Whether it takes control.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self.layer, Some(Layer::Arp | Layer::ControlKind))
            || self.kind == Some(PacketKind::Control)
    }

    /// Whether a packet meets it, but for its connection.
    pub(crate) fn takes(&self, view: &PacketView<'_>, control: Option<ControlKind>) -> bool {
        if control.is_some() != self.is_control() {
            return false;
        }
        let layer = match self.layer {
            None => true,
            Some(Layer::Arp) => view.ethertype == ethertype::ARP,
            Some(Layer::ControlKind) => control.is_some(),
            layer => view.ip.as_ref().is_some_and(|ip| Layer::of(ip.protocol) == layer),
        };
        let addrs = view.addresses();
        let (src, dst) = (addrs.map(|(src, _)| src), addrs.map(|(_, dst)| dst));
        let family =
            self.family.is_none_or(|family| src.is_some_and(|src| Family::of(src) == family));
        let (sport, dport) = view.ports().unzip();
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
        layer && family && ports && peers && flags && self.kind.is_none_or(|k| k == view.kind())
    }
}
