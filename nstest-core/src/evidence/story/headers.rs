//! The headers of a recorded packet, and what hints need of its payload.

use std::net::IpAddr;

use crate::addr::MacAddr;
use crate::fault::random::fnv1a;
use crate::frame::parse::ethertype;
use crate::frame::view::{Arp, Fragment, PacketView, Tcp, TransportHeader, flag};

/// The port of DNS.
const DNS: u16 = 53;

/// The headers of a packet.
#[derive(Debug, Clone)]
pub(crate) struct PacketHeaders {
    pub(crate) to: MacAddr,
    pub(crate) from: MacAddr,
    pub(crate) arp: Option<Arp>,
    /// Of the IP header.
    pub(crate) source: Option<IpAddr>,
    pub(crate) destination: Option<IpAddr>,
    pub(crate) transport: TransportHeader,
    /// The bytes of the packet from its IP header on.
    pub(crate) length: usize,
    pub(crate) dont_fragment: bool,
    /// The TTL of IPv4, the hop limit of IPv6.
    pub(crate) hop_limit: Option<u8>,
    /// The packet that an ICMP error is about.
    pub(crate) quoted: Option<Box<PacketHeaders>>,
    /// The target of a neighbour solicitation or advertisement.
    pub(crate) neighbour: Option<IpAddr>,
    /// The name in the question of a DNS message over UDP.
    pub(crate) question: Option<String>,
    /// What a DNS server answered.
    pub(crate) answer: Option<DnsAnswer>,
    pub(crate) fragment: Option<Fragment>,
    /// A hash of the payload, by which a forwarded packet is found again.
    pub(super) payload: u64,
}

/// The answer of a DNS server to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DnsAnswer {
    /// 3: there is no such name.
    pub(crate) code: u8,
    /// 1: A, 28: AAAA.
    pub(crate) record: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

impl PacketHeaders {
    /// Of a frame of this length, of which there may be fewer bytes.
    pub(crate) fn of(frame: &[u8], length: usize) -> Self {
        let mut view = PacketView::parse(frame);
        let missing = length.saturating_sub(frame.len());
        match &mut view.transport {
            TransportHeader::Tcp(Tcp { len, .. }) | TransportHeader::Udp { len, .. } => {
                *len += missing;
            }
            _ => {}
        }
        let fragment = view.ip.as_ref().map(|ip| ip.fragment);
        let payload = view.ip.as_ref().and_then(|ip| frame.get(ip.payload.clone()));
        // The first fragment says how long its datagram is.
        if let (
            TransportHeader::Udp { len, .. },
            Some(Fragment::First(_)),
            Some([_, _, _, _, high, low, ..]),
        ) = (&mut view.transport, fragment, payload)
        {
            *len = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(8);
        }
        let (question, answer) = dns(&view).unzip();
        let offset = view.ip.as_ref().map_or(0, |ip| ip.offset);
        Self {
            to: view.to,
            from: view.from,
            arp: view.arp,
            source: view.ip.as_ref().map(|ip| ip.src),
            destination: view.ip.as_ref().map(|ip| ip.dst),
            transport: view.transport,
            length: view
                .ip
                .as_ref()
                .map_or(length, |ip| ip.total_len.max(length - offset.min(length))),
            dont_fragment: view.ip.as_ref().is_some_and(|ip| ip.dont_fragment),
            hop_limit: view.ip.as_ref().map(|ip| ip.hop_limit),
            quoted: quoted(&view).map(Box::new),
            neighbour: neighbour(&view),
            question,
            answer: answer.flatten(),
            fragment,
            payload: fnv1a(data(&view).unwrap_or_default()),
        }
    }

    pub(crate) fn tcp(&self) -> Option<&Tcp> {
        self.transport.tcp()
    }

    /// Bytes of data in a UDP datagram.
    pub(crate) fn udp(&self) -> Option<usize> {
        match self.transport {
            TransportHeader::Udp { len, .. } => Some(len),
            _ => None,
        }
    }

    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        self.transport.ports()
    }

    pub(crate) fn is_tcp(&self, flags: u8) -> bool {
        self.tcp().is_some_and(|tcp| tcp.has(flags))
    }

    /// A SYN that opens a connection.
    pub(crate) fn is_syn(&self) -> bool {
        self.tcp().is_some_and(Tcp::opens)
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.is_tcp(flag::RST)
    }

    pub(crate) fn is_icmp(&self, types: &[(u8, u8, u8)]) -> bool {
        matches!(self.transport, TransportHeader::Icmp { version, kind, code, .. }
            if types.contains(&(version, kind, code)))
    }

    /// Bytes of data, if the protocol has a notion of that.
    pub(crate) fn data(&self) -> usize {
        self.tcp().map(|tcp| tcp.len).or(self.udp()).unwrap_or(0)
    }

    /// What does not change when a router forwards it, also with NAT.
    pub(super) fn identity(&self) -> (u64, u32, u32, u8, u8) {
        match self.transport {
            TransportHeader::Tcp(Tcp { seq, ack, flags, .. }) => (self.payload, seq, ack, flags, 6),
            TransportHeader::Udp { len, .. } => (self.payload, len as u32, 0, 0, 17),
            TransportHeader::Icmp { kind, code, .. } => (self.payload, 0, 0, kind, code),
            TransportHeader::Other => (self.payload, self.length as u32, 0, 0, 0),
        }
    }
}

