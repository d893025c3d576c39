//! How cards and hints name nodes, addresses, faults and packets.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::headers::{DnsAnswer, PacketHeaders};
use super::trace::PacketTrace;
use super::{KnownFault, KnownInterface, KnownNode, Story};
use crate::evidence::packets::LOOPBACK;
use crate::frame::view::{Fragment, TransportHeader, flag};

/// Reads `10.0.2.2:7000`, `[::1]:7000`, and `*:7000` for any address.
pub(crate) fn socket_address(text: &str) -> Option<SocketAddr> {
    let any = text.strip_prefix('*').map(|port| format!("[::]{port}"));
    any.as_deref().unwrap_or(text).parse().ok()
}

impl Story {
    /// Its name, or `#3` if that is not known.
    pub(crate) fn node_name(&self, node: u32) -> String {
        let known = self.nodes.get(&node).filter(|known| !known.name.is_empty());
        known.map_or_else(|| format!("#{node}"), |known| known.name.clone())
    }

    /// The node with this link end.
    pub(crate) fn node_of(&self, link_end: u32) -> Option<u32> {
        let mut nodes = self.nodes.iter();
        Some(*nodes.find(|(_, known)| known.interfaces.contains_key(&link_end))?.0)
    }

    pub(crate) fn interface(&self, link_end: u32) -> Option<&KnownInterface> {
        self.nodes.values().find_map(|node| node.interfaces.get(&link_end))
    }

    /// The name of the node with this link end.
    pub(crate) fn end_name(&self, link_end: u32) -> String {
        let node = self.node_of(link_end);
        node.map_or_else(|| format!("#{link_end}"), |node| self.node_name(node))
    }

    /// Whether the test has a network.
    pub(crate) fn has_network(&self) -> bool {
        let ends = self.nodes.values().flat_map(|node| node.interfaces.keys());
        ends.into_iter().any(|end| *end != LOOPBACK)
    }

    /// The only node that has this address, or had it.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<u32> {
        self.only(address, KnownNode::has).or_else(|| self.only(address, KnownNode::had))
    }

    fn only(&self, address: IpAddr, has: fn(&KnownNode, IpAddr) -> bool) -> Option<u32> {
        let mut owners = self.nodes.iter().filter(|(_, node)| has(node, address));
        let owner = owners.next().map(|(node, _)| *node);
        owner.filter(|_| owners.next().is_none())
    }

    /// The node with this MAC address.
    pub(crate) fn node_with_mac(&self, mac: crate::addr::MacAddr) -> Option<u32> {
        let has = |node: &KnownNode| node.interfaces.values().any(|known| known.mac == Some(mac));
        Some(*self.nodes.iter().find(|(_, node)| has(node))?.0)
    }

    /// `server` for the address of a node, and the address otherwise.
    pub(crate) fn host(&self, address: IpAddr) -> String {
        match self.owner(address) {
            Some(node) => self.node_name(node),
            None => address.to_string(),
        }
    }

    /// `server:7000`, for an IPv6 address `[server]:7000`, or `10.0.9.9:7000` if no node has that
    /// address.
    pub(crate) fn endpoint(&self, address: IpAddr, port: u16) -> String {
        match self.owner(address) {
            Some(node) if address.is_ipv6() => format!("[{}]:{port}", self.node_name(node)),
            Some(node) => format!("{}:{port}", self.node_name(node)),
            None => SocketAddr::new(address, port).to_string(),
        }
    }

    /// `server:7000 (10.0.2.2)`.
    pub(crate) fn full_endpoint(&self, address: IpAddr, port: u16) -> String {
        let endpoint = self.endpoint(address, port);
        if self.owner(address).is_some() { format!("{endpoint} ({address})") } else { endpoint }
    }

    /// The destination of a packet: `server:7000`, `server`.
    pub(crate) fn destination(&self, headers: &PacketHeaders) -> String {
        self.place(headers.destination, headers.ports().map(|(_, port)| port))
    }

    /// The source of a packet. The port of a client says nothing, and is left out.
    pub(crate) fn source(&self, headers: &PacketHeaders) -> String {
        let port = headers.ports().map(|(port, _)| port).filter(|port| *port < EPHEMERAL);
        self.place(headers.source, port)
    }

    fn place(&self, address: Option<IpAddr>, port: Option<u16>) -> String {
        match (address, port) {
            (Some(address), Some(port)) => self.endpoint(address, port),
            (Some(address), None) => self.host(address),
            (None, _) => "all".to_owned(),
        }
    }

    /// The node that sent a packet from an address that is another node's, and that address.
    pub(crate) fn false_sender(&self, trace: &PacketTrace) -> Option<(u32, IpAddr)> {
        let headers = &trace.headers;
        let sender = headers.arp.map(|arp| arp.sender).or(headers.source);
        let address = sender.filter(|address| !address.is_unspecified())?;
        let node = self.node_of(trace.sender()?)?;
        // A router sends packets of others.
        let is_host = self.nodes.get(&node)?.interfaces.len() == 1;
        let is_other = self.owner(address).is_some_and(|owner| owner != node);
        (is_other && (is_host || headers.arp.is_some())).then_some((node, address))
    }

    pub(crate) fn fault(&self, number: u32) -> Option<&KnownFault> {
        self.faults.iter().find(|fault| fault.number == number)
    }

    /// `0.012 s`: since the start of the test.
    pub(crate) fn clock(&self, time: Duration) -> String {
        seconds(time.saturating_sub(self.start))
    }
}

