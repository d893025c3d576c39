//! Routes and rules that follow from LANs and routers.

use expect_test::expect;

use super::*;
use crate::topology::changes::Change;
use crate::topology::nat::{Firewall, Nat, Nat6, NatFiltering, NatMapping, Protocol};
use crate::topology::spec::NewNode;
use crate::topology::spec::{DefaultVia, PortForward};

#[test]
fn a_routed_lan_is_known_outside_and_a_translated_one_is_not() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24", "2001:db8::/64"]);
    let office = net.lan("office", &["198.51.100.0/24", "2001:db8:1::/64"]);
    let home = net.lan("home", &["192.168.1.0/24", "fd01::/64"]);
    let r1 = net.router(router("r1"), &[office], internet);
    let nat =
        NewRouter { nat: Some(Nat::FULL_CONE), nat6: Nat6::Nat(Nat::FULL_CONE), ..router("r2") };
    let r2 = net.router(nat, &[home], internet);
    let server = net.node("server", &[internet]);
    let desk = net.node("desk", &[office]);
    let laptop = net.node("laptop", &[home]);
    assert_eq!(
        net.routes(server),
        ["198.51.100.0/24 via 203.0.113.1 dev eth0", "2001:db8:1::/64 via 2001:db8::1 dev eth0"]
    );
    assert_eq!(
        net.routes(r2),
        ["198.51.100.0/24 via 203.0.113.1 dev eth1", "2001:db8:1::/64 via 2001:db8::1 dev eth1"]
    );
    assert_eq!(net.routes(r1), [] as [&str; 0]);
    assert_eq!(
        net.routes(desk),
        ["default via 198.51.100.254 dev eth0", "default via 2001:db8:1::254 dev eth0"]
    );
    assert_eq!(
        net.routes(laptop),
        ["default via 192.168.1.254 dev eth0", "default via fd01::254 dev eth0"]
    );
}

#[test]
fn carrier_grade_chain() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    let isp = net.lan("isp", &["100.64.0.0/10"]);
    let home = net.lan("home", &["192.168.1.0/24"]);
    let cgn =
        net.router(NewRouter { nat: Some(Nat::CARRIER_GRADE), ..router("cgn") }, &[isp], internet);
    let cpe =
        net.router(NewRouter { nat: Some(Nat::PORT_RESTRICTED), ..router("cpe") }, &[home], isp);
    let laptop = net.node("laptop", &[home]);
    // Without a translation of IPv6, the way in is known in both directions.
    assert_eq!(net.routes(cgn), ["fd00:5::/64 via fd00:4::1 dev eth0"]);
    assert_eq!(
        net.routes(cpe),
        ["default via 100.64.0.254 dev eth1", "default via fd00:4::254 dev eth1"]
    );
    assert_eq!(
        net.routes(laptop),
        ["default via 192.168.1.254 dev eth0", "default via fd00:5::254 dev eth0"]
    );
}

#[test]
fn multi_homed_nodes_default_by_their_first_network_that_has_a_router() {
    let mut net = Net::with_peers(&[]);
    let [internet, quiet, a, b] = ["internet", "quiet", "a", "b"].map(|name| net.lan(name, &[]));
    let ra = net.router(router("ra"), &[a], internet);
    let rb = net.router(router("rb"), &[b], internet);
    let node = net.node("node", &[quiet, a, b]);
    assert_eq!(net.routes(node)[0], "default via 10.0.5.254 dev eth1");
    for (default, first) in [
        (DefaultVia::Router(rb), Some("default via 10.0.6.254 dev eth2")),
        (DefaultVia::Router(ra), Some("default via 10.0.5.254 dev eth1")),
        (DefaultVia::None, None),
        (DefaultVia::Blackhole, Some("default via 169.254.0.1 dev eth0 onlink")),
    ] {
        net.change(|spec| spec.set_default(node, default)).unwrap();
        assert_eq!(net.routes(node).first().map(String::as_str), first, "{default:?}");
    }
    let link = &net.now.state().nodes[&node].links[&0];
    assert_eq!(link.neighbours.len(), 2);
    net.change(|spec| spec.set_default(node, DefaultVia::None)).unwrap();
    assert!(net.last.to_string().contains("neigh del 169.254.0.1 dev eth0"));
}

