//! A parsed frame: the values of its headers, and where they are.

use std::net::IpAddr;
use std::ops::Range;

use crate::addr::MacAddr;

/// IP protocol numbers (IANA, "Protocol Numbers").
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IGMP: u8 = 2;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMPV6: u8 = 58;
}

/// TCP flags (RFC 9293 §3.1), as bits of the 14th byte of the header.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 0x01;
    pub(crate) const SYN: u8 = 0x02;
    pub(crate) const RST: u8 = 0x04;
    pub(crate) const PSH: u8 = 0x08;
    pub(crate) const ACK: u8 = 0x10;
    pub(crate) const URG: u8 = 0x20;
    /// RFC 3168.
    pub(crate) const ECE: u8 = 0x40;
    pub(crate) const CWR: u8 = 0x80;
}

/// A frame from its Ethernet header on, and the values of its headers.
///
/// Any frame can be parsed. A value behind an invalid header is `None`.
#[derive(Debug, Clone)]
pub(crate) struct PacketView<'a> {
    pub(crate) frame: &'a [u8],
    /// Ethernet addresses; zero if the frame is shorter than its header.
    pub(crate) to: MacAddr,
    pub(crate) from: MacAddr,
    /// The type after VLAN tags.
    pub(crate) ethertype: u16,
    pub(crate) arp: Option<Arp>,
    pub(crate) ip: Option<Ip>,
    pub(crate) transport: TransportHeader,
    /// The number of packets that it is on a link: more than one if segmentation offload will
    /// cut it.
    pub(crate) packets: u64,
}

/// An ARP message for IPv4 (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arp {
    pub(crate) request: bool,
    pub(crate) sender: IpAddr,
    pub(crate) target: IpAddr,
}

/// An IP header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ip {
    /// The position of the header in the frame.
    pub(crate) offset: usize,
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// The protocol of the payload, after IPv6 extension headers.
    pub(crate) protocol: u8,
    /// The length of the packet with its header, from the header. Before segmentation, the
    /// header can have 0 there; then it is the actual length.
    pub(crate) total_len: usize,
    pub(crate) hop_limit: u8,
    /// The DF bit of IPv4. Routers never fragment IPv6.
    pub(crate) dont_fragment: bool,
    pub(crate) fragment: Fragment,
    /// The position of the transport header and its data in the frame, without padding.
    pub(crate) payload: Range<usize>,
}

/// Whether the packet is a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fragment {
    Whole,
    /// The first one, with the identification of its datagram.
    First(u32),
    /// Another one, which has no transport header.
    Later(u32),
}

impl Fragment {
    pub(crate) const fn is_later(self) -> bool {
        matches!(self, Self::Later(_))
    }
}

/// A transport header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportHeader {
    Tcp(Tcp),
    Udp {
        sport: u16,
        dport: u16,
        len: usize,
    },
    Icmp {
        version: u8,
        kind: u8,
        code: u8,
        /// The identifier of an echo request or reply.
        echo: Option<u16>,
    },
    /// Another protocol, a later fragment, or a header that is too short.
    Other,
}

/// A TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tcp {
    pub(crate) sport: u16,
    pub(crate) dport: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// Bytes of data.
    pub(crate) len: usize,
}

impl Tcp {
    pub(crate) const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// SEG.LEN of RFC 9293: bytes of data, plus one for SYN and one for FIN.
    pub(crate) fn sequence_len(&self) -> u32 {
        let controls = u32::from(self.has(flag::SYN)) + u32::from(self.has(flag::FIN));
        // A segment is shorter than 4 GiB.
        u32::try_from(self.len).unwrap_or(u32::MAX).wrapping_add(controls)
    }

    /// The sequence number after it.
    pub(crate) fn end(&self) -> u32 {
        self.seq.wrapping_add(self.sequence_len())
    }

    /// Whether it opens a connection: the first SYN, and not the answer to it.
    pub(crate) const fn opens(&self) -> bool {
        self.has(flag::SYN) && !self.has(flag::ACK)
    }
}

/// Whether a sequence number is not after another one. They are compared modulo 2^32 (RFC 9293
/// §3.4).
pub(crate) const fn is_not_after(number: u32, other: u32) -> bool {
    other.wrapping_sub(number) < 1 << 31
}

impl TransportHeader {
    pub(crate) fn tcp(&self) -> Option<&Tcp> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// Source and destination port, if the protocol has ports.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        match *self {
            Self::Tcp(Tcp { sport, dport, .. }) | Self::Udp { sport, dport, .. } => {
                Some((sport, dport))
            }
            Self::Icmp { .. } | Self::Other => None,
        }
    }
}

impl PacketView<'_> {
    pub(crate) fn is_later_fragment(&self) -> bool {
        self.ip.as_ref().is_some_and(|ip| ip.fragment.is_later())
    }

    pub(crate) fn tcp(&self) -> Option<&Tcp> {
        self.transport.tcp()
    }

    /// Source and destination port, if the protocol has ports.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        self.transport.ports()
    }

    /// Source and destination address, or sender and target of an ARP message.
    pub(crate) fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        let of_ip = self.ip.as_ref().map(|ip| (ip.src, ip.dst));
        of_ip.or_else(|| self.arp.map(|arp| (arp.sender, arp.target)))
    }
}
