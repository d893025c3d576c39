//! What two records of one frame have in common.

use crate::evidence::verdicts::KEPT;
use crate::frame::parse::{ethertype, u16_at, u32_at};
use crate::frame::view::protocol;

/// The first bytes of a frame on a network, without its checksums: these may be completed on
/// the way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FrameIdentity {
    network: Option<u32>,
    bytes: Box<[u8]>,
}

/// A part of what a flow sends. Segmentation offload may cut it into smaller ones on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Sequence and acknowledgement number of TCP; `None` for UDP.
    numbers: Option<(u32, u32)>,
    /// Bytes of data.
    len: usize,
    /// Whether it is longer than an Ethernet frame, so that it is cut at some time.
    is_superframe: bool,
}

/// A direction of a connection on a network: Ethernet and IP addresses, protocol, and ports.
pub(super) type FlowKey = FrameIdentity;

/// Where the headers of a frame are.
struct Headers {
    ip: usize,
    transport: Option<(u8, usize)>,
    is_ipv4: bool,
    /// The length of the IP packet; 0 if the header does not have it.
    total_len: usize,
}

/// The longest frame of an Ethernet with a VLAN tag.
const LONGEST: usize = 1518;

fn headers(frame: &[u8]) -> Option<Headers> {
    let mut at = 12;
    while matches!(u16_at(frame, at)?, ethertype::VLAN | ethertype::SERVICE_VLAN) {
        at += 4;
    }
    let ip = at + 2;
    match u16_at(frame, at)? {
        ethertype::IPV4 => {
            const FRAGMENT_OFFSET: u16 = 0x1fff;
            let is_later = u16_at(frame, ip + 6)? & FRAGMENT_OFFSET != 0;
            let start = ip + 4 * usize::from(frame.get(ip)? & 0xf);
            let transport = (*frame.get(ip + 9)?, start);
            let total_len = u16_at(frame, ip + 2)?.into();
            Some(Headers {
                ip,
                transport: (!is_later).then_some(transport),
                is_ipv4: true,
                total_len,
            })
        }
        ethertype::IPV6 => {
            const HEADER: usize = 40;
            let total_len = match u16_at(frame, ip + 4)? {
                0 => 0,
                payload => HEADER + usize::from(payload),
            };
            let transport = Some((*frame.get(ip + 6)?, ip + HEADER));
            Some(Headers { ip, transport, is_ipv4: false, total_len })
        }
        _ => None,
    }
}

impl FrameIdentity {
    pub(super) fn of(network: Option<u32>, frame: &[u8]) -> Self {
        let mut bytes: Box<[u8]> = frame[..frame.len().min(KEPT)].into();
        let mut clear = |at: usize| {
            if let Some(checksum) = bytes.get_mut(at..at + 2) {
                checksum.fill(0);
            }
        };
        if let Some(Headers { ip, transport, is_ipv4, .. }) = headers(frame) {
            if is_ipv4 {
                clear(ip + 10);
            }
            match transport {
                Some((protocol::TCP, at)) => clear(at + 16),
                Some((protocol::UDP, at)) => clear(at + 6),
                _ => {}
            }
        }
        Self { network, bytes }
    }
}

/// What a frame has of a flow, if it has data of TCP or UDP. `length`: that of the frame before
/// it was cut off.
pub(super) fn part(network: Option<u32>, frame: &[u8], length: usize) -> Option<(FlowKey, Part)> {
    let Headers { ip, transport, is_ipv4, total_len } = headers(frame)?;
    let (protocol, at) = transport?;
    let (numbers, header) = match protocol {
        protocol::TCP => {
            let header = usize::from(frame.get(at + 12)? >> 4) * 4;
            (Some((u32_at(frame, at + 4)?, u32_at(frame, at + 8)?)), header)
        }
        protocol::UDP => (None, 8),
        _ => return None,
    };
    let end = if total_len == 0 { length } else { ip + total_len };
    let len = end.checked_sub(at + header).filter(|len| *len > 0)?;
    let addresses = if is_ipv4 { ip + 12..ip + 20 } else { ip + 8..ip + 40 };
    let ports = at..at + 4;
    let bytes = [frame.get(..ip)?, frame.get(addresses)?, frame.get(ports)?, &[protocol]].concat();
    let is_superframe = length > LONGEST;
    let flow = FlowKey { network, bytes: bytes.into() };
    Some((flow, Part { numbers, len, is_superframe }))
}

impl Part {
    /// Whether cutting it can have made the other one.
    pub(super) fn contains(&self, other: &Self) -> bool {
        if other.len >= self.len {
            return false;
        }
        match (self.numbers, other.numbers) {
            (Some((seq, ack)), Some((other_seq, other_ack))) => {
                let offset = other_seq.wrapping_sub(seq) as usize;
                ack == other_ack && offset + other.len <= self.len
            }
            (None, None) => self.is_superframe,
            _ => false,
        }
    }
}
