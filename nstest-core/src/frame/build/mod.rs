//! Builds frames, with their checksums.

mod corrupt;
pub(crate) mod icmp;
mod reset;

use std::net::IpAddr;

use super::checksum::Sum;
use super::parse::ethertype;
use super::view::{PacketView, protocol};
use crate::addr::MacAddr;

pub(crate) use corrupt::corrupted;
pub use icmp::Unreachable;
pub(crate) use icmp::{too_big, unreachable};
pub(crate) use reset::{reset_after, reset_answer, reset_onward};

/// The hop limit of the frames, as by default on Linux.
const HOP_LIMIT: u8 = 64;

/// A frame back to the sender of `of`, with its Ethernet header, VLAN tags and an IP header.
/// `body` is the payload of the packet.
fn answer(of: &PacketView<'_>, protocol: u8, body: Vec<u8>) -> Option<Vec<u8>> {
    let ip = of.ip.as_ref()?;
    frame(of, (of.from, of.to), (ip.dst, ip.src), protocol, body)
}

/// A frame to the receiver of `of`.
fn onward(of: &PacketView<'_>, protocol: u8, body: Vec<u8>) -> Option<Vec<u8>> {
    let ip = of.ip.as_ref()?;
    frame(of, (of.to, of.from), (ip.src, ip.dst), protocol, body)
}

/// A frame with headers like `of`. The checksum field in `body` must be zero.
fn frame(
    of: &PacketView<'_>,
    (to, from): (MacAddr, MacAddr),
    (src, dst): (IpAddr, IpAddr),
    protocol: u8,
    mut body: Vec<u8>,
) -> Option<Vec<u8>> {
    let ip = of.ip.as_ref()?;
    let (field, sum) = match protocol {
        protocol::ICMP => (2, Sum::default()),
        protocol::ICMPV6 => (2, Sum::default().pseudo(src, dst, protocol, body.len())),
        _ => (16, Sum::default().pseudo(src, dst, protocol, body.len())),
    };
    let checksum = sum.add(&body).finish();
    body.get_mut(field..field + 2)?.copy_from_slice(&checksum.to_be_bytes());

    let mut frame = Vec::with_capacity(ip.offset + 40 + body.len());
    frame.extend(to.octets());
    frame.extend(from.octets());
    frame.extend(of.frame.get(12..ip.offset)?);
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            debug_assert_eq!(of.ethertype, ethertype::IPV4);
            let start = frame.len();
            frame.extend([0x45, 0]);
            frame.extend(u16::try_from(20 + body.len()).ok()?.to_be_bytes());
            frame.extend([0, 0, 0x40, 0, HOP_LIMIT, protocol, 0, 0]);
            frame.extend(src.octets());
            frame.extend(dst.octets());
            let checksum = Sum::default().add(&frame[start..]).finish();
            frame[start + 10..start + 12].copy_from_slice(&checksum.to_be_bytes());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            frame.extend([0x60, 0, 0, 0]);
            frame.extend(u16::try_from(body.len()).ok()?.to_be_bytes());
            frame.extend([protocol, HOP_LIMIT]);
            frame.extend(src.octets());
            frame.extend(dst.octets());
        }
        _ => return None,
    }
    frame.extend(body);
    Some(frame)
}
