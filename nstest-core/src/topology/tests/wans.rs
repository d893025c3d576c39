//! Routers that leave their LANs and their WAN, and join them again or others.

use super::bad_input::refused;
use super::*;
use crate::error::ErrorCode;
use crate::topology::nat::{Firewall, Nat, Nat6, Protocol};
use crate::topology::spec::PortForward;

struct Home {
    net: Net,
    internet: SegmentId,
    home: SegmentId,
    router: NodeId,
    laptop: NodeId,
}

/// A router with a NAT of both IP versions, a firewall and a forwarded port.
fn home() -> Home {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24", "2001:db8::/64"]);
    let home = net.lan("home", &["192.168.1.0/24", "fd01::/64"]);
    let nat = Nat::PORT_RESTRICTED;
    let firewall = Firewall::BlockInbound;
    let new =
        NewRouter { nat: Some(nat), nat6: Nat6::Nat(nat), firewall, ..super::router("router") };
    let router = net.router(new, &[home], internet);
    let laptop = net.node("laptop", &[home]);
    net.node("server", &[internet]);
    net.change(|s| s.forward_port(router, forward(laptop))).unwrap();
    Home { net, internet, home, router, laptop }
}

fn forward(node: NodeId) -> PortForward {
    PortForward { protocol: Protocol::Tcp, port: 8080, node, node_port: 80 }
}

impl Home {
    fn leave(&mut self, lan: SegmentId) {
        let router = self.router;
        self.net.change(|s| s.leave(router, lan)).unwrap();
    }

    fn join(&mut self, lan: SegmentId) {
        let router = self.router;
        self.net.change(|s| s.join(router, &Join::of(lan))).unwrap();
    }
}

#[test]
fn a_wan_that_is_left_and_joined_is_the_wan_again() {
    let mut world = home();
    let core = world.net.lan("core", &[]);
    let internet = world.internet;
    world.net.router(router("isp"), &[internet], core);
    let before = world.net.now.state().clone();
    let routes = world.net.routes(world.router);
    assert_eq!(routes[0], "default via 203.0.113.254 dev eth1");
    world.leave(internet);
    assert_eq!(world.net.rules(world.router), "");
    assert_eq!(world.net.routes(world.router), [""; 0]);
    assert!(world.net.last.to_string().contains("conntrack flush"), "{}", world.net.last);
    assert_eq!(world.net.routes(world.laptop)[0], "default via 192.168.1.254 dev eth0");
    world.join(internet);
    let now = world.net.now.state();
    let (was, is) = (&before.nodes[&world.router], &now.nodes[&world.router]);
    assert_eq!((&was.rules, &was.routes), (&is.rules, &is.routes));
}

#[test]
fn a_lan_that_is_left_and_joined_is_served_again() {
    let mut world = home();
    let before = world.net.now.state().clone();
    world.leave(world.home);
    assert_eq!(world.net.routes(world.laptop), [""; 0]);
    assert!(!world.net.rules(world.router).contains("8080"));
    // In the other order, too.
    world.leave(world.internet);
    world.join(world.home);
    world.join(world.internet);
    let now = world.net.now.state();
    for node in [world.router, world.laptop] {
        let (was, is) = (&before.nodes[&node], &now.nodes[&node]);
        assert_eq!(was.routes.len(), is.routes.len());
    }
    assert_eq!(world.net.routes(world.laptop)[0], "default via 192.168.1.254 dev eth0");
    assert!(world.net.rules(world.router).contains("dnat to 192.168.1.1:80"));
}

#[test]
fn another_lan_takes_the_place_of_the_wan_as_with_roaming() {
    let mut roamed = home();
    let lte = roamed.net.lan("lte", &["198.51.100.0/24", "2001:db8:1::/64"]);
    let (router, internet) = (roamed.router, roamed.internet);
    roamed.net.change(|s| s.roam(router, internet, &Join::of(lte))).unwrap();
    let mut left = home();
    assert_eq!(left.net.lan("lte", &["198.51.100.0/24", "2001:db8:1::/64"]), lte);
    left.leave(internet);
    left.join(lte);
    assert!(left.net.rules(router).contains("snat to 198.51.100.1:"));
    assert_eq!(left.net.rules(router), roamed.net.rules(router));
    for world in [&mut left, &mut roamed] {
        // It was a WAN, and would now be a second one.
        refused(
            &mut world.net,
            |s| s.join(router, &Join::of(internet)),
            ErrorCode::Config,
            &["router `router`", "LAN `internet`", "LAN `lte`", "`roam`"],
        );
        // A LAN that it did not serve, while it has its WAN.
        let guests = world.net.lan("guests", &["10.9.0.0/24"]);
        let guest = world.net.node("guest", &[guests]);
        world.join(guests);
        assert_eq!(world.net.routes(guest)[0], "default via 10.9.0.254 dev eth0");
        world.leave(lte);
        world.join(internet);
        assert!(world.net.rules(router).contains("snat to 203.0.113.1:"));
    }
}

