//! The worlds that people build by hand with ip, brctl, sysctl and iptables.

use expect_test::{Expect, expect};

use super::*;
use crate::topology::nat::Nat;
use crate::topology::spec::NewNode;

fn check(changes: &Changes, expected: Expect) {
    expected.assert_eq(&without_sysctls(changes));
}

#[test]
fn an_isolated_node() {
    check(
        &Net::with_peers(&[]).last,
        expect![[r#"
        test: netns add, hostname test
    "#]],
    );
}

#[test]
fn two_directly_linked_nodes() {
    check(
        &Net::with_peers(&["server"]).last,
        expect![[r#"
            test: netns add, hostname test
            test: link add eth0 index 2 address 02:6e:73:00:01:00 mtu 1500 end p2
            server: netns add, hostname server
            server: link add eth0 index 2 address 02:6e:73:00:02:00 mtu 1500 end p3
            link `test-server`: cable p2 p3
            test: address add 10.0.2.1/24 dev eth0
            test: address add fd00:2::1/64 dev eth0
            server: address add 10.0.2.2/24 dev eth0
            server: address add fd00:2::2/64 dev eth0
            test: route add 224.0.0.0/4 dev eth0
            test: route add 255.255.255.255/32 dev eth0
            server: route add 224.0.0.0/4 dev eth0
            server: route add 255.255.255.255/32 dev eth0
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 server, fd00:2::2 server
            settle: test.eth0=p2 server.eth0=p3
        "#]],
    );
}

#[test]
fn three_nodes_on_a_lan() {
    check(
        &Net::with_peers(&["a", "b"]).last,
        expect![[r#"
            test: netns add, hostname test
            test: link add eth0 index 2 address 02:6e:73:00:01:00 mtu 1500 end p2
            a: netns add, hostname a
            a: link add eth0 index 2 address 02:6e:73:00:02:00 mtu 1500 end p3
            b: netns add, hostname b
            b: link add eth0 index 2 address 02:6e:73:00:03:00 mtu 1500 end p4
            LAN `peers`: hub p2 p3 p4
            test: address add 10.0.2.1/24 dev eth0
            test: address add fd00:2::1/64 dev eth0
            a: address add 10.0.2.2/24 dev eth0
            a: address add fd00:2::2/64 dev eth0
            b: address add 10.0.2.3/24 dev eth0
            b: address add fd00:2::3/64 dev eth0
            test: route add 224.0.0.0/4 dev eth0
            test: route add 255.255.255.255/32 dev eth0
            a: route add 224.0.0.0/4 dev eth0
            a: route add 255.255.255.255/32 dev eth0
            b: route add 224.0.0.0/4 dev eth0
            b: route add 255.255.255.255/32 dev eth0
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.2.3 b, fd00:2::3 b
            settle: test.eth0=p2 a.eth0=p3 b.eth0=p4
        "#]],
    );
}

#[test]
fn three_nodes_with_nat_to_an_outside_network() {
    let mut net = Net::with_peers(&["a", "b"]);
    let home = net.now.spec().find_segment("peers").unwrap();
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    net.router(
        NewRouter { nat: Some(Nat::PORT_RESTRICTED), ..router("router") },
        &[home],
        internet,
    );
    check(
        &net.last,
        expect![[r#"
            test: route del 224.0.0.0/4 dev eth0
            test: route del 255.255.255.255/32 dev eth0
            a: route del 224.0.0.0/4 dev eth0
            a: route del 255.255.255.255/32 dev eth0
            b: route del 224.0.0.0/4 dev eth0
            b: route del 255.255.255.255/32 dev eth0
            router: netns add, hostname router
            router: nft replace nstest (chains 5, rules 19), sysctl net.netfilter.nf_conntrack_udp_timeout=300 net.netfilter.nf_conntrack_udp_timeout_stream=300 net.netfilter.nf_conntrack_tcp_timeout_established=7440
            router: link add eth0 index 2 address 02:6e:73:00:04:00 mtu 1500 end p6
            router: link add eth1 index 3 address 02:6e:73:00:04:01 mtu 1500 end p7
            LAN `peers`: hub p2 p3 p4 p6
            LAN `internet`: hub p7
            router: address add 10.0.2.254/24 dev eth0
            router: address add fd00:2::254/64 dev eth0
            router: address add 203.0.113.1/24 dev eth1
            router: address add fd00:3::1/64 dev eth1
            test: route add default via 10.0.2.254 dev eth0
            test: route add default via fd00:2::254 dev eth0
            a: route add default via 10.0.2.254 dev eth0
            a: route add default via fd00:2::254 dev eth0
            b: route add default via 10.0.2.254 dev eth0
            b: route add default via fd00:2::254 dev eth0
            router: route add 224.0.0.0/4 dev eth0
            router: route add 255.255.255.255/32 dev eth0
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.2.3 b, fd00:2::3 b, 10.0.2.254 router, fd00:2::254 router, 203.0.113.1 router, fd00:3::1 router
            settle: router.eth0=p6 router.eth1=p7
        "#]],
    );
    net.node("server", &[internet]);
    check(
        &net.last,
        expect![[r#"
            server: netns add, hostname server
            server: link add eth0 index 2 address 02:6e:73:00:05:00 mtu 1500 end p8
            LAN `internet`: hub p7 p8
            server: address add 203.0.113.2/24 dev eth0
            server: address add fd00:3::2/64 dev eth0
            server: route add 224.0.0.0/4 dev eth0
            server: route add 255.255.255.255/32 dev eth0
            server: route add fd00:2::/64 via fd00:3::1 dev eth0
            hosts: 10.0.2.1 test, fd00:2::1 test, 10.0.2.2 a, fd00:2::2 a, 10.0.2.3 b, fd00:2::3 b, 10.0.2.254 router, fd00:2::254 router, 203.0.113.1 router, fd00:3::1 router, 203.0.113.2 server, fd00:3::2 server
            settle: server.eth0=p8
        "#]],
    );
}

#[test]
fn a_named_namespace_is_left_as_it_is() {
    let netns = Some("vns1".to_owned());
    let mut net = Net::of(&Parameters { netns: netns.clone(), ..Parameters::default() });
    check(&net.last, expect![[""]]);
    let error = net.change(|spec| spec.add_lan(&lan("home"))).unwrap_err();
    assert!(error.to_string().contains("vns1"));
    let peers = Parameters { netns, anonymous: 1, ..Parameters::default() };
    Spec::of_parameters(&peers).unwrap_err();
}

#[test]
fn settings_of_a_node() {
    let net = Net::with_peers(&["server"]);
    let text = net.last.to_string();
    let server = text.lines().find(|line| line.starts_with("server: sysctl")).unwrap();
    expect![[r#"
        server:
        sysctl
        net.ipv4.ip_forward=0
        net.ipv4.conf.all.rp_filter=0
        net.ipv4.conf.default.rp_filter=0
        net.ipv4.conf.all.arp_ignore=1
        net.ipv4.conf.default.arp_ignore=1
        net.ipv4.conf.all.arp_announce=2
        net.ipv4.conf.all.accept_local=0
        net.ipv4.conf.default.accept_local=0
        net.ipv4.conf.all.route_localnet=0
        net.ipv4.conf.default.route_localnet=0
        net.ipv4.conf.all.accept_redirects=0
        net.ipv4.conf.default.accept_redirects=0
        net.ipv4.conf.all.ignore_routes_with_linkdown=0
        net.ipv4.conf.default.ignore_routes_with_linkdown=0
        net.ipv4.icmp_ratemask=0
        net.ipv4.tcp_congestion_control=reno
        net.ipv6.conf.all.disable_ipv6=0
        net.ipv6.conf.all.forwarding=0
        net.ipv6.conf.all.accept_dad=0
        net.ipv6.conf.default.accept_dad=0
        net.ipv6.conf.default.accept_ra=0
        net.ipv6.conf.default.accept_redirects=0
        net.ipv6.conf.default.addr_gen_mode=0
        net.ipv6.icmp.ratemask=255"#]]
    .assert_eq(&server.replace(' ', "\n"));
}

#[test]
fn one_family_only_and_another_mtu() {
    let nodes = vec!["server".to_owned()];
    let v4 = Parameters {
        nodes: nodes.clone(),
        without_ipv6: true,
        mtu: Some(1000),
        ..Parameters::default()
    };
    check(
        &Net::of(&v4).last,
        expect![[r#"
            test: netns add, hostname test
            test: link add eth0 index 2 address 02:6e:73:00:01:00 mtu 1000 end p2
            test: link set eth0 ipv6 off
            server: netns add, hostname server
            server: link add eth0 index 2 address 02:6e:73:00:02:00 mtu 1000 end p3
            server: link set eth0 ipv6 off
            link `test-server`: cable p2 p3
            test: address add 10.0.2.1/24 dev eth0
            server: address add 10.0.2.2/24 dev eth0
            test: route add 224.0.0.0/4 dev eth0
            test: route add 255.255.255.255/32 dev eth0
            server: route add 224.0.0.0/4 dev eth0
            server: route add 255.255.255.255/32 dev eth0
            hosts: 10.0.2.1 test, 10.0.2.2 server
            settle: test.eth0=p2 server.eth0=p3
        "#]],
    );
    let v6 = Parameters { nodes, without_ipv4: true, ..Parameters::default() };
    check(
        &Net::of(&v6).last,
        expect![[r#"
            test: netns add, hostname test
            test: link add eth0 index 2 address 02:6e:73:00:01:00 mtu 1500 end p2
            server: netns add, hostname server
            server: link add eth0 index 2 address 02:6e:73:00:02:00 mtu 1500 end p3
            link `test-server`: cable p2 p3
            test: address add fd00:2::1/64 dev eth0
            server: address add fd00:2::2/64 dev eth0
            hosts: fd00:2::1 test, fd00:2::2 server
            settle: test.eth0=p2 server.eth0=p3
        "#]],
    );
}

#[test]
fn a_subnet_moves_the_addresses() {
    for (given, test, peer) in [
        (vec!["192.168.7.0/24"], ["192.168.7.1", "fd00:2::1"], ["192.168.7.2", "fd00:2::2"]),
        (vec!["fd07::/64"], ["10.0.2.1", "fd07::1"], ["10.0.2.2", "fd07::2"]),
        (vec!["10.9.0.0/16", "fd07::/48"], ["10.9.0.1", "fd07::1"], ["10.9.0.2", "fd07::2"]),
        (vec!["10.9.0.0/31"], ["10.9.0.0", "fd00:2::1"], ["10.9.0.1", "fd00:2::2"]),
    ] {
        let subnets = given.iter().map(|s| s.parse().unwrap()).collect();
        let net = Net::of(&Parameters { anonymous: 1, subnets, ..Parameters::default() });
        assert_eq!(net.ips(NodeId::TEST), test, "{given:?}");
        assert_eq!(net.ips(NodeId(2)), peer, "{given:?}");
    }
}

#[test]
fn anonymous_peers_come_behind_the_named_ones() {
    let nodes = vec!["a".to_owned()];
    let net = Net::of(&Parameters { nodes, anonymous: 9, ..Parameters::default() });
    let spec = net.now.spec();
    assert_eq!(net.ips(spec.find_node("a").unwrap()), ["10.0.2.2", "fd00:2::2"]);
    assert_eq!(net.ips(spec.find_node("peer9").unwrap()), ["10.0.2.11", "fd00:2::11"]);
}

#[test]
fn a_large_lan_is_a_bridge() {
    let peers =
        |anonymous| Net::of(&Parameters { anonymous, ..Parameters::default() }).last.to_string();
    assert!(peers(19).contains("LAN `peers`: hub p"));
    assert!(peers(20).contains("LAN `peers`: bridge br1 p"));
    // The bridge is device 2 of the fabric, where `lo` is 1, and its first link end device 3.
    assert_eq!(crate::topology::spec::LinkEndId(1).ifindex(), 2);
}

#[test]
fn hostnames_and_aliases_resolve() {
    let mut net = Net::with_peers(&["größe", "a_b"]);
    let peers = net.now.spec().find_segment("peers").unwrap();
    let aliases = vec!["db.example.com".to_owned()];
    let new = NewNode { name: "db", aliases, joins: vec![Join::of(peers)], ..NewNode::default() };
    net.change(|spec| spec.add_node(&new)).unwrap();
    let hosts = net.last.to_string();
    let hosts = hosts.lines().find(|line| line.starts_with("hosts")).unwrap().replace(", ", "\n");
    expect![[r#"
        hosts: 10.0.2.1 test
        fd00:2::1 test
        10.0.2.2 xn--gre-6ka8i größe
        fd00:2::2 xn--gre-6ka8i größe
        10.0.2.3 a-b a_b
        fd00:2::3 a-b a_b
        10.0.2.4 db db.example.com
        fd00:2::4 db db.example.com"#]]
    .assert_eq(&hosts);
}
