//! Neighbours: which Ethernet address answers to which IP address (ARP, NDP).
//!
//! The trap: the entry that resolution leaves behind outlives the neighbour by
//! up to a minute, so whoever takes an address over elsewhere must have the old
//! entries deleted (or announce itself). See ip-neighbour(8), arp(7).

use std::net::IpAddr;

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourHeader, NeighbourMessage, NeighbourState,
};

use super::addr::family;
use super::message::{Mode, Request};
use super::socket::Socket;
use super::{Device, Mac, malformed};
use crate::error::Result;

/// A fixed entry, which no resolution touches.
pub(crate) fn add<'a>(device: impl Into<Device<'a>>, ip: IpAddr, mac: Mac) -> Request {
    let device = device.into();
    let mut message = message(device.index, ip);
    message.header.state = NeighbourState::Permanent;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
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

/// An entry as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    /// `None` while resolution has not succeeded.
    pub(crate) mac: Option<Mac>,
    pub(crate) permanent: bool,
}

/// Every entry of the socket's namespace, v4 and v6.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<Neighbour>> {
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

fn parse(bytes: &[u8]) -> Result<Option<Neighbour>> {
    let message =
        NeighbourMessage::parse(bytes).map_err(|error| malformed("a neighbour", error))?;
    let mut ip = None;
    let mut mac = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => ip = Some((*v4).into()),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => ip = Some((*v6).into()),
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = bytes.as_slice().try_into().ok().map(Mac);
            }
            _ => {}
        }
    }
    Ok(ip.map(|ip| Neighbour {
        index: message.header.ifindex,
        ip,
        mac,
        permanent: message.header.state == NeighbourState::Permanent,
    }))
}
