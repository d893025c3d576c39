//! A node that has no route to the destination: its kernel refuses to send.

use std::net::IpAddr;
use std::time::Duration;

use super::Hint;
use crate::addr::Subnet;
use crate::evidence::story::{KnownNode, Story};

/// What a newcomer may not expect.
pub(super) const NO_INTERNET: &str = "a test has no Internet without `#[netns_test(uplink)]`";

/// A call failed with ENETUNREACH. Which node called is not known. Where the error does not name
/// the destination, only a route that was removed says which it was.
pub(super) fn no_route(story: &Story) -> Option<Hint> {
    if !story.names_error(&[101]) || story.nodes.is_empty() {
        return None;
    }
    let named = addresses(&story.verdict).next();
    let gaps: Vec<Gap<'_>> = gaps(story)
        .into_iter()
        .filter(|gap| named.map_or(gap.removed.is_some(), |named| gap.address == named))
        .collect();
    // A route that was removed last is more probable than one that never existed.
    let error = "(ENETUNREACH, so no packet was sent)";
    let internet = match named {
        Some(to) if !is_global(to) => String::new(),
        _ => format!("; {NO_INTERNET}"),
    };
    let Some(gap) = gaps.iter().rev().max_by_key(|gap| gap.removed.map(|(time, _)| time)) else {
        return Some(Hint::new(match (without_default(story), named) {
            (nodes, Some(to)) if nodes.is_empty() => {
                format!("the node has no route to {to} {error}{internet}")
            }
            (nodes, None) if nodes.is_empty() => {
                format!("the node has no route to the destination {error}{internet}")
            }
            (nodes, to) => {
                let (nodes, has) =
                    (nodes.join(" and "), if nodes.len() == 1 { "has" } else { "have" });
                let to = to.map(|to| format!(" to {to}")).unwrap_or_default();
                format!(
                    "no route{to} {error}: {nodes} {has} no default route, and so no route out of their own networks{internet}"
                )
            }
        }));
    };
    let (from, to, address) = (&gap.from.name, &gap.to.name, gap.address);
    let why = match gap.removed {
        Some((time, route)) => {
            format!(": its route `{route}` was removed at {}", story.clock(*time))
        }
        None => ": it has no default route".to_owned(),
    };
    Some(Hint::new(format!("{from} has no route to {address} ({to}) {error}{why}")))
}

/// The nodes without a default route.
fn without_default(story: &Story) -> Vec<&str> {
    let nodes = story.nodes.values().filter(|node| {
        let has = node.routes.iter().any(|route| route.starts_with("default"));
        !node.removed && !node.interfaces.is_empty() && !has
    });
    nodes.map(|node| node.name.as_str()).collect()
}

/// The interface by which a node sends to an address, as far as its recorded routes tell.
pub(super) fn device(node: &KnownNode, address: IpAddr) -> Option<&str> {
    let own = node.interfaces.values().filter(|known| !known.removed);
    let mut own = own.filter(|known| {
        known.addresses.iter().any(|(own, length)| Subnet::of(*own, *length).contains(address))
    });
    // With several, their order decides.
    match (own.next(), own.next()) {
        (Some(only), None) => Some(&only.name),
        (Some(_), Some(_)) => None,
        (None, _) => {
            let mut routes = node.routes.iter().filter(|route| leads_to(route, address));
            let route = routes.next().filter(|_| routes.next().is_none())?;
            route.split(' ').skip_while(|word| *word != "dev").nth(1)
        }
    }
}

/// A node that has no route to an address of another.
struct Gap<'a> {
    from: &'a KnownNode,
    to: &'a KnownNode,
    address: IpAddr,
    /// The route that it had.
    removed: Option<&'a (Duration, String)>,
}

fn gaps(story: &Story) -> Vec<Gap<'_>> {
    let nodes = || story.nodes.values().filter(|node| !node.removed);
    let mut gaps = Vec::new();
    for from in nodes().filter(|node| !node.interfaces.is_empty()) {
        for to in nodes() {
            let addresses = to.interfaces.values().flat_map(|known| &known.addresses);
            let missing = addresses
                .map(|(address, _)| *address)
                .find(|address| !is_link_local(*address) && !reaches(from, *address));
            if let Some(address) = missing {
                let removed = from.removed_routes.iter().rev();
                let removed = removed.into_iter().find(|(_, route)| leads_to(route, address));
                gaps.push(Gap { from, to, address, removed });
            }
        }
    }
    gaps
}

/// Whether a node has an address or a route for it.
pub(super) fn reaches(from: &KnownNode, address: IpAddr) -> bool {
    let mut own = from.interfaces.values().flat_map(|known| &known.addresses);
    own.any(|(own, length)| Subnet::of(*own, *length).contains(address))
        || from.routes.iter().any(|route| leads_to(route, address))
}

/// Whether a route, as ip(8) prints it, leads to an address.
pub(super) fn leads_to(route: &str, address: IpAddr) -> bool {
    let mut words = route.split(' ');
    let destination = words.next().unwrap_or_default();
    let gateway = words.skip_while(|word| *word != "via").nth(1);
    let gateway: Option<IpAddr> = gateway.and_then(|gateway| gateway.parse().ok());
    match destination.split_once('/') {
        Some((network, length)) => match (network.parse(), length.parse()) {
            (Ok(network), Ok(length)) => Subnet::of(network, length).contains(address),
            _ => false,
        },
        None => gateway.is_none_or(|gateway| gateway.is_ipv4() == address.is_ipv4()),
    }
}

/// Whether an address is one of the Internet, and not of the ranges that networks choose from.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local()),
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// The addresses in a text.
fn addresses(text: &str) -> impl Iterator<Item = IpAddr> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':')
        .filter(|word| word.len() > 3)
        .filter_map(|word| {
            let word = word.trim_end_matches(['.', ':']);
            let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
            word.parse().or_else(|_| host.parse()).ok()
        })
}
