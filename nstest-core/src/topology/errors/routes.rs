//! Of routes, routers and NATs.

use std::net::IpAddr;

use crate::addr::{Family, Subnet};
use crate::error::{Error, ErrorCode};
use crate::topology::nat::Protocol;

pub(in crate::topology) fn route_between_families(
    node: &str,
    destination: Subnet,
    gateway: IpAddr,
) -> Error {
    Error::new(ErrorCode::Route, format!("route {destination} of {node} via {gateway}"))
        .source("one is IPv4 and the other IPv6")
        .help("give a gateway of the destination's kind")
}

pub(in crate::topology) fn route_twice(node: &str, destination: Subnet) -> Error {
    Error::new(ErrorCode::Route, format!("route {destination} of {node}"))
        .source("it has a route to it")
        .help("remove that one first")
}

pub(in crate::topology) fn no_such_route(node: &str, destination: Subnet) -> Error {
    Error::new(ErrorCode::NotFound, format!("remove the route of {node} to {destination}"))
        .source("no such route was added")
        .help("other routes follow from the LANs and routers: change those instead")
}

pub(in crate::topology) fn gateway_off_link(
    node: &str,
    destination: &str,
    gateway: IpAddr,
) -> Error {
    Error::new(ErrorCode::Route, format!("route {destination} of {node} via {gateway}"))
        .source("no other node on its networks has that address")
        .help("name a router or node that shares a LAN with it")
}

pub(in crate::topology) fn gateway_itself(node: &str, destination: &str, gateway: IpAddr) -> Error {
    Error::new(ErrorCode::Route, format!("route {destination} of {node} via {gateway}"))
        .source("it is an address of that node itself, and a gateway is another node")
        .help("name a router or node that shares a LAN with it")
}

pub(in crate::topology) fn no_shared_lan(node: &str, router: &str) -> Error {
    Error::new(ErrorCode::Route, format!("make {router} the default route of {node}"))
        .source("they share no LAN on which both have addresses of one kind")
        .help("join both to one LAN")
}

pub(in crate::topology) fn not_a_router(node: &str, other: &str) -> Error {
    Error::new(ErrorCode::Route, format!("make {other} the default route of {node}"))
        .source("it does not forward packets")
        .help("name a router")
}

pub(in crate::topology) fn blackhole_nowhere(node: &str) -> Error {
    Error::new(ErrorCode::Route, format!("blackhole the default route of {node}"))
        .source("it is on no network, so it has no interface on which the packets can leave")
        .help("join it to a LAN first; the LAN may have no other node")
}

pub(in crate::topology) fn default_cycle(family: Family, routers: &[String]) -> Error {
    Error::new(ErrorCode::RouteCycle, format!("find the {family} default routes of the routers"))
        .source(format!("they lead in a circle: {}", routers.join(" → ")))
        .help("make the WAN of one of them a network that none of the others serves")
}

pub(in crate::topology) fn two_wans(router: &str) -> Error {
    Error::new(ErrorCode::Config, format!("give {router} two WANs"))
        .source("a router has at most one")
        .help("make the second one a LAN of it, and set its default route by name")
}

pub(in crate::topology) fn nothing_to_rebind(router: &str) -> Error {
    Error::new(ErrorCode::Nat, format!("give the mappings of {router} new ports"))
        .source("it does not translate ports")
        .help("set a NAT first: `.nat(Nat::PORT_RESTRICTED)` or `set_nat`, for IPv6 `Nat6::Nat`")
}

pub(in crate::topology) fn needs_wan(router: &str, what: &str) -> Error {
    Error::new(ErrorCode::Nat, format!("give {router} {what}"))
        .source("it has no WAN")
        .help("say which network is outside, with `.wan(&lan)`")
}

pub(in crate::topology) fn left_its_wan(router: &str, what: &str) -> Error {
    Error::new(ErrorCode::Nat, format!("give {router} {what}"))
        .source("it has no WAN: it has left that LAN")
        .help("join one first: `router.join(&lan)`")
}

pub(in crate::topology) fn wan_elsewhere(router: &str, lan: &str, wan: &str) -> Error {
    Error::new(ErrorCode::Config, format!("join the {lan} with {router}"))
        .source(format!("it was a WAN of the router, which has another one now: the {wan}"))
        .help("leave that one first, or `roam` from it to this one")
}

pub(in crate::topology) fn wan_without(
    router: &str,
    what: &str,
    family: Family,
    lan: &str,
) -> Error {
    Error::new(ErrorCode::Nat, format!("give {router} {what}"))
        .source(format!("its WAN, the {lan}, has no {family}"))
        .help("give that LAN a subnet of this kind")
}

pub(in crate::topology) fn no_router(node: &str) -> Error {
    Error::new(ErrorCode::Nat, format!("let {node} forward packets"))
        .source("it is no router")
        .help("make it one with `net.add_router(..)`")
}

pub(in crate::topology) fn bad_prefix(
    router: &str,
    external: Subnet,
    internal: &[Subnet],
) -> Error {
    let have: Vec<String> = internal.iter().map(ToString::to_string).collect();
    Error::new(ErrorCode::Nat, format!("let {router} translate to the prefix {external}"))
        .source(format!(
            "behind it are the IPv6 subnets [{}]; one of the same length is needed",
            have.join(", ")
        ))
        .help("give the router exactly one LAN with IPv6, and a prefix as long as that")
}

pub(in crate::topology) fn prefix_in_use(router: &str, external: Subnet, lan: &str) -> Error {
    Error::new(ErrorCode::SubnetOverlap, format!("let {router} translate to the prefix {external}"))
        .source(format!("the {lan} has addresses of it"))
        .help("take a prefix that no LAN has")
}

pub(in crate::topology) fn not_behind(router: &str, node: &str) -> Error {
    Error::new(ErrorCode::Nat, format!("forward a port of {router} to {node}"))
        .source("that node is on no LAN that the router serves")
        .help("join the node to a LAN of the router")
}

pub(in crate::topology) fn port_zero(router: &str) -> Error {
    Error::new(ErrorCode::Nat, format!("forward a port of {router}"))
        .source("port 0 does not exist")
        .help("name one from 1 to 65535")
}

pub(in crate::topology) fn forwarded_twice(router: &str, protocol: Protocol, port: u16) -> Error {
    Error::new(ErrorCode::InUse, format!("forward {protocol} port {port} of {router}"))
        .source("it is forwarded already")
        .help("remove that forwarding first")
}

pub(in crate::topology) fn not_forwarded(router: &str, protocol: Protocol, port: u16) -> Error {
    Error::new(ErrorCode::NotFound, format!("stop forwarding {protocol} port {port} of {router}"))
        .source("it is not forwarded")
        .help("name a port and protocol that are")
}