#[test]
fn routers_in_a_row_without_translation_know_both_ends() {
    let mut net = Net::with_peers(&[]);
    let lans: Vec<_> =
        (1..=4).map(|n| net.lan(&format!("l{n}"), &[&format!("10.1.{n}.0/24")])).collect();
    let mut ends = vec![];
    for n in 1..=3 {
        net.router(router(&format!("r{n}")), &[lans[n - 1]], lans[n]);
    }
    for (n, lan) in lans.iter().enumerate() {
        ends.push(net.node(&format!("n{n}"), &[*lan]));
    }
    let v4 =
        |node| net.routes(node).into_iter().filter(|r| !r.contains("fd00")).collect::<Vec<_>>();
    assert_eq!(v4(ends[0]), ["default via 10.1.1.254 dev eth0"]);
    assert_eq!(
        v4(ends[1]),
        ["default via 10.1.2.254 dev eth0", "10.1.1.0/24 via 10.1.2.1 dev eth0"]
    );
    assert_eq!(
        v4(ends[3]),
        [
            "10.1.1.0/24 via 10.1.4.1 dev eth0",
            "10.1.2.0/24 via 10.1.4.1 dev eth0",
            "10.1.3.0/24 via 10.1.4.1 dev eth0"
        ]
    );
}

#[test]
fn a_cable_between_a_node_and_a_router_is_a_network_that_it_serves() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &[]);
    let r = net.router(router("r"), &[], internet);
    let a = net.node("a", &[]);
    net.change(|spec| spec.connect(r, a, &lan(""))).unwrap();
    assert_eq!(net.routes(a)[0], "default via 10.0.4.254 dev eth0");
    let again = net.change(|spec| spec.connect(r, a, &lan(""))).unwrap();
    assert_eq!(net.now.spec().segment(again).unwrap().to_string(), "link `r-a-2`");
}

