//! What kind of packet it is.

use std::fmt;

use super::view::{Fragment, PacketView, Transport, flag, protocol};

/// What a packet is for, as far as its headers say.
///
/// A segment is of one kind only: of a reset, a SYN, a FIN and data the first
/// that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PacketKind {
    /// TCP's first segment: SYN without ACK.
    Syn,
    /// TCP's answer to it: SYN and ACK.
    SynAck,
    /// A TCP segment with data in it.
    Data,
    /// A TCP segment with FIN, whether or not there is data in it.
    Fin,
    /// A TCP segment with RST.
    Rst,
    /// A TCP segment with nothing but an acknowledgement.
    Ack,
    /// A UDP datagram, or its first fragment.
    Datagram,
    /// An ICMP message that is not control: an echo, an error.
    Icmp,
    /// A fragment but the first, which has no transport header.
    Fragment,
    /// ARP, neighbour and router discovery, MLD, IGMP: what keeps the network
    /// itself going.
    Control,
    /// Anything else.
    Other,
}

impl PacketKind {
    /// Each of them, with its word in the plan grammar.
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

    /// Whether it is of those that programs send, in an order that is the same from
    /// run to run: what exploration takes for a point. Acknowledgements alone, which
    /// come when the kernel likes, and answers to what went wrong are not.
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

/// What keeps a network going without anybody's asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ControlKind {
    /// ARP, neighbour solicitations and advertisements: somebody wants to talk.
    Neighbour,
    /// What hosts say by themselves: MLD, IGMP, router discovery, redirects, and
    /// duplicate address detection.
    Unsolicited,
}

impl PacketView<'_> {
    /// The kind of the packet.
    pub(crate) fn kind(&self) -> PacketKind {
        if self.control().is_some() {
            return PacketKind::Control;
        }
        if self.ip.as_ref().is_some_and(|ip| ip.fragment == Fragment::Later) {
            return PacketKind::Fragment;
        }
        match &self.transport {
            Transport::Tcp(tcp) if tcp.has(flag::RST) => PacketKind::Rst,
            Transport::Tcp(tcp) if tcp.has(flag::SYN | flag::ACK) => PacketKind::SynAck,
            Transport::Tcp(tcp) if tcp.has(flag::SYN) => PacketKind::Syn,
            Transport::Tcp(tcp) if tcp.has(flag::FIN) => PacketKind::Fin,
            Transport::Tcp(tcp) if tcp.len > 0 => PacketKind::Data,
            Transport::Tcp(_) => PacketKind::Ack,
            Transport::Udp { .. } => PacketKind::Datagram,
            Transport::Icmp { .. } => PacketKind::Icmp,
            Transport::Other => PacketKind::Other,
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
            Transport::Icmp { version: 6, kind, .. } => match kind {
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
