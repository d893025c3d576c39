//! Refused routes, and routers with contradictory settings.

use super::bad_input::refused;
use super::*;
use crate::addr::Subnet;
use crate::error::ErrorCode;
use crate::topology::nat::{Firewall, Nat, Nat6, Protocol};
use crate::topology::spec::{DefaultVia, PortForward};

#[test]
fn routes() {
    let mut net = Net::with_peers(&["a"]);
    let [x, y, z] = ["x", "y", "z"].map(|name| net.lan(name, &[]));
    let r = net.router(router("r"), &[x], y);
    let a = net.now.spec().find_node("a").unwrap();
    let lonely = net.node("lonely", &[]);
    let default: Subnet = "0.0.0.0/0".parse().unwrap();
    refused(
        &mut net,
        |s| s.add_route(a, default, ip("10.0.3.254")),
        ErrorCode::Route,
        &["node `a` via 10.0.3.254", "no other node on its networks"],
    );
    refused(
        &mut net,
        |s| s.add_route(a, default, ip("fd00::1")),
        ErrorCode::Route,
        &["one is IPv4 and the other IPv6"],
    );
    net.change(|s| s.add_route(a, default, ip("10.0.2.1"))).unwrap();
    assert_eq!(net.routes(a), ["default via 10.0.2.1 dev eth0"]);
    refused(
        &mut net,
        |s| s.add_route(a, default, ip("10.0.2.1")),
        ErrorCode::Route,
        &["has a route to it"],
    );
    net.change(|s| s.remove_route(a, default)).unwrap();
    refused(&mut net, |s| s.remove_route(a, default), ErrorCode::NotFound, &["node `a`"]);
    refused(
        &mut net,
        |s| s.set_default(a, DefaultVia::Router(r)),
        ErrorCode::Route,
        &["router `r`", "node `a`", "share no LAN"],
    );
    refused(
        &mut net,
        |s| s.set_default(a, DefaultVia::Router(NodeId::TEST)),
        ErrorCode::Route,
        &["node `test`", "does not forward"],
    );
    refused(
        &mut net,
        |s| s.set_default(lonely, DefaultVia::Blackhole),
        ErrorCode::Route,
        &["node `lonely`", "no network"],
    );
    net.router(router("r2"), &[y], z);
    let circle =
        NewRouter { joins: vec![(Join::of(z), false), (Join::of(x), true)], ..router("r3") };
    refused(
        &mut net,
        |s| s.add_router(&circle),
        ErrorCode::RouteCycle,
        &["IPv4", "r → r2 → r3 → r"],
    );
}

#[test]
fn routers() {
    let mut net = Net::with_peers(&["a"]);
    let a = net.now.spec().find_node("a").unwrap();
    let internet =
        net.change(|s| s.add_lan(&NewLan { without_ipv6: true, ..lan("internet") })).unwrap();
    let home = net.lan("home", &[]);
    let r = net.router(router("r"), &[home], internet);
    let inner = net
        .change(|s| {
            s.add_router(&NewRouter { joins: vec![(Join::of(home), false)], ..router("inner") })
        })
        .unwrap();
    refused(
        &mut net,
        |s| s.set_nat(inner, Some(Nat::FULL_CONE)),
        ErrorCode::Nat,
        &["router `inner`", "no WAN", "`.wan(&lan)`"],
    );
    refused(
        &mut net,
        |s| s.set_firewall(inner, Firewall::BlockInbound),
        ErrorCode::Nat,
        &["router `inner`"],
    );
    refused(&mut net, |s| s.set_nat(a, Some(Nat::FULL_CONE)), ErrorCode::Nat, &["node `a`"]);
    refused(
        &mut net,
        |s| s.set_nat6(r, Nat6::Nat(Nat::FULL_CONE)),
        ErrorCode::Nat,
        &["router `r`", "LAN `internet`", "has no IPv6"],
    );
    let wan6 = net.lan("wan6", &[]);
    let r6 = net.router(router("r6"), &[home], wan6);
    let prefix = |text: &str| Nat6::Prefix(text.parse().unwrap());
    refused(
        &mut net,
        |s| s.set_nat6(r6, prefix("2001:db8::/48")),
        ErrorCode::Nat,
        &["2001:db8::/48", "fd00:4::/64"],
    );
    refused(
        &mut net,
        |s| s.set_nat6(r6, prefix("fd00:5::/64")),
        ErrorCode::SubnetOverlap,
        &["fd00:5::/64", "LAN `wan6`"],
    );
    let to = |node, port| PortForward { protocol: Protocol::Tcp, port, node, node_port: 80 };
    refused(
        &mut net,
        |s| s.forward_port(r, to(a, 80)),
        ErrorCode::Nat,
        &["router `r`", "node `a`", "no LAN that the router serves"],
    );
    let laptop = net.node("laptop", &[home]);
    refused(
        &mut net,
        |s| s.forward_port(r, to(laptop, 0)),
        ErrorCode::Nat,
        &["port 0 does not exist"],
    );
    net.change(|s| s.forward_port(r, to(laptop, 80))).unwrap();
    refused(
        &mut net,
        |s| s.forward_port(r, to(laptop, 80)),
        ErrorCode::InUse,
        &["tcp port 80", "router `r`"],
    );
    refused(
        &mut net,
        |s| s.unforward_port(r, Protocol::Udp, 80),
        ErrorCode::NotFound,
        &["udp port 80"],
    );
    let two = NewRouter {
        joins: vec![(Join::of(home), true), (Join::of(internet), true)],
        ..router("two")
    };
    refused(&mut net, |s| s.add_router(&two), ErrorCode::Config, &["router `two`", "at most one"]);
    refused(
        &mut net,
        |s| s.remove_node(laptop),
        ErrorCode::InUse,
        &["node `laptop`", "router `r` forwards a port"],
    );
    let third = net.lan("third", &[]);
    net.change(|s| s.set_nat6(r6, prefix("2001:db8::/64"))).unwrap();
    refused(
        &mut net,
        |s| s.join_router(r6, &Join::of(third), false),
        ErrorCode::Nat,
        &["router `r6`", "exactly one LAN"],
    );
    refused(
        &mut net,
        |s| s.join_router(r6, &Join::of(third), true),
        ErrorCode::Config,
        &["at most one"],
    );
    refused(
        &mut net,
        |s| s.join_router(laptop, &Join::of(third), false),
        ErrorCode::Nat,
        &["node `laptop`", "no router"],
    );
    net.change(|s| s.join_router(inner, &Join::of(third), true)).unwrap();
}