#[test]
fn prefix_translation_is_known_by_its_external_prefix() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24", "2001:db8::/64"]);
    let home = net.lan("home", &[]);
    let nat6 = Nat6::Prefix("2001:db8:9::/64".parse().unwrap());
    let r = net.router(NewRouter { nat6, ..router("r") }, &[home], internet);
    let server = net.node("server", &[internet]);
    assert_eq!(
        net.routes(server),
        ["10.0.3.0/24 via 203.0.113.1 dev eth0", "2001:db8:9::/64 via 2001:db8::1 dev eth0"]
    );
    expect![[r#"
        table ip6 nstest {
        	chain prerouting {
        		type nat hook prerouting priority -100; policy accept;
        		iifname "eth1" ip6 daddr 2001:db8:9::/64 dnat ip6 prefix to fd00:3::/64
        	}
        	chain postrouting {
        		type nat hook postrouting priority 100; policy accept;
        		oifname "eth1" ip6 saddr fd00:3::/64 snat ip6 prefix to 2001:db8:9::/64
        	}
        }
    "#]]
    .assert_eq(&net.rules(r));
}

#[test]
fn private_networks_behind_nats_may_overlap() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    let mut homes = vec![];
    for (lan, name) in [("home1", "r1"), ("home2", "r2")] {
        let new = NewLan {
            name: lan,
            subnets: vec!["192.168.1.0/24".parse().unwrap()],
            may_overlap: true,
            without_ipv6: true,
            ..NewLan::default()
        };
        let home = net.change(|spec| spec.add_lan(&new)).unwrap();
        homes.push(home);
        net.router(
            NewRouter { nat: Some(Nat::PORT_RESTRICTED), ..router(name) },
            &[home],
            internet,
        );
    }
    let error = net
        .change(|spec| {
            spec.add_node(&NewNode {
                name: "both",
                joins: homes.iter().map(|h| Join::of(*h)).collect(),
                ..NewNode::default()
            })
        })
        .unwrap_err();
    expect![[r#"
        nstest[subnet-overlap]: find the IPv4 routes of node `both`
          cause: it reaches both the LAN `home1` (192.168.1.0/24) and the LAN `home2` (192.168.1.0/24), which overlap
          help: give one of them another subnet, or put a NAT between"#]].assert_eq(&format!("{error:?}"));
    let r1 = net.now.spec().find_node("r1").unwrap();
    let error = net.change(|spec| spec.set_nat(r1, None)).unwrap_err();
    assert!(format!("{error:?}").contains("overlap"), "{error:?}");
}

#[test]
fn every_kind_of_nat_has_rules_that_differ() {
    let mappings = [
        NatMapping::EndpointIndependent,
        NatMapping::AddressDependent,
        NatMapping::AddressAndPortDependent,
    ];
    let filterings = [
        NatFiltering::EndpointIndependent,
        NatFiltering::AddressDependent,
        NatFiltering::AddressAndPortDependent,
    ];
    let axes = mappings.iter().flat_map(|m| filterings.iter().map(|f| (*m, *f)));
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    let home = net.lan("home", &["192.168.1.0/24"]);
    let r = net.router(router("r"), &[home], internet);
    assert_eq!(net.rules(r), "");
    let mut seen = std::collections::BTreeSet::new();
    for (mapping, filtering) in axes {
        for hairpins in [false, true] {
            let nat = Nat::new(mapping, filtering).hairpinning(hairpins);
            net.change(|spec| spec.set_nat(r, Some(nat))).unwrap();
            assert!(seen.insert(net.rules(r)), "{nat}");
            // Nothing but the ruleset changes while the world runs.
            assert_eq!(net.last.list.len(), 1, "{}", net.last);
        }
    }
}

#[test]
fn rules_of_a_home_router() {
    let mut net = Net::with_peers(&[]);
    let internet = net.lan("internet", &["203.0.113.0/24"]);
    let home = net.lan("home", &["192.168.1.0/24"]);
    let nat = Some(Nat::RESTRICTED_CONE.hairpinning(true));
    let r = net.router(
        NewRouter { nat, firewall: Firewall::BlockInbound, ..router("r") },
        &[home],
        internet,
    );
    let laptop = net.node("laptop", &[home]);
    let forward = PortForward { protocol: Protocol::Tcp, port: 8080, node: laptop, node_port: 80 };
    net.change(|spec| spec.forward_port(r, forward)).unwrap();
    expect![[r#"
        table ip nstest {
        	map external {
        		type inet_proto . inet_service : ipv4_addr . inet_service
        		size 65535
        		flags dynamic,timeout
        		timeout 300s
        	}
        	map mapping {
        		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
        		size 65535
        		flags dynamic,timeout
        		timeout 300s
        	}
        	set taken {
        		type inet_proto . inet_service
        		size 65535
        		flags dynamic,timeout
        		timeout 300s
        	}
        	set permitted {
        		type inet_proto . inet_service . ipv4_addr
        		size 65535
        		flags dynamic,timeout
        		timeout 300s
        	}
        	chain prerouting {
        		type nat hook prerouting priority -100; policy accept;
        		ip daddr 203.0.113.1 meta l4proto tcp th dport 8080 dnat to 192.168.1.1:80
        		iifname "eth1" ip daddr 203.0.113.1 meta l4proto { tcp, udp } meta l4proto . th dport . ip saddr @permitted dnat ip to meta l4proto . th dport map @external
        		ip saddr 192.168.1.0/24 ip daddr 203.0.113.1 meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @external
        	}
        	chain postrouting {
        		type nat hook postrouting priority 100; policy accept;
        		oifname "eth1" ip saddr 203.0.113.1 accept
        		oifname "eth1" jump translate
        		ip saddr 192.168.1.0/24 ct status dnat ct original ip daddr 203.0.113.1 jump translate
        	}
        	chain translate {
        		meta l4proto { tcp, udp } snat ip to meta l4proto . ip saddr . th sport map @mapping
        		meta l4proto { tcp, udp } th sport 1024-65535 meta l4proto . th sport != @taken snat to 203.0.113.1:1024-65535
        		meta l4proto { tcp, udp } th sport 1024-33279 snat to 203.0.113.1:33280-65535 fully-random
        		meta l4proto { tcp, udp } th sport 33280-65535 snat to 203.0.113.1:1024-33279 fully-random
        		meta l4proto { tcp, udp } snat to 203.0.113.1:1024-65535 fully-random
        		snat to 203.0.113.1
        	}
        	chain learn {
        		type filter hook postrouting priority 110; policy accept;
        		meta l4proto udp ct direction original ct status snat update @external { meta l4proto . th sport timeout 300s : ct original ip saddr . ct original proto-src }
        		meta l4proto tcp ct direction original ct status snat update @external { meta l4proto . th sport timeout 7440s : ct original ip saddr . ct original proto-src }
        		meta l4proto udp ct direction original ct status snat update @taken { meta l4proto . th sport timeout 300s }
        		meta l4proto tcp ct direction original ct status snat update @taken { meta l4proto . th sport timeout 7440s }
        		meta l4proto udp ct direction original ct status snat update @mapping { meta l4proto . ct original ip saddr . ct original proto-src timeout 300s : ip saddr . th sport }
        		meta l4proto tcp ct direction original ct status snat update @mapping { meta l4proto . ct original ip saddr . ct original proto-src timeout 7440s : ip saddr . th sport }
        		meta l4proto udp ct direction original ct status snat update @permitted { meta l4proto . th sport . ip daddr timeout 300s }
        		meta l4proto tcp ct direction original ct status snat update @permitted { meta l4proto . th sport . ip daddr timeout 7440s }
        	}
        	chain forward {
        		type filter hook forward priority 0; policy accept;
        		ct state established,related accept
        		iifname "eth1" ct status dnat accept
        		iifname "eth1" ct state new drop
        	}
        	chain input {
        		type filter hook input priority 0; policy accept;
        		ct state established,related accept
        		iifname "eth1" ct state new drop
        	}
        }
        table ip6 nstest {
        	chain prerouting {
        		type nat hook prerouting priority -100; policy accept;
        		iifname "eth1" ip6 daddr fd00:3::1 meta l4proto tcp th dport 8080 dnat to [fd00:4::1]:80
        	}
        	chain forward {
        		type filter hook forward priority 0; policy accept;
        		ct state established,related accept
        		iifname "eth1" ct status dnat accept
        		iifname "eth1" ct state new drop
        	}
        	chain input {
        		type filter hook input priority 0; policy accept;
        		ct state established,related accept
        		iifname "eth1" ct state new drop
        	}
        }
    "#]].assert_eq(&net.rules(r));
    net.change(|spec| spec.unforward_port(r, Protocol::Tcp, 8080)).unwrap();
    assert!(!net.rules(r).contains("8080"));
    let changes = Changes::flush_nat(r, &net.now.state().nodes[&r]);
    let [
        Change::SetRules { rules: closed, .. },
        Change::FlushConntrack { .. },
        Change::SetRules { rules, .. },
    ] = &changes.list[..]
    else {
        panic!("{changes}");
    };
    assert_eq!(*rules, net.now.state().nodes[&r].rules);
    let closes = "priority -300; policy accept;\n\t\tmeta l4proto { tcp, udp } drop";
    assert!(closed.tables.iter().all(|table| table.to_string().contains(closes)), "{changes}");
}
