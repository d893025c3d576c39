//! Addresses of interfaces.
//!
//! The trap: an IPv6 address is *tentative* for a second, during duplicate address detection.
//! In that time, `connect` may choose `::1` as its source and hang. So all addresses are added
//! with IFA_F_NODAD. `accept_dad = 0`, written before the interface exists, has the same effect
//! for the addresses that the kernel adds (RFC 4862, section 5.4; net/ipv6/addrconf.c).

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::Parseable;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::device::Device;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::addr::Prefix;
use crate::error::Result;

/// Adds an address to the interface. The kernel adds the route to its subnet.
pub(crate) fn add<'a>(device: impl Into<Device<'a>>, address: Prefix, mode: Mode) -> Request {
    let device = device.into();
    let mut message = message(device.index, address);
    match address.ip {
        IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
        // Programs read the broadcast address from the interface (netdevice(7)). A /31 has none
        // (RFC 3021).
        IpAddr::V4(ip) if address.length < 31 => {
            let broadcast = ip | Ipv4Addr::from_bits(u32::MAX >> address.length);
            message.attributes.push(AddressAttribute::Broadcast(broadcast));
        }
        IpAddr::V4(_) => {}
    }
    Request::route(
        &RouteNetlinkMessage::NewAddress(message),
        mode,
        format!("add address {address} to {device}"),
    )
}

/// Removes an address, and the routes that depend on it. Succeeds if it is gone.
pub(crate) fn delete<'a>(device: impl Into<Device<'a>>, address: Prefix) -> Request {
    let device = device.into();
    Request::route(
        &RouteNetlinkMessage::DelAddress(message(device.index, address)),
        Mode::Existing,
        format!("delete address {address} from {device}"),
    )
    .unless_gone()
}

/// The addresses of the socket's namespace, of both IP versions.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<Address>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetAddress(AddressMessage::default()),
        Mode::Existing,
        "list the addresses".to_owned(),
    );
    socket.dump(&request, parse)
}

/// An address of an interface, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) index: u32,
    pub(crate) prefix: Prefix,
    /// Not usable yet, because duplicate address detection runs.
    pub(crate) tentative: bool,
    /// Not usable, because another host has it.
    pub(crate) duplicate: bool,
}

fn message(index: u32, address: Prefix) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: family(address.ip),
        prefix_len: address.length,
        index,
        ..AddressHeader::default()
    };
    message.attributes =
        vec![AddressAttribute::Local(address.ip), AddressAttribute::Address(address.ip)];
    message
}

pub(super) fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Option<Address>> {
    let message = AddressMessage::parse(bytes).map_err(|error| malformed("an address", error))?;
    let mut flags = AddressFlags::from_bits_retain(message.header.flags.bits().into());
    let mut local = None;
    let mut other = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => other = Some(*ip),
            AddressAttribute::Flags(all) => flags = *all,
            _ => {}
        }
    }
    // For IPv6, IFA_LOCAL is present only on point-to-point links.
    Ok(local.or(other).map(|ip| Address {
        index: message.header.index,
        prefix: Prefix::new(ip, message.header.prefix_len),
        tentative: flags.contains(AddressFlags::Tentative),
        duplicate: flags.contains(AddressFlags::Dadfailed),
    }))
}