/// The first port that clients get by themselves (`ip_local_port_range`).
pub(crate) const EPHEMERAL: u16 = 32_768;

/// A time as `1.204 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

/// `3 bytes`, `1 byte`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".to_owned(),
        count => format!("{count} bytes"),
    }
}

/// `3 times`, `once`.
pub(crate) fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}

impl KnownNode {
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.interfaces.values().any(|own| own.addresses.iter().any(|(ip, _)| *ip == address))
    }

    fn had(&self, address: IpAddr) -> bool {
        self.interfaces.values().any(|own| own.earlier_addresses.contains(&address))
    }
}

impl PacketHeaders {
    /// What it is: `SYN`, `data (100 bytes)`, `DNS query for db.example`.
    pub(crate) fn what(&self) -> String {
        if let Some(arp) = &self.arp {
            return match arp.request {
                true => format!("ARP request for {}", arp.target),
                false => format!("ARP reply: {} is at {}", arp.sender, self.from),
            };
        }
        match &self.transport {
            TransportHeader::Tcp(tcp) => {
                let has = |bits| tcp.has(bits);
                let data = (tcp.len > 0).then(|| format!("data ({})", bytes(tcp.len as u64)));
                let kind = match () {
                    () if has(flag::RST) => "RST",
                    () if has(flag::SYN | flag::ACK) => "SYN-ACK",
                    () if has(flag::SYN) => "SYN",
                    () if has(flag::FIN) => "FIN",
                    () => "ACK",
                };
                match data {
                    Some(data) if kind == "ACK" => data,
                    Some(data) => format!("{kind}, {data}"),
                    None => kind.to_owned(),
                }
            }
            TransportHeader::Udp { sport, len, .. } => match &self.question {
                Some(name) if *sport == 53 => match self.answer.as_ref().map(DnsAnswer::what) {
                    Some(answer) if !answer.is_empty() => {
                        format!("DNS answer for {name}: {answer}")
                    }
                    _ => format!("DNS answer for {name}"),
                },
                Some(name) => format!("DNS query for {name}"),
                None if matches!(self.fragment, Some(Fragment::First(_))) => {
                    format!("UDP datagram ({}), in fragments", bytes(*len as u64))
                }
                None => format!("UDP datagram ({})", bytes(*len as u64)),
            },
            TransportHeader::Icmp { .. } => self.icmp(),
            TransportHeader::Other if self.fragment.is_some_and(Fragment::is_later) => {
                "fragment of a datagram".to_owned()
            }
            TransportHeader::Other if self.source.is_some() => "IP packet".to_owned(),
            TransportHeader::Other => "Ethernet frame".to_owned(),
        }
    }

