//! Which packets belong together.

use std::net::IpAddr;

use super::view::{PacketView, Transport};

/// One conversation, the same value for both of its directions.
///
/// The ports of an ICMP echo are its identifier; of what has no ports, 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Flow {
    pub(crate) protocol: u8,
    /// The lower end in order of address and port.
    pub(crate) low: (IpAddr, u16),
    pub(crate) high: (IpAddr, u16),
}

impl Flow {
    pub(super) fn of(view: &PacketView<'_>) -> Option<Self> {
        let (src, dst) = ends(view)?;
        let protocol = view.ip.as_ref()?.protocol;
        Some(Self { protocol, low: src.min(dst), high: src.max(dst) })
    }
}

/// Where the packet comes from, and where it goes.
pub(crate) fn ends(view: &PacketView<'_>) -> Option<((IpAddr, u16), (IpAddr, u16))> {
    let ip = view.ip.as_ref()?;
    let (sport, dport) = match view.transport {
        Transport::Icmp { echo: Some(id), .. } => (id, id),
        _ => view.ports().unwrap_or((0, 0)),
    };
    Some(((ip.src, sport), (ip.dst, dport)))
}
