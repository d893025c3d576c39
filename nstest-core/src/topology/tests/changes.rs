//! What changes while the test runs: the difference, and no more.

use expect_test::{Expect, expect};

use super::*;
use crate::topology::spec::NewNode;

fn check(changes: &Changes, expected: Expect) {
    expected.assert_eq(&without_sysctls(changes));
}

#[test]
fn plug_unplug_and_plug_again() {
    let mut net = Net::with_peers(&["a", "b"]);
    let peers = net.now.spec().find_segment("peers").unwrap();
    let c = net.node("c", &[]);
    check(
        &net.last,
        expect![[r#"
        c: netns add, hostname c
    "#]],
    );
    net.change(|spec| spec.join(c, &Join::of(peers))).unwrap();
    check(
        &net.last,
        expect![[r#"
            c: link add eth0 index 2 address 02:6e:73:00:04:00 mtu 1500 end p5
            LAN `peers`: hub p2 p3 p4 p5
            c: address add 10.0.2.4/24 dev eth0
            c: address add fd00:2::4/64 dev eth0
            c: route add 224.0.0.0/4 dev eth0
            c: route add 255.255.255.255/32 dev eth0
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.2.3 b, fd00:2::3 b, 10.0.2.4 c, fd00:2::4 c
            settle: c.eth0=p5
        "#]],
    );
    let addrs = net.ips(c);
    net.change(|spec| spec.leave(c, peers)).unwrap();
    check(
        &net.last,
        expect![[r#"
            c: route del 224.0.0.0/4 dev eth0
            c: route del 255.255.255.255/32 dev eth0
            LAN `peers`: hub p2 p3 p4
            c: link del eth0 end p5
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.2.3 b, fd00:2::3 b
        "#]],
    );
    let d = net.node("d", &[peers]);
    net.change(|spec| spec.join(c, &Join::of(peers))).unwrap();
    assert_eq!(net.ips(c), addrs, "a node that comes back has its addresses again");
    assert_eq!(net.ips(d), ["10.0.2.5", "fd00:2::5"]);
}

#[test]
fn roaming_moves_the_cable_and_keeps_the_interface() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    let home = net.lan("home", &["192.168.1.0/24"]);
    let cafe = net.lan("cafe", &["192.168.2.0/24"]);
    net.router(router("r1"), &[home], internet);
    net.router(router("r2"), &[cafe], internet);
    let laptop = net.node("laptop", &[home]);
    let before = net.ips(laptop);
    net.change(|spec| spec.roam(laptop, home, &Join::of(cafe))).unwrap();
    check(
        &net.last,
        expect![[r#"
        laptop: route del default via 192.168.1.254 dev eth0
        laptop: route del default via fd00:4::254 dev eth0
        laptop: address del 192.168.1.1/24 dev eth0
        laptop: address del fd00:4::1/64 dev eth0
        LAN `home`: hub p4
        LAN `cafe`: hub p6 p8
        laptop: address add 192.168.2.1/24 dev eth0
        laptop: address add fd00:5::1/64 dev eth0
        laptop: route add default via 192.168.2.254 dev eth0
        laptop: route add default via fd00:5::254 dev eth0
        hosts: 192.168.1.254 r1, fd00:4::254 r1, 203.0.113.1 r1, fd00:3::1 r1, 192.168.2.254 r2, fd00:5::254 r2, 203.0.113.2 r2, fd00:3::2 r2, 192.168.2.1 laptop, fd00:5::1 laptop
        settle: laptop.eth0=p8
    "#]],
    );
    net.change(|spec| spec.roam(laptop, cafe, &Join::of(home))).unwrap();
    assert_eq!(net.ips(laptop), before);
}

#[test]
fn an_address_change_takes_the_routes_along() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    let home = net.lan("home", &["192.168.1.0/24"]);
    let r = net.router(router("r"), &[home], internet);
    let laptop = net.node("laptop", &[home]);
    net.change(|spec| spec.readdress(laptop, home, &[ip("192.168.1.77")])).unwrap();
    check(
        &net.last,
        expect![[r#"
        laptop: route del default via 192.168.1.254 dev eth0
        laptop: address del 192.168.1.1/24 dev eth0
        laptop: address add 192.168.1.77/24 dev eth0
        laptop: route add default via 192.168.1.254 dev eth0
        hosts: 192.168.1.254 r, fd00:4::254 r, 203.0.113.1 r, fd00:3::1 r, 192.168.1.77 laptop, fd00:4::1 laptop
    "#]],
    );
    net.change(|spec| spec.readdress(r, home, &[ip("192.168.1.1")])).unwrap();
    check(
        &net.last,
        expect![[r#"
            r: route del 224.0.0.0/4 dev eth0
            r: route del 255.255.255.255/32 dev eth0
            r: address del 192.168.1.254/24 dev eth0
            laptop: route del default via 192.168.1.254 dev eth0
            r: address add 192.168.1.1/24 dev eth0
            r: route add 224.0.0.0/4 dev eth0
            r: route add 255.255.255.255/32 dev eth0
            laptop: route add default via 192.168.1.1 dev eth0
            hosts: 192.168.1.1 r, fd00:4::254 r, 203.0.113.1 r, fd00:3::1 r, 192.168.1.77 laptop, fd00:4::1 laptop
        "#]],
    );
}

#[test]
fn removing_nodes_links_and_lans() {
    let mut net = Net::with_peers(&["a", "b"]);
    let a = net.now.spec().find_node("a").unwrap();
    let c = net.node("c", &[]);
    let cable = net.change(|spec| spec.connect(a, c, &lan(""))).unwrap();
    check(
        &net.last,
        expect![[r#"
            a: link add eth1 index 3 address 02:6e:73:00:02:01 mtu 1500 end p6
            c: link add eth0 index 2 address 02:6e:73:00:04:00 mtu 1500 end p7
            link `a-c`: cable p6 p7
            a: address add 10.0.3.1/24 dev eth1
            a: address add fd00:3::1/64 dev eth1
            c: address add 10.0.3.2/24 dev eth0
            c: address add fd00:3::2/64 dev eth0
            c: route add 224.0.0.0/4 dev eth0
            c: route add 255.255.255.255/32 dev eth0
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.3.1 a, fd00:3::1 a, 10.0.2.3 b, fd00:2::3 b, 10.0.3.2 c, fd00:3::2 c
            settle: a.eth1=p6 c.eth0=p7
        "#]],
    );
    net.change(|spec| spec.remove_node(c)).unwrap_err();
    net.change(|spec| spec.remove_segment(cable)).unwrap();
    check(
        &net.last,
        expect![[r#"
            c: route del 224.0.0.0/4 dev eth0
            c: route del 255.255.255.255/32 dev eth0
            link `a-c`: removed
            a: link del eth1 end p6
            c: link del eth0 end p7
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.2.3 b, fd00:2::3 b
        "#]],
    );
    net.change(|spec| spec.remove_node(c)).unwrap();
    check(
        &net.last,
        expect![[r#"
        c: netns del
    "#]],
    );
    let empty = net.lan("empty", &[]);
    net.change(|spec| spec.remove_segment(empty)).unwrap();
    check(
        &net.last,
        expect![[r#"
        LAN `empty`: removed
    "#]],
    );
}

#[test]
fn subnets_are_never_handed_out_twice_and_avoid_those_in_use() {
    let mut net = Net::with_peers(&["a"]);
    net.lan("mine", &["10.0.4.0/23"]);
    let subnet = |net: &Net, id| {
        net.now.spec().segment(id).unwrap().subnets().map(|s| s.to_string()).collect::<Vec<_>>()
    };
    // The IPv6 subnet beside it is the first pair's.
    let a = net.lan("a", &[]);
    assert_eq!(subnet(&net, a), ["10.0.6.0/24", "fd00:6::/64"]);
    net.change(|spec| spec.remove_segment(a)).unwrap();
    let b = net.lan("b", &[]);
    assert_eq!(subnet(&net, b), ["10.0.7.0/24", "fd00:7::/64"]);
}

/// At both ends of each link, and of links that follow.
#[test]
fn offloads_are_a_nodes() {
    let mut net = Net::with_peers(&["a", "b"]);
    let a = net.now.spec().find_node("a").unwrap();
    net.change(|spec| spec.set_offloads(a, false)).unwrap();
    check(
        &net.last,
        expect![[r#"
            a: link set eth0 offloads off
        "#]],
    );
    let lan = net.lan("lan", &["10.0.9.0/24"]);
    net.change(|spec| spec.join(a, &Join::of(lan))).unwrap();
    let text = net.last.to_string();
    assert!(text.contains("a: link set eth1 offloads off"), "{text}");
    net.change(|spec| spec.set_offloads(a, true)).unwrap();
    check(
        &net.last,
        expect![[r#"
            a: link set eth0 offloads on
            a: link set eth1 offloads on
        "#]],
    );
}

#[test]
fn an_mtu_changes_in_place() {
    let mut net = Net::with_peers(&["a"]);
    let link = net.now.spec().find_segment("test-a").unwrap();
    net.change(|spec| spec.set_mtu(link, 1400)).unwrap();
    check(
        &net.last,
        expect![[r#"
        test: link set eth0 mtu 1400
        a: link set eth0 mtu 1400
    "#]],
    );
}

#[test]
fn fixed_addresses_bring_the_other_family_along() {
    let mut net = Net::with_peers(&[]);
    let home = net.lan("home", &["192.168.1.0/24", "fd01::/64"]);
    for (name, given, expected) in [
        ("a", vec!["192.168.1.50"], ["192.168.1.50", "fd01::50"]),
        ("b", vec!["fd01::60"], ["192.168.1.60", "fd01::60"]),
        ("c", vec!["fd01::a:b"], ["192.168.1.1", "fd01::a:b"]),
        ("d", vec!["192.168.1.70", "fd01::1"], ["192.168.1.70", "fd01::1"]),
        // 1 is taken in either family, each by another node.
        ("e", vec![], ["192.168.1.2", "fd01::2"]),
    ] {
        let join = Join { addrs: given.iter().map(|a| ip(a)).collect(), ..Join::of(home) };
        let node = net
            .change(|spec| {
                spec.add_node(&NewNode { name, joins: vec![join], ..NewNode::default() })
            })
            .unwrap();
        assert_eq!(net.ips(node), expected, "{name}");
    }
}

#[cfg(feature = "dns")]
#[test]
fn resolvers_are_asked_where_they_are() {
    let mut net = Net::with_peers(&["a", "b", "c", "d"]);
    let node = |net: &Net, name| net.now.spec().find_node(name).unwrap();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| node(&net, name));
    let lan = net.now.spec().find_segment("peers").unwrap();
    net.change(|spec| spec.add_name_server(b)).unwrap();
    net.change(|spec| spec.add_name_server(a)).unwrap();
    check(
        &net.last,
        expect![[r#"
        name servers: 10.0.2.3 10.0.2.2
    "#]],
    );
    net.change(|spec| spec.readdress(a, lan, &[ip("10.0.2.77")])).unwrap();
    assert!(net.last.to_string().ends_with("name servers: 10.0.2.3 10.0.2.77\n"), "{}", net.last);
    net.change(|spec| spec.remove_node(b)).unwrap();
    net.change(|spec| spec.leave(a, lan)).unwrap();
    assert!(net.last.to_string().ends_with("name servers:\n"), "{}", net.last);

    // Alone, the test's own node asks itself.
    net.change(|spec| spec.leave(NodeId::TEST, lan)).unwrap();
    net.change(|spec| spec.add_name_server(NodeId::TEST)).unwrap();
    assert_eq!(net.last.to_string(), "name servers: 127.0.0.1\n");
    let island = net.node("island", &[]);
    let error = net.change(|spec| spec.add_name_server(island)).unwrap_err();
    assert_eq!(error.code(), crate::error::ErrorCode::NoAddress);
    // Of those that were added, one is gone, and counts no more.
    net.change(|spec| spec.add_name_server(c)).unwrap();
    let error = net.change(|spec| spec.add_name_server(d)).unwrap_err();
    assert_eq!(error.code(), crate::error::ErrorCode::TooMany);
}