    fn icmp(&self) -> String {
        let TransportHeader::Icmp { version, kind, code, .. } = self.transport else {
            return String::new();
        };
        let name = if version == 4 { "ICMP" } else { "ICMPv6" };
        let about = |text: &str| match self.neighbour {
            Some(target) => format!("{text} for {target}"),
            None => text.to_owned(),
        };
        let text = match (version, kind, code) {
            (4, 0, _) | (6, 129, _) => "echo reply".to_owned(),
            (4, 8, _) | (6, 128, _) => "echo request".to_owned(),
            (4, 3, 0) | (6, 1, 0) => "net unreachable".to_owned(),
            (4, 3, 1) | (6, 1, 3) => "host unreachable".to_owned(),
            (4, 3, 3) | (6, 1, 4) => "port unreachable".to_owned(),
            (4, 3, 4) => "fragmentation needed".to_owned(),
            (4, 3, 13) | (6, 1, 1) => "administratively prohibited".to_owned(),
            (4, 11, _) | (6, 3, _) => "time exceeded".to_owned(),
            (6, 2, _) => "packet too big".to_owned(),
            (6, 130, _) => "MLD query".to_owned(),
            (6, 131 | 143, _) => "MLD report".to_owned(),
            (6, 132, _) => "MLD done".to_owned(),
            (6, 133, _) => "router solicitation".to_owned(),
            (6, 134, _) => "router advertisement".to_owned(),
            (6, 135, _) => return about("neighbour solicitation"),
            (6, 136, _) => return about("neighbour advertisement"),
            _ => format!("type {kind} code {code}"),
        };
        format!("{name} {text}")
    }

    /// ARP, ND, MLD and IGMP.
    pub(crate) fn is_control(&self) -> bool {
        self.arp.is_some()
            || matches!(self.transport, TransportHeader::Icmp { version: 6, kind: 130..=143, .. })
            || self.destination.is_some_and(|ip| ip.is_multicast() && self.ports().is_none())
    }

    /// Whether a node asks all for the MAC address of another one, to which it has a packet to
    /// send: not a check of its own address, and no probe of an address that it knows.
    pub(crate) fn is_lookup(&self) -> bool {
        let asks = match (self.arp, &self.transport) {
            (Some(arp), _) => {
                arp.request && arp.sender != arp.target && !arp.sender.is_unspecified()
            }
            (None, TransportHeader::Icmp { version: 6, kind: 135, .. }) => {
                self.source.is_some_and(|ip| !ip.is_unspecified())
            }
            _ => false,
        };
        asks && !self.to.is_unicast()
    }

    /// Whether the other side has to answer it: it opens a connection or has data.
    pub(crate) fn is_request(&self) -> bool {
        match self.tcp() {
            Some(tcp) => !tcp.has(flag::RST) && (tcp.has(flag::SYN) || tcp.len > 0),
            None => !self.is_control() && self.quoted.is_none(),
        }
    }
}

impl PacketTrace {
    pub(crate) fn flow(&self) -> Option<PacketFlow> {
        let (source, destination) = (self.headers.source?, self.headers.destination?);
        Some(PacketFlow { source, destination, ports: self.headers.ports() })
    }
}

/// What all packets of one direction of a conversation have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PacketFlow {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    ports: Option<(u16, u16)>,
}

impl PacketFlow {
    /// The other direction.
    pub(crate) fn reverse(self) -> Self {
        let ports = self.ports.map(|(source, destination)| (destination, source));
        Self { source: self.destination, destination: self.source, ports }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ICMPv6 message of this type, from fe80::1 to a group.
    fn icmp(kind: u8, group: u8) -> PacketHeaders {
        let to = [0x33, 0x33, 0, 0, 0, group];
        let from = [2, 0, 0, 0, 0, 1];
        let ip = [0x60, 0, 0, 0, 0, 32, 0, 1];
        let [mut source, mut destination] = [[0; 16]; 2];
        (source[0], source[1], source[15]) = (0xfe, 0x80, 1);
        (destination[0], destination[1], destination[15]) = (0xff, 2, group);
        // MLD has a router alert in a hop-by-hop header (RFC 3810 §5).
        let options = [58, 0, 5, 2, 0, 0, 1, 0];
        let mut message = [0; 24];
        (message[0], message[8], message[23]) = (kind, 0xfd, 2);
        let parts: [&[u8]; 8] =
            [&to, &from, &[0x86, 0xdd], &ip, &source, &destination, &options, &message];
        let frame = parts.concat();
        PacketHeaders::of(&frame, frame.len())
    }

    #[test]
    fn group_membership_is_named_and_is_no_packet_of_a_test() {
        for (kind, name) in [
            (130, "ICMPv6 MLD query"),
            (131, "ICMPv6 MLD report"),
            (132, "ICMPv6 MLD done"),
            (143, "ICMPv6 MLD report"),
            (133, "ICMPv6 router solicitation"),
        ] {
            let headers = icmp(kind, 0x16);
            assert_eq!(headers.what(), name);
            assert!(headers.is_control() && !headers.is_lookup() && !headers.is_request());
        }
        let lookup = icmp(135, 2);
        assert!(lookup.is_control() && lookup.is_lookup(), "{}", lookup.what());
    }
}
