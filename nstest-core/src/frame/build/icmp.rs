//! ICMP errors, which notify the sender of a packet that was dropped.

use std::net::IpAddr;

use super::answer;
use crate::frame::view::{PacketView, TransportHeader, protocol};

/// The reason in an ICMP error (RFC 792, RFC 1812 §5.2.7.1, RFC 4443 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreachable {
    /// No route to the network. Programs get ENETUNREACH.
    Net,
    /// The host does not answer. Programs get EHOSTUNREACH.
    Host,
    /// No program listens on the port. Programs get ECONNREFUSED.
    Port,
    /// A firewall refuses the packet. Programs get EHOSTUNREACH for IPv4, EACCES for IPv6.
    AdminProhibited,
}

impl Unreachable {
    fn type_and_code(self, is_ipv4: bool) -> [u8; 2] {
        match (self, is_ipv4) {
            (Self::Net, true) => [3, 0],
            (Self::Host, true) => [3, 1],
            (Self::Port, true) => [3, 3],
            (Self::AdminProhibited, true) => [3, 13],
            (Self::Net, false) => [1, 0],
            (Self::AdminProhibited, false) => [1, 1],
            (Self::Host, false) => [1, 3],
            (Self::Port, false) => [1, 4],
        }
    }
}

/// The error for a packet, from its destination to its sender. `None` if the packet must not
/// be answered (RFC 1122 §3.2.2, RFC 4443 §2.4e).
pub(crate) fn unreachable(of: &PacketView<'_>, why: Unreachable) -> Option<Vec<u8>> {
    let is_ipv4 = of.ip.as_ref()?.src.is_ipv4();
    error(of, why.type_and_code(is_ipv4), 0)
}

/// "Packet too big" (RFC 4443 §3.2) or "fragmentation needed" (RFC 1191 §4).
pub(crate) fn too_big(of: &PacketView<'_>, mtu: u32) -> Option<Vec<u8>> {
    let is_ipv4 = of.ip.as_ref()?.src.is_ipv4();
    error(of, if is_ipv4 { [3, 4] } else { [2, 0] }, mtu)
}

fn error(of: &PacketView<'_>, kind: [u8; 2], field: u32) -> Option<Vec<u8>> {
    let ip = of.ip.as_ref().filter(|_| may_be_answered(of))?;
    // The whole error stays within 576 bytes (RFC 1812 §4.3.2.3), or the least
    // MTU of IPv6 (RFC 4443 §2.4c).
    let (number, quoted) = match ip.src {
        IpAddr::V4(_) => (protocol::ICMP, 576 - 20 - 8),
        IpAddr::V6(_) => (protocol::ICMPV6, 1280 - 40 - 8),
    };
    let packet = of.frame.get(ip.offset..ip.payload.end)?;
    let mut body = Vec::with_capacity(8 + packet.len().min(quoted));
    body.extend(kind);
    body.extend([0, 0]);
    body.extend(field.to_be_bytes());
    body.extend(&packet[..packet.len().min(quoted)]);
    answer(of, number, body)
}

fn may_be_answered(of: &PacketView<'_>) -> bool {
    let Some(ip) = &of.ip else { return false };
    let is_error = match of.transport {
        TransportHeader::Icmp { version: 4, kind, .. } => !matches!(kind, 0 | 8 | 13..=18),
        TransportHeader::Icmp { kind, .. } => kind < 128,
        _ => false,
    };
    let to_one = !of.to.is_multicast() && !ip.dst.is_multicast();
    let from_one = !ip.src.is_unspecified() && !ip.src.is_multicast();
    let is_later = ip.fragment.is_later();
    !is_error && to_one && from_one && !is_later && of.control().is_none()
}
