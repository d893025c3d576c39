//! The neighbour table: which MAC address belongs to which IP address (ARP, ND).
//!
//! The traps:
//! - An entry exists for up to a minute after its neighbour is gone. If another host takes over
//!   the address, the old entries must be forgotten ([`forget`]).
//! - The kernel repeats an unanswered request only after `retrans_time_ms`, which is 1 s.
//!
//! See ip-neighbour(8), arp(7).

use std::net::IpAddr;

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourHeader, NeighbourMessage,
    NeighbourState,
};

use nix::libc;

use super::addr::family;
use super::device::Device;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::addr::MacAddr;
use crate::error::Result;

/// Adds a permanent entry, which the kernel does not resolve.
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

/// Deletes an entry. Succeeds if it is gone.
pub(crate) fn delete<'a>(device: impl Into<Device<'a>>, ip: IpAddr) -> Request {
    let device = device.into();
    Request::route(
        &RouteNetlinkMessage::DelNeighbour(message(device.index, ip)),
        Mode::Existing,
        format!("delete neighbour {ip} on {device}"),
    )
    .unless_gone()
}

/// Forgets the MAC address of an entry, so that the next packet to it sends an ARP or ND
/// request. Packets that wait for the neighbour continue to wait. Succeeds if there is no entry.
pub(crate) fn forget<'a>(device: impl Into<Device<'a>>, ip: IpAddr) -> Request {
    let device = device.into();
    let mut message = message(device.index, ip);
    message.header.state = NeighbourState::None;
    Request::route(
        &RouteNetlinkMessage::NewNeighbour(message),
        Mode::Existing,
        format!("forget neighbour {ip} on {device}"),
    )
    .with_flags(libc::NLM_F_REPLACE)
    .unless_gone()
}

/// Repeats the ARP or ND request for an unresolved neighbour at once.
///
/// Packets that wait for the neighbour continue to wait. Deleting the entry would make them
/// fail with EHOSTUNREACH. The first request sets the entry to NUD_NONE, which stops its
/// timer. The second uses the entry, which sends the ARP or ND request (`__neigh_update`,
/// `neigh_event_send`, net/core/neighbour.c).
pub(crate) fn resolve_again<'a>(device: impl Into<Device<'a>>, ip: IpAddr) -> [Request; 2] {
    let device = device.into();
    let mut used = message(device.index, ip);
    used.header.flags = NeighbourFlags::Use;
    let resolve = Request::route(
        &RouteNetlinkMessage::NewNeighbour(used),
        Mode::Replace,
        format!("resolve neighbour {ip} on {device}"),
    );
    [forget(device, ip), resolve]
}

/// An entry, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NeighbourEntry {
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    /// `None` while it is not resolved.
    pub(crate) mac: Option<MacAddr>,
    pub(crate) permanent: bool,
    /// It is used without a request (NUD_NOARP). The kernel has such entries for multicast.
    pub(crate) noarp: bool,
    /// An answer has come at some time. Entries for multicast and for what needs no ARP or ND
    /// are not learnt.
    pub(crate) learnt: bool,
    /// A request was sent, and there is no answer yet.
    pub(crate) incomplete: bool,
}

/// All entries of the socket's namespace, of both IP versions.
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
        noarp: message.header.state == NeighbourState::Noarp,
        learnt: matches!(
            message.header.state,
            NeighbourState::Reachable
                | NeighbourState::Stale
                | NeighbourState::Delay
                | NeighbourState::Probe
        ),
        incomplete: message.header.state == NeighbourState::Incomplete,
    }))
}