/// The bytes after the transport header, as far as they were recorded.
fn data<'a>(view: &PacketView<'a>) -> Option<&'a [u8]> {
    let ip = view.ip.as_ref()?;
    let payload = view.frame.get(ip.payload.clone())?;
    match view.transport {
        TransportHeader::Tcp(_) => payload.get(usize::from(*payload.get(12)? >> 4) * 4..),
        TransportHeader::Udp { .. } | TransportHeader::Icmp { .. } => payload.get(8..),
        TransportHeader::Other => Some(payload),
    }
}

/// The packet that an ICMP error quotes (RFC 792, RFC 4443 §3).
fn quoted(view: &PacketView<'_>) -> Option<PacketHeaders> {
    let TransportHeader::Icmp { version, kind, .. } = view.transport else { return None };
    if !matches!((version, kind), (4, 3 | 5 | 11 | 12) | (6, 1..=4)) {
        return None;
    }
    let ethertype = if version == 4 { ethertype::IPV4 } else { ethertype::IPV6 };
    let frame = [&[0; 12][..], &ethertype.to_be_bytes(), data(view)?].concat();
    let headers = PacketHeaders::of(&frame, frame.len());
    headers.source.is_some().then_some(headers)
}

/// RFC 4861 §4.3, §4.4.
fn neighbour(view: &PacketView<'_>) -> Option<IpAddr> {
    let TransportHeader::Icmp { version: 6, kind: 135 | 136, .. } = view.transport else {
        return None;
    };
    let target: [u8; 16] = data(view)?.get(..16)?.try_into().ok()?;
    Some(IpAddr::from(target))
}

/// The name that a DNS message asks for, and its answer (RFC 1035 §4.1).
fn dns(view: &PacketView<'_>) -> Option<(String, Option<DnsAnswer>)> {
    view.ports().filter(|(source, destination)| [source, destination].contains(&&DNS))?;
    let TransportHeader::Udp { .. } = view.transport else { return None };
    let message = data(view)?;
    let mut rest = message.get(12..)?;
    let mut labels = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        rest = after;
        if *length == 0 {
            break;
        }
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        labels.push(std::str::from_utf8(label).ok()?);
        rest = after;
    }
    let name = labels.join(".");
    let is_plain = name.chars().all(|c| c.is_ascii_graphic());
    (is_plain && !name.is_empty()).then(|| (name, answer(message, rest)))
}

/// `rest`: what comes after the name in the question.
fn answer(message: &[u8], rest: &[u8]) -> Option<DnsAnswer> {
    let number =
        |bytes: &[u8], at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let flags = number(message, 2).filter(|flags| flags & 0x8000 != 0)?;
    let (count, record) = (number(message, 6)?, number(rest, 0)?);
    let (mut rest, mut addresses) = (rest.get(4..)?, Vec::new());
    for _ in 0..count {
        // Labels, and a pointer or an empty one.
        while let Some(length @ 1..0xc0) = rest.first() {
            rest = rest.get(1 + usize::from(*length)..)?;
        }
        rest = rest.get(if *rest.first()? == 0 { 1 } else { 2 }..)?;
        let length = usize::from(number(rest, 8)?);
        let address = rest.get(10..10 + length)?;
        addresses.extend(match (number(rest, 0)?, address.len()) {
            (1, 4) => <[u8; 4]>::try_from(address).ok().map(IpAddr::from),
            (28, 16) => <[u8; 16]>::try_from(address).ok().map(IpAddr::from),
            _ => None,
        });
        rest = rest.get(10 + length..)?;
    }
    Some(DnsAnswer { code: (flags & 15) as u8, record, addresses })
}

impl DnsAnswer {
    /// `10.0.2.4`, `NXDOMAIN`.
    pub(crate) fn what(&self) -> String {
        match (self.code, self.record) {
            (0, 1) if self.addresses.is_empty() => "no A record".to_owned(),
            (0, 28) if self.addresses.is_empty() => "no AAAA record".to_owned(),
            (0, _) => {
                let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
                addresses.join(", ")
            }
            (2, _) => "SERVFAIL".to_owned(),
            (3, _) => "NXDOMAIN".to_owned(),
            (5, _) => "REFUSED".to_owned(),
            (code, _) => format!("error {code}"),
        }
    }
}
