//! The errors of edits and states, with the names that the test uses, and a remedy.

mod routes;

use std::net::IpAddr;

pub(super) use routes::*;

use super::names::NodeName;
use crate::addr::{Family, MacAddr, Subnet, Unusable};
use crate::error::{Error, ErrorCode, Result};

/// IPv6 needs it of every link (RFC 8200 §5); below, the kernel turns IPv6 off.
const IPV6_MIN_MTU: u32 = 1280;
/// RFC 791; and what veth takes at most.
const MTU_RANGE: std::ops::RangeInclusive<u32> = 68..=65535;

pub(in crate::topology) fn check_mtu(lan: &str, mtu: u32, ipv6: bool) -> Result<()> {
    let what = format!("give `{lan}` an MTU of {mtu}");
    if !MTU_RANGE.contains(&mtu) {
        return Err(Error::new(ErrorCode::Config, what)
            .source("an MTU is between 68 and 65535 bytes")
            .help("choose one in this range; that of Ethernet is 1500"));
    }
    if ipv6 && mtu < IPV6_MIN_MTU {
        return Err(Error::new(ErrorCode::Config, what)
            .source("IPv6 needs 1280 at least (RFC 8200 §5)")
            .help("choose a larger one, or switch IPv6 off there"));
    }
    Ok(())
}

pub(in crate::topology) fn node_name_taken(name: &NodeName, other: &NodeName) -> Error {
    let error = Error::new(ErrorCode::NameTaken, format!("name a node `{name}`"));
    if name.as_str() == other.as_str() {
        let own = other.as_str() == super::names::OWN_NODE;
        let whose = if own {
            "it is the name of the test's own node"
        } else {
            "another node has this name"
        };
        error.source(whose).help("choose another one")
    } else {
        error
            .source(format!("as a hostname it is `{}`, and so is node `{other}`", name.hostname()))
            .help("choose a name that differs in more than case, `_` and `-`")
    }
}

pub(in crate::topology) fn lan_name_taken(name: &str) -> Error {
    let error = Error::new(ErrorCode::NameTaken, format!("name a LAN `{name}`"));
    if name == super::names::PARAMETERS_LAN {
        error.source("it is the LAN of the test's `Node` parameters").help("choose another one")
    } else {
        error.source("another LAN or link has this name").help("choose another one")
    }
}

pub(in crate::topology) fn alias_taken(alias: &str, owner: &str) -> Error {
    Error::new(ErrorCode::NameTaken, format!("give a node the alias `{alias}`"))
        .source(format!("the {owner} has this name"))
        .help("choose another one")
}

pub(in crate::topology) fn interface_taken(node: &str, interface: &str) -> Error {
    Error::new(ErrorCode::NameTaken, format!("name an interface of {node} `{interface}`"))
        .source("the node has an interface with this name")
        .help("choose another one")
}

pub(in crate::topology) fn joined_namespace(netns: &str) -> Error {
    Error::new(ErrorCode::Config, format!("build a network around the namespace `{netns}`"))
        .source("the test joined it, and nstest does not change namespaces that it did not make")
        .help("remove `netns = …` from the attribute, or the nodes from the test")
}

pub(in crate::topology) fn no_such<'a>(
    kind: &str,
    name: &str,
    all: impl Iterator<Item = &'a str>,
) -> Error {
    let all: Vec<String> = all.map(|name| format!("`{name}`")).collect();
    let help = if all.is_empty() {
        format!("the test has no {kind} yet")
    } else {
        format!("the test has {}", all.join(", "))
    };
    Error::new(ErrorCode::NotFound, format!("find {kind} `{name}`"))
        .source(format!("there is no {kind} with this name"))
        .help(help)
}

/// For tests that want faults between two of their own sockets.
const NO_LOOPBACK: &str = "let it `join` a LAN, or `connect` it. What a node sends to itself passes \
     no link and meets no fault: run one side in another node, as of a parameter `peer: Node`";

pub(crate) fn not_one_link(node: &str, links: usize) -> Error {
    let error = Error::new(ErrorCode::NotFound, format!("find the link of node `{node}`"));
    match links {
        0 => error.source("it has no link").help(NO_LOOPBACK),
        _ => error.source(format!("it has {links} links")).help("choose one with `link_to(&lan)`"),
    }
}

pub(in crate::topology) fn no_such_link<'a>(
    node: &str,
    interface: Option<&str>,
    has: impl Iterator<Item = &'a str>,
) -> Error {
    let has: Vec<&str> = has.collect();
    let what = match interface {
        Some(interface) => format!("find interface `{interface}` of node `{node}`"),
        None => format!("find the link of node `{node}`"),
    };
    let error = Error::new(ErrorCode::NotFound, what);
    match has.as_slice() {
        [] => error.source("it is on no network").help(NO_LOOPBACK),
        [first, ..] => error
            .source(format!("it has the interfaces {}", has.join(", ")))
            .help(format!("name one of them, as in `{node}.{first}`")),
    }
}

