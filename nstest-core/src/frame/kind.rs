//! Kinds of packets.

use std::fmt;

use super::view::{PacketView, TransportHeader, flag, protocol};

/// The kind of a packet, by its headers.
///
/// A TCP segment has the first kind that applies of: RST, SYN, FIN, data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PacketKind {
    /// The first TCP segment: SYN without ACK.
    Syn,
    /// The answer to it: SYN and ACK.
    SynAck,
    /// A TCP segment with data.
    Data,
    /// A TCP segment with FIN, with or without data.
    Fin,
    /// A TCP segment with RST.
    Rst,
    /// A TCP segment that only acknowledges.
    Ack,
    /// A UDP datagram.
    Datagram,
    /// An ICMP message that is not control traffic: an echo, an error.
    Icmp,
    /// A fragment after the first. It has no transport header, and shares the fate of its
    /// datagram, unless a filter selects this kind.
    Fragment,
    /// Control traffic: ARP, neighbour and router discovery, MLD, IGMP.
    Control,
    /// Anything else.
    Other,
}

impl PacketKind {
    /// All kinds, with their words in the plan grammar.
    pub(crate) const WORDS: [(&'static str, Self); 11] = [
        ("syn", Self::Syn),
        ("synack", Self::SynAck),
        ("data", Self::Data),
        ("fin", Self::Fin),
        ("rst", Self::Rst),
        ("ack", Self::Ack),
        ("datagram", Self::Datagram),
        ("icmp", Self::Icmp),
        ("fragment", Self::Fragment),
        ("control", Self::Control),
        ("other", Self::Other),
    ];

    /// Whether exploration uses it as a point: programs send it, in the same order in each
    /// run. Acknowledgements without data are not: the kernel sends them at times of its
    /// own. Neither are answers to errors.
    pub(crate) fn is_point(self) -> bool {
        matches!(self, Self::Syn | Self::SynAck | Self::Data | Self::Fin | Self::Datagram)
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(_, kind)| kind == self);
        f.write_str(word.map_or("other", |(word, _)| word))
    }
}

/// Kinds of control traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlKind {
    /// ARP, neighbour solicitations and advertisements: a node has a packet to send.
    Neighbour,
    /// Sent by the kernel without a packet of a program: MLD, IGMP, router discovery,
    /// redirects, and duplicate address detection.
    Unsolicited,
}

impl PacketView<'_> {
    /// The kind of the packet.
    pub(crate) fn kind(&self) -> PacketKind {
        if self.control().is_some() {
            return PacketKind::Control;
        }
        if self.is_later_fragment() {
            return PacketKind::Fragment;
        }
        match &self.transport {
            TransportHeader::Tcp(tcp) if tcp.has(flag::RST) => PacketKind::Rst,
            TransportHeader::Tcp(tcp) if tcp.has(flag::SYN | flag::ACK) => PacketKind::SynAck,
            TransportHeader::Tcp(tcp) if tcp.has(flag::SYN) => PacketKind::Syn,
            TransportHeader::Tcp(tcp) if tcp.has(flag::FIN) => PacketKind::Fin,
            TransportHeader::Tcp(tcp) if tcp.len > 0 => PacketKind::Data,
            TransportHeader::Tcp(_) => PacketKind::Ack,
            TransportHeader::Udp { .. } => PacketKind::Datagram,
            TransportHeader::Icmp { .. } => PacketKind::Icmp,
            TransportHeader::Other => PacketKind::Other,
        }
    }

    /// The kind of control traffic; `None` for all other packets.
    pub(crate) fn control(&self) -> Option<ControlKind> {
        if self.ethertype == super::parse::ethertype::ARP {
            return Some(ControlKind::Neighbour);
        }
        let ip = self.ip.as_ref()?;
        match self.transport {
            // RFC 4861 §4, RFC 2710, RFC 3810.
            TransportHeader::Icmp { version: 6, kind, .. } => match kind {
                // From `::`, it is duplicate address detection (RFC 4862 §5.4.2).
                135 | 136 if !ip.src.is_unspecified() => Some(ControlKind::Neighbour),
                130..=137 | 143 => Some(ControlKind::Unsolicited),
                _ => None,
            },
            _ if ip.protocol == protocol::IGMP => Some(ControlKind::Unsolicited),
            _ => None,
        }
    }
}
