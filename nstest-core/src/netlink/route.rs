//! Routes.
//!
//! The traps:
//! - Adding an IPv4 route through a gateway fails with ENETUNREACH while the interface is down.
//! - Setting an interface down removes its IPv6 routes. Setting it up again does not restore
//!   them. So nstest sets down the far end of a link.
//! - A dump also contains the `local` table.
//!
//! See rtnetlink(7) and ip-route(8).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope,
    RouteType,
};

use super::addr::family;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::addr::Prefix;
use crate::error::Result;

pub(super) const TABLE_DEFAULT: u8 = 253;
pub(super) const TABLE_MAIN: u8 = 254;
pub(super) const TABLE_LOCAL: u8 = 255;

/// What the kernel does with a packet that matches a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteTarget {
    /// Sends it to the gateway, or to the destination itself.
    Via { gateway: Option<IpAddr>, device: Option<u32> },
    /// Drops it. A local sender gets EINVAL.
    Blackhole,
    /// Answers with ICMP host unreachable. A local sender gets EHOSTUNREACH.
    Unreachable,
    /// Answers with ICMP administratively prohibited. A local sender gets EACCES.
    Prohibit,
}

/// A route of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// A default route has `0.0.0.0/0` or `::/0`.
    pub(crate) destination: Prefix,
    pub(crate) target: RouteTarget,
    /// The source address of packets that this host sends.
    pub(crate) source: Option<IpAddr>,
    /// The route with the smallest metric is preferred.
    pub(crate) metric: Option<u32>,
    /// The gateway is on the link, although no subnet of the interface contains it.
    pub(crate) onlink: bool,
    /// The kernel has added it, with an address or an interface.
    pub(crate) of_kernel: bool,
}

impl Route {
    pub(crate) fn to(destination: Prefix, target: RouteTarget) -> Self {
        Self { destination, target, source: None, metric: None, onlink: false, of_kernel: false }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(self.destination.ip),
            destination_prefix_length: self.destination.length,
            table: TABLE_MAIN,
            protocol: RouteProtocol::Static,
            scope: RouteScope::Universe,
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        let attributes = &mut message.attributes;
        if self.destination.length > 0 {
            let ip = RouteAddress::from(self.destination.ip);
            attributes.push(RouteAttribute::Destination(ip));
        }
        match self.target {
            RouteTarget::Via { gateway, device } => {
                if gateway.is_none() && self.destination.ip.is_ipv4() {
                    message.header.scope = RouteScope::Link;
                }
                attributes.extend(gateway.map(|ip| RouteAttribute::Gateway(ip.into())));
                attributes.extend(device.map(RouteAttribute::Oif));
            }
            RouteTarget::Blackhole => message.header.kind = RouteType::BlackHole,
            RouteTarget::Unreachable => message.header.kind = RouteType::Unreachable,
            RouteTarget::Prohibit => message.header.kind = RouteType::Prohibit,
        }
        if self.onlink {
            message.header.flags |= RouteFlags::Onlink;
        }
        attributes.extend(self.source.map(|ip| RouteAttribute::PrefSource(ip.into())));
        attributes.extend(self.metric.map(RouteAttribute::Priority));
        message
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        match self.target {
            RouteTarget::Via { gateway, device } => {
                if let Some(gateway) = gateway {
                    write!(f, " via {gateway}")?;
                }
                match device {
                    Some(device) => write!(f, " on interface #{device}"),
                    None => Ok(()),
                }
            }
            RouteTarget::Blackhole => f.write_str(" (blackhole)"),
            RouteTarget::Unreachable => f.write_str(" (unreachable)"),
            RouteTarget::Prohibit => f.write_str(" (prohibit)"),
        }
    }
}

/// Adds a route. `Mode::Replace` replaces the route to the same destination.
pub(crate) fn add(route: &Route, mode: Mode) -> Request {
    Request::route(
        &RouteNetlinkMessage::NewRoute(route.message()),
        mode,
        format!("add the route to {route}"),
    )
}

/// Deletes a route, also one that a program has added. Succeeds if it is gone.
pub(crate) fn delete(route: &Route) -> Request {
    let mut message = route.message();
    // These match any route (fib_table_delete, net/ipv4/fib_trie.c; ip6_route_del).
    (message.header.protocol, message.header.scope) = (RouteProtocol::Unspec, RouteScope::NoWhere);
    Request::route(
        &RouteNetlinkMessage::DelRoute(message),
        Mode::Existing,
        format!("delete the route to {route}"),
    )
    .unless_gone()
}