pub(crate) fn gone(kind: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("use a {kind}"))
        .source("it has been removed from this test, or is of another one")
        .help("look it up by name, from this test's `Net`")
}

pub(in crate::topology) fn node_gone(name: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("use node `{name}`"))
        .source("it has been removed from the test")
        .help("remove it after its last use; a node that was added later under this name has a handle of its own")
}

pub(in crate::topology) fn too_many(what: &str, have: usize) -> Error {
    Error::new(ErrorCode::TooMany, format!("add one to {have} {what}"))
        .source("all numbers are in use")
        .help("use fewer in one test")
}

#[cfg(feature = "dns")]
pub(in crate::topology) fn too_many_resolvers(most: usize) -> Error {
    Error::new(ErrorCode::TooMany, format!("let every node query more than {most} resolvers"))
        .source("programs query only the first three in /etc/resolv.conf (MAXNS, resolv.conf(5))")
        .help("remove a node with a resolver first")
}

pub(in crate::topology) fn special_subnet(lan: &str, subnet: Subnet, what: &str) -> Error {
    Error::new(ErrorCode::Subnet, format!("give `{lan}` the subnet {subnet}"))
        .source(format!("it overlaps a range that is {what}"))
        .help("take one of 10.0.0.0/8, 192.168.0.0/16, 203.0.113.0/24 or fd00::/8")
}

pub(in crate::topology) fn two_subnets(lan: &str, first: Subnet, second: Subnet) -> Error {
    Error::new(ErrorCode::Subnet, format!("give `{lan}` the subnets {first} and {second}"))
        .source("a LAN has at most one of IPv4 and one of IPv6")
        .help("make two LANs, or one subnet that holds both")
}

pub(in crate::topology) fn empty_subnet(lan: &str, subnet: Subnet) -> Error {
    Error::new(ErrorCode::Subnet, format!("give `{lan}` the subnet {subnet}"))
        .source("it has no address for a node")
        .help("take a larger one, as a /24 or a /64")
}

pub(in crate::topology) fn subnet_of_no_use(lan: &str, subnet: Subnet, in_test: bool) -> Error {
    let who = if in_test { "this test" } else { "this LAN" };
    Error::new(ErrorCode::Subnet, format!("give `{lan}` the subnet {subnet}"))
        .source(format!("{who} has no {}", subnet.family()))
        .help("leave one of the two out")
}

pub(in crate::topology) fn no_family(lan: &str) -> Error {
    Error::new(ErrorCode::Subnet, format!("give `{lan}` a subnet"))
        .source("both IPv4 and IPv6 are switched off")
        .help("keep one of them")
}

pub(in crate::topology) fn overlap(
    lan: &str,
    subnet: Subnet,
    other: &str,
    others: Subnet,
) -> Error {
    Error::new(ErrorCode::SubnetOverlap, format!("give `{lan}` the subnet {subnet}"))
        .source(format!("it overlaps {others} of the {other}"))
        .help("choose another subnet, or give none to get a free one. If a NAT separates the two LANs, call `may_overlap`")
}

pub(in crate::topology) fn overlap_outside(
    lan: &str,
    subnet: Subnet,
    network: Subnet,
    device: &str,
) -> Error {
    Error::new(ErrorCode::SubnetOverlap, format!("give `{lan}` the subnet {subnet}"))
        .source(format!("the machine has {network} on `{device}`, and the test's uplink leads there"))
        .help(match subnet.is_ipv4() {
            true => "move it: `subnet = \"10.9.0.0/24\"` in the attribute, or `.subnet(\"10.9.0.0/24\")` of the LAN",
            false => "move it: `subnet = \"fd09::/64\"` in the attribute, or `.subnet(\"fd09::/64\")` of the LAN",
        })
}

pub(in crate::topology) fn seen_twice(
    node: &str,
    family: Family,
    a: (&str, Subnet),
    b: (&str, Subnet),
) -> Error {
    Error::new(ErrorCode::SubnetOverlap, format!("find the {family} routes of {node}"))
        .source(format!(
            "it reaches both the {} ({}) and the {} ({}), which overlap",
            a.0, a.1, b.0, b.1
        ))
        .help("give one of them another subnet, or put a NAT between")
}

pub(in crate::topology) fn subnet_full(lan: &str, subnet: Option<Subnet>, node: &str) -> Error {
    let (room, subnet) = subnet.map_or((0, String::new()), |s| (s.capacity(), s.to_string()));
    Error::new(ErrorCode::SubnetFull, format!("find an address on {lan} for {node}"))
        .source(format!("{subnet} has room for {room}, and all are taken"))
        .help("give it a larger subnet, as `10.1.0.0/16`")
}

