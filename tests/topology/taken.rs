//! Names, indices, addresses and routes that a program in a node has taken already.

use expect_test::expect;
use nstest::{DefaultRoute, Nat, Net, Node, TestResult, netns_test};

use crate::refusals::says;
use crate::shell::{interfaces, shows};

/// Runs commands of `ip`, which print nothing unless they fail.
#[track_caller]
pub(crate) fn ip(node: &Node, commands: &[&str]) {
    for command in commands {
        assert_eq!(shows(node, &format!("ip {command}")), "", "{command}");
    }
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn names_and_indices_of_interfaces(net: Net) -> TestResult {
    let test = net.local();
    let lan = net.add_lan("lan").build()?;
    let peer = net.add_node("peer").join(&lan).build()?;
    // A new node's first interfaces would have the indices 2 and 3.
    for node in [&test, &peer] {
        ip(node, &["link add mine type bridge", "link add eth1 type bridge"]);
    }
    test.join(&lan)?;
    assert_eq!(interfaces(&test), ["lo", "mine", "eth1", "eth0"]);
    test.wait_reachable(peer.ip())?;
    net.connect(&test, &peer)?;
    assert_eq!(interfaces(&test), ["lo", "mine", "eth1", "eth0", "eth2"]);
    assert_eq!(interfaces(&peer), ["lo", "eth0", "mine", "eth1", "eth2"]);
    let across = peer.ips()[2..].to_vec();
    assert_eq!(across.len(), 2);
    for ip in across {
        test.wait_reachable(ip)?;
    }
    // The index that is free again is lower than those that the kernel assigns next.
    ip(&test, &["link del mine"]);
    test.leave(&lan)?;
    test.join(&lan)?;
    test.wait_reachable(peer.ip())?;
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn interfaces_of_a_router(net: Net) -> TestResult {
    let [home, internet] = ["home", "internet"].map(|name| net.add_lan(name).build());
    let (home, internet) = (home?, internet?);
    let router = net.add_router("gate").lan(&home).build()?;
    ip(&router, &["link add eth1 type bridge", "link add eth2 type bridge"]);
    let laptop = net.add_node("laptop").join(&home).build()?;
    router.join(&internet)?;
    assert_eq!(interfaces(&router), ["lo", "eth0", "eth1", "eth2", "eth3"]);
    let server = net.add_node("server").join(&internet).build()?;
    laptop.wait_reachable(router.ip_on(&internet)?)?;
    server.wait_reachable(router.ip_on(&internet)?)?;
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn routes_and_addresses(_peer: Node, net: Net) -> TestResult {
    let test = net.local();
    let lan = net.add_lan("home").subnet("192.168.7.0/24").subnet("fd00:77::/64").build()?;
    test.join(&lan)?;
    let far = net.add_lan("far").subnet("192.168.9.0/24").subnet("fd00:99::/64").build()?;
    // The address that the test gets next, and the routes that come with the router.
    ip(
        &test,
        &[
            "addr add 192.168.7.77/24 dev eth1",
            "addr add fd00:77::77/64 dev eth1 nodad",
            "route add 192.168.9.0/24 via 10.0.2.2",
            "route add default via 10.0.2.2",
            "-6 route add fd00:99::/64 via fd00:2::2",
            "-6 route add default via fd00:2::2",
        ],
    );
    let gate = net.add_router("gate").lan(&lan).build()?;
    net.add_router("router").lan(&lan).lan(&far).build()?;
    let there = net.add_node("there").join(&far).build()?;
    for command in ["ip route", "ip -6 route"] {
        let text = shows(&test, command);
        assert!(!text.contains("via 10.0.2.2") && !text.contains("via fd00:2::2"), "{text}");
    }
    test.wait_reachable(there.ip())?;
    test.wait_reachable(there.ipv6())?;
    for addr in ["192.168.7.77", "fd00:77::77"] {
        test.set_address(&lan, addr.parse()?)?;
        assert!(test.ips_on(&lan)?.contains(&addr.parse()?));
        there.wait_reachable(addr.parse::<std::net::IpAddr>()?)?;
    }
    // The same for a route that the test adds.
    ip(&test, &["route add 198.51.100.0/24 via 10.0.2.2"]);
    test.add_route("198.51.100.0/24", gate.ip_on(&lan)?)?;
    assert!(shows(&test, "ip route get 198.51.100.1").contains("eth1"));
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn a_table_of_nftables_and_the_firewall(net: Net) -> TestResult {
    let home = crate::probe::Home::behind(&net, Nat::SYMMETRIC)?;
    shows(&home.router, "nft flush ruleset");
    home.router.set_nat(Nat::FULL_CONE)?;
    home.router.flush_nat()?;
    home.laptop.wait_reachable(home.servers[0].ip())?;
    let text = shows(&home.router, "nft list tables");
    assert!(text.contains("nstest"), "{text}");
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn what_is_gone_need_not_be_deleted(peer: Node, net: Net) -> TestResult {
    let test = net.local();
    let lan = net.add_lan("lan").subnet("192.168.7.0/24").subnet("fd00:77::/64").build()?;
    let far = net.add_lan("far").build()?;
    let elsewhere = net.add_lan("elsewhere").build()?;
    let router = net.add_router("router").lan(&lan).lan(&far).build()?;
    let there = net.add_node("there").join(&far).build()?;
    test.join(&lan)?;
    test.add_route("198.51.100.0/24", router.ip_on(&lan)?)?;
    // Addresses and routes of IPv6, and routes of IPv4.
    ip(&test, &["link set eth1 down", "link set eth1 up"]);
    for addr in ["192.168.7.77", "fd00:77::77"] {
        test.set_address(&lan, addr.parse()?)?;
    }
    ip(&test, &["route del default", "route del 198.51.100.0/24", "-6 route del default"]);
    test.remove_route("198.51.100.0/24")?;
    test.set_default_route(DefaultRoute::None)?;
    test.set_default_route(DefaultRoute::Blackhole)?;
    ip(&test, &["neigh flush nud permanent", "link set eth1 down", "link set eth1 name other"]);
    ip(&test, &["link set other up", "addr flush dev other", "link set eth0 mtu 1400"]);
    test.set_default_route(DefaultRoute::None)?;
    test.roam(&lan, &elsewhere)?;
    test.roam(&elsewhere, &lan)?;
    test.leave(&lan)?;
    test.set_default_route(DefaultRoute::Auto)?;
    test.join(&lan)?;
    test.wait_reachable(there.ip())?;
    ip(&test, &["addr del 192.168.7.77/24 dev eth1"]);
    says(
        test.add_route("203.0.113.0/24", router.ip_on(&lan)?),
        &expect![[r#"
            nstest[netlink]: add the route to 203.0.113.0/24 via 192.168.7.254 on interface #3 in node test
              cause: ENETUNREACH: Network is unreachable (kernel: Nexthop has invalid gateway)
              help: if a program of the test has removed an interface, address or route, switched an interface or IPv6 off, or lowered an MTU, put the node back with `node.restore()` first
        "#]],
    );
    ip(&test, &["link del eth1"]);
    says(
        test.set_address(&lan, "192.168.7.78".parse()?),
        &expect![[r#"
            nstest[netlink]: add address 192.168.7.78/24 to eth1 in node test
              cause: ENODEV: No such device (kernel: ipv4: Device not found)
              help: if a program of the test has removed an interface, address or route, switched an interface or IPv6 off, or lowered an MTU, put the node back with `node.restore()` first
        "#]],
    );
    test.leave(&lan)?;
    test.join(&lan)?;
    test.wait_reachable(there.ipv6())?;
    ip(&there, &["link del eth0"]);
    there.remove()?;
    ip(&peer, &["link del eth0"]);
    peer.link().remove()?;
    Ok(())
}