/// The routes of the main table, of both IP versions, including those of the kernel.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<Route>> {
    dump(socket, |message| match message.header.table {
        TABLE_MAIN => read(&message),
        _ => None,
    })
}

/// What `read` takes of the routes of all tables, of both IP versions.
fn dump<T>(socket: &mut Socket, read: impl Fn(RouteMessage) -> Option<T>) -> Result<Vec<T>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetRoute(RouteMessage::default()),
        Mode::Existing,
        "list the routes".to_owned(),
    );
    let parse =
        |bytes: &[u8]| RouteMessage::parse(bytes).map_err(|error| malformed("a route", error));
    socket.dump(&request, |bytes| Ok(read(parse(bytes)?)))
}

/// A route of the tables `local` and `default`, which the rules of a new namespace use, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherRoute {
    pub(crate) destination: Prefix,
    pub(crate) device: Option<u32>,
    /// Packets to it are for this host: it leads to an address.
    pub(crate) is_local: bool,
    /// It is for packets to multicast groups.
    pub(crate) is_multicast: bool,
    /// The kernel has added it, with an address or an interface.
    pub(crate) of_kernel: bool,
    message: RouteMessage,
}

impl OtherRoute {
    /// Whether the kernel has added it, for packets to this host that come to `device`.
    pub(crate) fn is_to(&self, destination: Prefix, device: u32) -> bool {
        let found = (self.is_local, self.of_kernel, self.destination, self.device);
        found == (true, true, destination, Some(device))
    }

    /// Deletes it. Succeeds if it is gone.
    pub(crate) fn delete(&self) -> Request {
        let mut message = self.message.clone();
        message.header.flags = RouteFlags::empty();
        message.attributes.retain(|attribute| {
            matches!(
                attribute,
                RouteAttribute::Destination(_)
                    | RouteAttribute::Gateway(_)
                    | RouteAttribute::Oif(_)
                    | RouteAttribute::Priority(_)
            )
        });
        let table = if message.header.table == TABLE_LOCAL { "local" } else { "default" };
        let what = format!("delete the route to {} in the table {table}", self.destination);
        Request::route(&RouteNetlinkMessage::DelRoute(message), Mode::Existing, what).unless_gone()
    }
}

/// The routes of the tables `local` and `default`, of both IP versions.
pub(crate) fn list_others(socket: &mut Socket) -> Result<Vec<OtherRoute>> {
    dump(socket, |message| {
        let is_other = [TABLE_LOCAL, TABLE_DEFAULT].contains(&message.header.table);
        let destination = destination(&message);
        is_other.then(|| OtherRoute {
            destination,
            device: message.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Oif(index) => Some(*index),
                _ => None,
            }),
            is_local: message.header.kind == RouteType::Local,
            is_multicast: destination.ip.is_multicast(),
            of_kernel: message.header.protocol == RouteProtocol::Kernel,
            message,
        })
    })
}

fn destination(message: &RouteMessage) -> Prefix {
    let given = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(to) => ip(to),
        _ => None,
    });
    let all: IpAddr = match message.header.address_family {
        netlink_packet_route::AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    Prefix::new(given.unwrap_or(all), message.header.destination_prefix_length)
}

/// A route of a kind that the topology has.
fn read(message: &RouteMessage) -> Option<Route> {
    let (mut gateway, mut device, mut source, mut metric) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(via) => gateway = ip(via),
            RouteAttribute::PrefSource(from) => source = ip(from),
            RouteAttribute::Oif(index) => device = Some(*index),
            RouteAttribute::Priority(priority) => metric = Some(*priority),
            _ => {}
        }
    }
    let target = match message.header.kind {
        RouteType::Unicast => RouteTarget::Via { gateway, device },
        RouteType::BlackHole => RouteTarget::Blackhole,
        RouteType::Unreachable => RouteTarget::Unreachable,
        RouteType::Prohibit => RouteTarget::Prohibit,
        _ => return None,
    };
    Some(Route {
        destination: destination(message),
        target,
        source,
        metric,
        onlink: message.header.flags.contains(RouteFlags::Onlink),
        of_kernel: message.header.protocol == RouteProtocol::Kernel,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}
