//! Parses a frame into a [`PacketView`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Frame;
use super::view::{Arp, Fragment, Ip, PacketView, Tcp, TransportHeader, protocol};
use crate::addr::MacAddr;

/// EtherTypes (IEEE 802 numbers).
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const SERVICE_VLAN: u16 = 0x88a8;
}

/// IPv6 extension headers (RFC 8200 §4, RFC 4302, RFC 7401).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

impl<'a> PacketView<'a> {
    /// As [`parse`](Self::parse), with the number of its packets.
    pub(crate) fn of(Frame { bytes, segment_len }: Frame<'a>) -> Self {
        const UDP_HEADER: usize = 8;
        let mut view = Self::parse(bytes);
        let data = match (&view.transport, &view.ip) {
            (TransportHeader::Tcp(tcp), _) => tcp.len,
            (TransportHeader::Udp { .. }, Some(ip)) => ip.payload.len().saturating_sub(UDP_HEADER),
            _ => 0,
        };
        let segments = segment_len.filter(|len| *len > 0).map(|len| data.div_ceil(len.into()));
        view.packets = segments.map_or(1, |segments| (segments as u64).max(1));
        view
    }

    /// Parses a frame, as far as its headers are valid.
    pub(crate) fn parse(frame: &'a [u8]) -> Self {
        let mut view = Self {
            frame,
            to: MacAddr::new(array_at(frame, 0).unwrap_or_default()),
            from: MacAddr::new(array_at(frame, 6).unwrap_or_default()),
            ethertype: 0,
            arp: None,
            ip: None,
            transport: TransportHeader::Other,
            packets: 1,
        };
        let mut at = 12;
        loop {
            let Some(ethertype) = u16_at(frame, at) else { return view };
            view.ethertype = ethertype;
            at += 2;
            if !matches!(ethertype, ethertype::VLAN | ethertype::SERVICE_VLAN) {
                break;
            }
            at += 2;
        }
        match view.ethertype {
            ethertype::ARP => view.arp = arp(frame, at),
            ethertype::IPV4 => view.ip = ipv4(frame, at),
            ethertype::IPV6 => view.ip = ipv6(frame, at),
            _ => {}
        }
        if let Some(ip) = &view.ip {
            view.transport = transport(frame, ip).unwrap_or(TransportHeader::Other);
        }
        view
    }
}

/// RFC 826, for Ethernet and IPv4.
fn arp(frame: &[u8], at: usize) -> Option<Arp> {
    if u16_at(frame, at + 2)? != ethertype::IPV4 {
        return None;
    }
    Some(Arp {
        request: u16_at(frame, at + 6)? == 1,
        sender: IpAddr::V4(array_at::<4>(frame, at + 14)?.into()),
        target: IpAddr::V4(array_at::<4>(frame, at + 24)?.into()),
    })
}

/// RFC 791.
fn ipv4(frame: &[u8], at: usize) -> Option<Ip> {
    let first = *frame.get(at)?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < 20 || frame.len() < at + header {
        return None;
    }
    let there = frame.len() - at;
    let total_len = match usize::from(u16_at(frame, at + 2)?) {
        0 => there,
        len => len,
    };
    let (id, bits) = (u16_at(frame, at + 4)?.into(), u16_at(frame, at + 6)?);
    let fragment = match (bits & 0x1fff, bits & 0x2000 != 0) {
        (0, false) => Fragment::Whole,
        (0, true) => Fragment::First(id),
        _ => Fragment::Later(id),
    };
    Some(Ip {
        offset: at,
        src: IpAddr::V4(Ipv4Addr::from(array_at::<4>(frame, at + 12)?)),
        dst: IpAddr::V4(Ipv4Addr::from(array_at::<4>(frame, at + 16)?)),
        protocol: *frame.get(at + 9)?,
        total_len,
        hop_limit: *frame.get(at + 8)?,
        dont_fragment: bits & 0x4000 != 0,
        fragment,
        payload: at + header..at + total_len.clamp(header, there),
    })
}

/// RFC 8200.
fn ipv6(frame: &[u8], at: usize) -> Option<Ip> {
    if *frame.get(at)? >> 4 != 6 || frame.len() < at + 40 {
        return None;
    }
    let there = frame.len() - at;
    let total_len = match usize::from(u16_at(frame, at + 4)?) {
        0 => there,
        len => len + 40,
    };
    let end = at + total_len.clamp(40, there);
    let (mut next, mut header, mut fragment) = (*frame.get(at + 6)?, at + 40, Fragment::Whole);
    loop {
        let here = frame.get(header..end).unwrap_or_default();
        let octets = match next {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HOST_IDENTITY => {
                here.get(1).map(|len| (usize::from(*len) + 1) * 8)
            }
            AUTHENTICATION => here.get(1).map(|len| (usize::from(*len) + 2) * 4),
            FRAGMENT => {
                let (bits, id) = (u16_at(here, 2), u32_at(here, 4).unwrap_or(0));
                fragment = match bits.map(|bits| (bits & 0xfff8, bits & 1)) {
                    Some((0, 0)) => fragment,
                    Some((0, _)) => Fragment::First(id),
                    _ => Fragment::Later(id),
                };
                bits.map(|_| 8)
            }
            _ => break,
        };
        let (Some(octets), Some(following)) = (octets, here.first()) else { break };
        (next, header) = (*following, header + octets);
        if fragment.is_later() {
            break;
        }
    }
    Some(Ip {
        offset: at,
        src: IpAddr::V6(Ipv6Addr::from(array_at::<16>(frame, at + 8)?)),
        dst: IpAddr::V6(Ipv6Addr::from(array_at::<16>(frame, at + 24)?)),
        protocol: next,
        total_len,
        hop_limit: *frame.get(at + 7)?,
        dont_fragment: true,
        fragment,
        payload: header.min(end)..end,
    })
}

fn transport(frame: &[u8], ip: &Ip) -> Option<TransportHeader> {
    if ip.fragment.is_later() {
        return None;
    }
    let bytes = frame.get(ip.payload.clone())?;
    match ip.protocol {
        protocol::TCP => {
            let header = usize::from(*bytes.get(12)? >> 4) * 4;
            Some(TransportHeader::Tcp(Tcp {
                sport: u16_at(bytes, 0)?,
                dport: u16_at(bytes, 2)?,
                seq: u32_at(bytes, 4)?,
                ack: u32_at(bytes, 8)?,
                flags: *bytes.get(13)?,
                window: u16_at(bytes, 14)?,
                len: bytes.len().checked_sub(header).filter(|_| header >= 20)?,
            }))
        }
        protocol::UDP => Some(TransportHeader::Udp {
            sport: u16_at(bytes, 0)?,
            dport: u16_at(bytes, 2)?,
            len: bytes.len().checked_sub(8)?,
        }),
        protocol::ICMP | protocol::ICMPV6 => {
            let version = if ip.src.is_ipv4() { 4 } else { 6 };
            let kind = *bytes.first()?;
            // RFC 792 and RFC 4443 §4.1.
            let is_echo = matches!((version, kind), (4, 0 | 8) | (6, 128 | 129));
            Some(TransportHeader::Icmp {
                version,
                kind,
                code: *bytes.get(1)?,
                echo: u16_at(bytes, 4).filter(|_| is_echo),
            })
        }
        _ => None,
    }
}