pub(in crate::topology) fn two_addresses(node: &str, first: IpAddr, second: IpAddr) -> Error {
    Error::new(
        ErrorCode::Address,
        format!("give {node} the addresses {first} and {second} on one LAN"),
    )
    .source("an interface has at most one of IPv4 and one of IPv6")
    .help("leave one out, or join a second LAN")
}

pub(in crate::topology) fn family_missing(node: &str, addr: IpAddr, lan: &str) -> Error {
    Error::new(ErrorCode::Address, format!("give {node} the address {addr}"))
        .source(format!("the {lan} has no {}", Family::of(addr)))
        .help("give that LAN a subnet of this kind, or leave the address out")
}

pub(in crate::topology) fn address_unusable(
    node: &str,
    addr: IpAddr,
    lan: &str,
    subnet: Subnet,
    why: Unusable,
) -> Error {
    let source = match why {
        Unusable::Outside => format!("the {lan} has {subnet}, and the address is not in it"),
        Unusable::Network => {
            format!("it is the lowest of {subnet} ({lan}), which is the address of the network")
        }
        Unusable::Broadcast => format!("it is the broadcast address of {subnet} ({lan})"),
    };
    let error =
        Error::new(ErrorCode::Address, format!("give {node} the address {addr}")).source(source);
    match subnet.host(1) {
        Some(first) => error.help(format!(
            "choose one of {subnet} such as {first}, or give none to get a free one"
        )),
        None => error,
    }
}

pub(in crate::topology) fn address_taken(
    node: &str,
    addr: IpAddr,
    lan: &str,
    other: &str,
) -> Error {
    Error::new(ErrorCode::Address, format!("give {node} the address {addr} on {lan}"))
        .source(format!("the {other} has it"))
        .help("choose another one, or give none to get a free one")
}

pub(in crate::topology) fn mac_not_unicast(mac: MacAddr) -> Error {
    Error::new(ErrorCode::Address, format!("give an interface the MAC address {mac}"))
        .source("it is not the address of a single interface")
        .help("make the first octet even, as in `02:00:00:00:00:01`")
}

pub(in crate::topology) fn mac_taken(mac: MacAddr, other: &str, lan: &str) -> Error {
    Error::new(ErrorCode::Address, format!("give an interface on {lan} the MAC address {mac}"))
        .source(format!("the {other} has it there"))
        .help("choose another one, or give none to get a free one")
}

pub(in crate::topology) fn no_address(
    node: &str,
    on_no_network: bool,
    family: Option<Family>,
) -> Error {
    let what = match family {
        None => format!("find the address of {node}"),
        Some(family) => format!("find the {family} address of {node}"),
    };
    let error = Error::new(ErrorCode::NoAddress, what);
    if on_no_network {
        error.source("it is on no network").help("join it to a LAN, or connect it to another node")
    } else {
        error
            .source("none of its networks has that kind of address")
            .help("give the LAN a subnet of this kind")
    }
}

pub(in crate::topology) fn joined_twice(node: &str, lan: &str) -> Error {
    Error::new(ErrorCode::InUse, format!("join {node} to {lan}"))
        .source("it is there already")
        .help("use the interface that it has there, or join another LAN")
}

pub(in crate::topology) fn not_on(node: &str, lan: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("find the interface of {node} on {lan}"))
        .source("it has no interface there")
        .help("join it first")
}

pub(in crate::topology) fn connected_to_itself(node: &str) -> Error {
    Error::new(ErrorCode::Config, format!("connect {node} to itself"))
        .source("a link joins two different nodes")
        .help("use `lo`, which is up in every node")
}

pub(in crate::topology) fn one_end_of_a_link(link: &str) -> Error {
    Error::new(ErrorCode::InUse, format!("let a node leave the {link}"))
        .source("a link always joins two nodes")
        .help("remove the link, or take it down")
}

pub(in crate::topology) fn no_link_of_its_own(
    what: &str,
    node: &str,
    segment: &str,
    help: &'static str,
) -> Error {
    Error::new(ErrorCode::InUse, format!("{what} the link of {node} to {segment}"))
        .source("it is not a direct link between two nodes")
        .help(help)
}

pub(in crate::topology) fn own_node_removed() -> Error {
    Error::new(ErrorCode::InUse, "remove node `test`")
        .source("the test runs in it")
        .help("let it leave its networks instead")
}

pub(in crate::topology) fn node_in_use(node: &str, why: &str, help: &str) -> Error {
    Error::new(ErrorCode::InUse, format!("remove {node}")).source(why).help(help)
}

pub(in crate::topology) fn lan_in_use(lan: &str, nodes: &[String]) -> Error {
    Error::new(ErrorCode::InUse, format!("remove {lan}"))
        .source(format!("on it: {}", nodes.join(", ")))
        .help("have them leave it first")
}