#[test]
fn a_wan_that_is_removed_is_replaced_by_the_next_lan() {
    let mut world = home();
    let (router, internet) = (world.router, world.internet);
    world.leave(internet);
    let server = world.net.now.spec().find_node("server").unwrap();
    world.net.change(|s| s.leave(server, internet)).unwrap();
    world.net.change(|s| s.remove_segment(internet)).unwrap();
    assert_eq!(world.net.rules(router), "");
    let lte = world.net.lan("lte", &["198.51.100.0/24"]);
    world.join(lte);
    assert!(world.net.rules(router).contains("snat to 198.51.100.1:"));
}

#[test]
fn a_router_made_without_a_wan_gets_none_by_joining() {
    let mut net = Net::with_peers(&[]);
    let [a, b] = ["a", "b"].map(|name| net.lan(name, &[]));
    let r = net.change(|s| s.add_router(&router("r"))).unwrap();
    for lan in [a, b] {
        net.change(|s| s.join(r, &Join::of(lan))).unwrap();
    }
    let node = net.node("node", &[b]);
    assert_eq!(net.routes(node)[0], "default via 10.0.4.254 dev eth0");
    check_refusals(&mut net, r, node, "`.wan(&lan)`");
}

#[test]
fn settings_of_the_wan_are_refused_without_one() {
    let mut world = home();
    let (router, laptop) = (world.router, world.laptop);
    world.leave(world.internet);
    check_refusals(&mut world.net, router, laptop, "join one first");
    world.net.change(|s| s.unforward_port(router, Protocol::Tcp, 8080)).unwrap();
    world.join(world.internet);
    assert!(!world.net.rules(router).contains("8080"));
}

/// Also what would change nothing.
fn check_refusals(net: &mut Net, r: NodeId, node: NodeId, help: &str) {
    let hints = |what| ["router `", what, "it has no WAN", help];
    for nat in [None, Some(Nat::FULL_CONE)] {
        refused(net, |s| s.set_nat(r, nat), ErrorCode::Nat, &hints("NAT"));
    }
    let prefix = Nat6::Prefix("2001:db8:9::/64".parse().unwrap());
    for (nat, what) in
        [(Nat6::Routed, "NAT"), (Nat6::Nat(Nat::SYMMETRIC), "NAT"), (prefix, "prefix")]
    {
        refused(net, |s| s.set_nat6(r, nat), ErrorCode::Nat, &hints(what));
    }
    for firewall in [Firewall::Open, Firewall::BlockInbound] {
        refused(net, |s| s.set_firewall(r, firewall), ErrorCode::Nat, &hints("a firewall"));
    }
    refused(net, |s| s.forward_port(r, forward(node)), ErrorCode::Nat, &hints("port forwarding"));
    refused(net, |s| s.check_rebinds(r), ErrorCode::Nat, &hints("external ports"));
    refused(net, |s| s.check_wan(r, "x"), ErrorCode::Nat, &hints("x"));
}

#[test]
fn a_prefix_translation_waits_for_its_lan() {
    let mut net = Net::with_peers(&[]);
    let [internet, home, guests] = ["internet", "home", "guests"].map(|name| net.lan(name, &[]));
    let nat6 = Nat6::Prefix("2001:db8:9::/64".parse().unwrap());
    let r = net.router(NewRouter { nat6, ..router("r") }, &[home], internet);
    let rules = net.rules(r);
    for lan in [home, internet] {
        net.change(|s| s.leave(r, lan)).unwrap();
    }
    for lan in [internet, home] {
        net.change(|s| s.join(r, &Join::of(lan))).unwrap();
    }
    assert_eq!(net.rules(r).replace("eth0", "eth1"), rules);
    let hints = ["router `r`", "exactly one LAN"];
    refused(&mut net, |s| s.join(r, &Join::of(guests)), ErrorCode::Nat, &hints);
}
