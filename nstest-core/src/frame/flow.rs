//! Flows: the packets between two addresses and ports.

use std::net::IpAddr;

use super::view::{PacketView, TransportHeader};

/// A protocol and two ends. Both directions have the same value.
///
/// For an ICMP echo, both ports are its identifier. For other packets without ports, they
/// are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Flow {
    pub(crate) protocol: u8,
    /// The lower end, ordered by address and port.
    pub(crate) low: (IpAddr, u16),
    pub(crate) high: (IpAddr, u16),
}

impl PacketView<'_> {
    /// The flow of the packet; `None` without an IP header.
    pub(crate) fn flow(&self) -> Option<Flow> {
        let (src, dst) = self.ends()?;
        let protocol = self.ip.as_ref()?.protocol;
        Some(Flow { protocol, low: src.min(dst), high: src.max(dst) })
    }

    /// Source and destination, each as address and port.
    pub(crate) fn ends(&self) -> Option<((IpAddr, u16), (IpAddr, u16))> {
        let ip = self.ip.as_ref()?;
        let (sport, dport) = match self.transport {
            TransportHeader::Icmp { echo: Some(id), .. } => (id, id),
            _ => self.ports().unwrap_or((0, 0)),
        };
        Some(((ip.src, sport), (ip.dst, dport)))
    }
}
