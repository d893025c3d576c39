//! Addresses of devices.
//!
//! The trap: an IPv6 address is *tentative* until duplicate address detection
//! has waited for a second, and while it is, `connect` may choose `::1` as the
//! source and hang. Every address of ours says IFA_F_NODAD; `accept_dad = 0`
//! before the device exists covers those that the kernel adds (RFC 4862 §5.4,
//! net/ipv6/addrconf.c).

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::Parseable;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressHeaderFlags, AddressMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::device::Device;
use super::message::{Mode, Request, malformed};
use crate::addr::Prefix;
use crate::error::Result;

/// Gives the device an address; the kernel adds the route to its network.
pub(crate) fn add<'a>(device: impl Into<Device<'a>>, address: Prefix) -> Request {
    let device = device.into();
    let mut message = message(device.index, address);
    match address.ip {
        IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
        // Programs ask the interface whom a broadcast goes to (netdevice(7)); the
        // two addresses of a /31 have none (RFC 3021).
        IpAddr::V4(ip) if address.length < 31 => {
            let broadcast = ip | Ipv4Addr::from_bits(u32::MAX >> address.length);
            message.attributes.push(AddressAttribute::Broadcast(broadcast));
        }
        IpAddr::V4(_) => {}
    }
    Request::route(
        &RouteNetlinkMessage::NewAddress(message),
        Mode::Create,
        format!("add address {address} to {device}"),
    )
}

/// Takes an address away, and with it the routes that depend on it.
pub(crate) fn delete<'a>(device: impl Into<Device<'a>>, address: Prefix) -> Request {
    let device = device.into();
    Request::route(
        &RouteNetlinkMessage::DelAddress(message(device.index, address)),
        Mode::Existing,
        format!("delete address {address} from {device}"),
    )
}

/// An address as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) index: u32,
    pub(crate) prefix: Prefix,
    /// Not usable yet.
    pub(crate) tentative: bool,
    /// Never usable: somebody else has it.
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
    // IPv6 says IFA_LOCAL only on point-to-point links.
    Ok(local.or(other).map(|ip| Address {
        index: message.header.index,
        prefix: Prefix::new(ip, message.header.prefix_len),
        tentative: flags.contains(AddressFlags::Tentative),
        duplicate: flags.contains(AddressFlags::Dadfailed),
    }))
}
