//! Neighbours: which Ethernet address answers to which IP address (ARP, NDP).
//!
//! The traps: the entry that resolution leaves behind outlives the neighbour by
//! up to a minute, so whoever takes an address over elsewhere must have the old
//! entries deleted (or announce itself). And a question that got no answer is
//! asked again only after `retrans_time_ms`, a second, whatever happens meanwhile.
//! See ip-neighbour(8), arp(7).

use std::net::IpAddr;

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourHeader, NeighbourMessage,
    NeighbourState,
};

use super::addr::family;
use super::device::Device;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::addr::MacAddr;
use crate::error::Result;

/// A fixed entry, which no resolution touches.
pub(crate) fn add<'a>(device: impl Into<Device<'a>>, ip: IpAddr, mac: MacAddr) -> Request {
    let device = device.into();
    let mut message = message(device.index, ip);
    message.header.state = NeighbourState::Permanent;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec()));
    Request::route(
        &RouteNetlinkMessage::NewNeighbour(message),
        Mode::Replace,
        format!("set neighbour {ip} to {mac} on {device}"),
    )
}

/// Forgets one entry.
pub(crate) fn delete<'a>(device: impl Into<Device<'a>>, ip: IpAddr) -> Request {
    let device = device.into();
    Request::route(
        &RouteNetlinkMessage::DelNeighbour(message(device.index, ip)),
        Mode::Existing,
        format!("forget neighbour {ip} on {device}"),
    )
}

/// Asks at once for a neighbour that has been asked for in vain.
///
/// Packets that wait for the answer go on waiting, where deleting the entry would
/// fail them (EHOSTUNREACH). First the entry is taken back to "never asked",
/// which stops its timer, then used, which asks: `__neigh_update` and
/// `neigh_event_send` in net/core/neighbour.c.
pub(crate) fn ask_again<'a>(device: impl Into<Device<'a>>, ip: IpAddr) -> [Request; 2] {
    let device = device.into();
    let (mut afresh, mut used) = (message(device.index, ip), message(device.index, ip));
    afresh.header.state = NeighbourState::None;
    used.header.flags = NeighbourFlags::Use;
    [afresh, used].map(|message| {
        Request::route(
            &RouteNetlinkMessage::NewNeighbour(message),
            Mode::Replace,
            format!("ask for neighbour {ip} on {device}"),
        )
    })
}

/// An entry as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NeighbourEntry {
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    /// `None` while resolution has not succeeded.
    pub(crate) mac: Option<MacAddr>,
    pub(crate) permanent: bool,
    /// It is being asked for, and has not answered yet.
    pub(crate) incomplete: bool,
}

/// Every entry of the socket's namespace, v4 and v6.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<NeighbourEntry>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()),
        Mode::Existing,
        "list the neighbours".to_owned(),
    );
    socket.dump(&request, parse)
}

fn message(index: u32, ip: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header =
        NeighbourHeader { family: family(ip), ifindex: index, ..NeighbourHeader::default() };
    message.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::from(ip))];
    message
}

fn parse(bytes: &[u8]) -> Result<Option<NeighbourEntry>> {
    let message =
        NeighbourMessage::parse(bytes).map_err(|error| malformed("a neighbour", error))?;
    let mut ip = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => ip = Some((*v4).into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => ip = Some((*v6).into()),
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = bytes.as_slice().try_into().ok().map(MacAddr::new);
            }
            _ => {}
        }
    }
    Ok(ip.map(|ip| NeighbourEntry {
        index: message.header.ifindex,
        ip,
        mac,
        permanent: message.header.state == NeighbourState::Permanent,
        incomplete: message.header.state == NeighbourState::Incomplete,
    }))
}
