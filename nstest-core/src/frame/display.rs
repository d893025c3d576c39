//! Prints a packet in one line.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::view::{Ip, PacketView, Tcp, TransportHeader, flag};

impl fmt::Display for PacketView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(arp) = &self.arp {
            return match arp.request {
                true => write!(f, "ARP who has {}? tell {}", arp.target, arp.sender),
                false => write!(f, "ARP {} is at {}", arp.sender, self.from),
            };
        }
        let Some(ip) = &self.ip else {
            let (from, to) = (self.from, self.to);
            let len = self.frame.len();
            return write!(f, "Ethernet {from} > {to} type {:#06x} len {len}", self.ethertype);
        };
        match &self.transport {
            TransportHeader::Tcp(tcp) => segment(f, ip, tcp),
            TransportHeader::Udp { sport, dport, len } => {
                write!(f, "UDP {} > {} len {len}", at(ip.src, *sport), at(ip.dst, *dport))
            }
            TransportHeader::Icmp { version, kind, code, .. } => {
                let name = if *version == 4 { "ICMP" } else { "ICMPv6" };
                write!(f, "{name} {} > {} ", ip.src, ip.dst)?;
                match message(*version, *kind, *code) {
                    Some(text) => f.write_str(text),
                    None => write!(f, "type {kind} code {code}"),
                }
            }
            TransportHeader::Other => {
                write!(f, "IP {} > {} protocol {}", ip.src, ip.dst, ip.protocol)?;
                if ip.fragment.is_later() {
                    f.write_str(" later fragment")?;
                }
                write!(f, " len {}", ip.payload.len())
            }
        }
    }
}

fn segment(f: &mut fmt::Formatter<'_>, ip: &Ip, tcp: &Tcp) -> fmt::Result {
    write!(f, "TCP {} > {}", at(ip.src, tcp.sport), at(ip.dst, tcp.dport))?;
    for (name, bit) in [
        ("SYN", flag::SYN),
        ("FIN", flag::FIN),
        ("RST", flag::RST),
        ("PSH", flag::PSH),
        ("URG", flag::URG),
        ("ACK", flag::ACK),
    ] {
        if tcp.has(bit) {
            write!(f, " {name}")?;
        }
    }
    write!(f, " seq {}", tcp.seq)?;
    if tcp.has(flag::ACK) {
        write!(f, " ack {}", tcp.ack)?;
    }
    write!(f, " len {}", tcp.len)
}

/// `10.0.2.1:80`, `[fd00:2::1]:80`.
fn at(addr: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(addr, port)
}

/// The names of ICMP messages (RFC 792, RFC 4443, RFC 4861, RFC 2710, RFC 3810).
fn message(version: u8, kind: u8, code: u8) -> Option<&'static str> {
    Some(match (version, kind, code) {
        (4, 0, _) | (6, 129, _) => "echo reply",
        (4, 8, _) | (6, 128, _) => "echo request",
        (4, 3, 0) | (6, 1, 0) => "net unreachable",
        (4, 3, 1) | (6, 1, 3) => "host unreachable",
        (4, 3, 2) => "protocol unreachable",
        (4, 3, 3) | (6, 1, 4) => "port unreachable",
        (4, 3, 4) => "fragmentation needed",
        (4, 3, 13) | (6, 1, 1) => "administratively prohibited",
        (4, 11, _) | (6, 3, _) => "time exceeded",
        (6, 2, _) => "packet too big",
        (6, 130, _) => "MLD query",
        (6, 131 | 143, _) => "MLD report",
        (6, 132, _) => "MLD done",
        (6, 133, _) => "router solicitation",
        (6, 134, _) => "router advertisement",
        (6, 135, _) => "neighbour solicitation",
        (6, 136, _) => "neighbour advertisement",
        _ => return None,
    })
}
