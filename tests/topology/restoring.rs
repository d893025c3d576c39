//! `Node::restore`: what a program has done to its node's network is undone.

use std::time::{Duration, Instant};

use expect_test::expect;
use nstest::{Condition, DefaultRoute, Nat, Net, Node, TestResult, netns_test};

use crate::probe::Home;
use crate::refusals::says;
use crate::shell::{shows, shows_all};
use crate::taken::ip;

/// What `restore` restores, as iproute2 and sysctl(8) show it.
fn restorable(node: &Node) -> String {
    let lines = [
        "ip -oneline link",
        "ip -oneline address",
        "ip route show table all",
        "ip -6 route show table all",
        "ip rule",
        "ip -6 rule",
        "ip neigh show nud permanent",
        "tc qdisc",
        "sh -c cat</proc/sys/net/ipv4/ip_forward",
        "sh -c cat</proc/sys/net/ipv4/conf/eth0/rp_filter",
        "sh -c cat</proc/sys/net/ipv4/conf/eth0/forwarding",
        "sh -c cat</proc/sys/net/ipv6/conf/eth0/accept_ra",
        "sh -c cat</proc/sys/net/ipv6/conf/eth0/disable_ipv6",
    ];
    // Without `nodad`: the kernel adds link-local addresses itself, without that flag.
    shows_all(node, &lines).replace(" nodad", "")
}

#[track_caller]
fn assert_same(node: &Node, before: &str, script: &str) {
    let now = restorable(node);
    let lacks = |text: &str, line: &&str| !text.lines().any(|other| other == *line);
    let lost: Vec<_> = before.lines().filter(|line| lacks(&now, line)).collect();
    let added: Vec<_> = now.lines().filter(|line| lacks(before, line)).collect();
    assert_eq!((lost, added), (vec![], vec![]), "{script}: lost and added");
}

const DAMAGES: [&str; 44] = [
    "ip link set eth0 down",
    "ip link set eth0 down; ip link set eth0 up",
    "ip link set lo down",
    "ip address flush dev eth0",
    "ip address flush dev eth0 scope link",
    "ip address add 192.168.1.99/24 dev eth0; ip address add 198.51.100.7/24 dev eth0",
    "ip route del default; ip -6 route del default",
    "ip route flush table main; ip -6 route flush table main",
    "ip route replace default dev eth0; ip -6 route replace blackhole default",
    "ip route add blackhole 203.0.113.0/25; ip -6 route add unreachable 2001:db8::/64 metric 7",
    "ip link set eth0 mtu 900",
    "ip link set eth0 address 02:00:00:00:00:99",
    "ip link set eth0 arp off",
    "ip link set eth0 down; ip link set eth0 name wan0; ip link set wan0 up",
    "ip link del eth0",
    "ip link set eth0 netns test",
    "ip rule add pref 10 blackhole; ip -6 rule add pref 11 from all lookup 77",
    "ip neigh replace $GATEWAY lladdr 02:00:00:00:00:99 dev eth0 nud permanent",
    "tc qdisc replace dev eth0 root pfifo limit 1; tc qdisc add dev eth0 clsact",
    "cd /proc/sys/net; echo 1 > ipv4/ip_forward; echo 2 > ipv4/conf/eth0/rp_filter; \
     echo 2 > ipv6/conf/eth0/accept_ra; echo 1 > ipv6/conf/eth0/disable_ipv6",
    // What a new namespace has.
    "ip rule del pref 0",
    "ip rule del pref 32766",
    "ip rule del pref 32767; ip -6 rule del pref 0",
    "ip -6 rule del pref 32766; ip rule add pref 0 lookup 99; ip rule add pref 32766 not lookup 7",
    "ip rule flush; ip -6 rule flush",
    "ip rule del pref 32766; ip rule add pref 32766 not lookup main",
    "ip addr flush dev lo; ip link set lo mtu 100",
    "ip addr flush dev lo; ip addr add 127.0.0.5/8 dev lo; ip addr add fd99::1/128 dev lo",
    "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6",
    "ip link set lo mtu 60",
    "tc qdisc add dev lo root pfifo limit 1",
    "ip route flush table local; ip -6 route flush table local",
    "ip route del local $OWN table local; ip -6 route del local $OWN6 table local",
    "ip route del local 127.0.0.1 table local; ip -6 route del local ::1 table local",
    "ip route add blackhole 0.0.0.0/1 table local; ip -6 route add blackhole 2000::/3 table local; \
     ip -6 route add unreachable fc00::/7 table local",
    "ip route add local 203.0.113.0/24 dev lo; ip route add 198.51.100.0/24 dev eth0 table default",
    "ip -6 route del multicast ff00::/8 dev eth0 table local",
    "ip route replace $(ip route show dev eth0 scope link | cut -d ' ' -f 1) dev eth0",
    // An interface without its own.
    "ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0; \
     ip link set dev br0 down; ip link set dev br0 alias kept",
    "ip link set eth0 mtu 68",
    "ip link set eth0 promisc on; ip link set eth0 allmulticast on; ip link set eth0 multicast off",
    "ip link set eth0 broadcast 02:00:00:00:00:01",
    "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6",
    "ip -6 addr del $OWN6/64 dev eth0; ip -6 addr add $OWN6/128 dev eth0",
];

#[track_caller]
fn damage(node: &Node, script: &str, gateway: &str) {
    let mut command = node.command("sh");
    command.args(["-e", "-c", script]).env("GATEWAY", gateway);
    command.env("OWN", node.ip().to_string()).env("OWN6", node.ipv6().to_string());
    let output = command.output();
    let output = output.expect("sh starts");
    assert!(output.status.success(), "{script}: {output:?}");
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and tc; run ./check test")]
fn each_damage_is_undone(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    let server = &home.servers[0];
    let gateway = home.router.ip_on(&net.lan("home")?)?.to_string();
    let before = restorable(&home.laptop);
    for script in DAMAGES {
        damage(&home.laptop, script, &gateway);
        assert_ne!(restorable(&home.laptop), before, "{script}");
        home.laptop.restore().map_err(|error| format!("{script}: {error:?}"))?;
        // Interfaces of programs stay.
        shows(&home.laptop, "ip link del br0");
        assert_same(&home.laptop, &before, script);
        for ip in [server.ip(), server.ipv6().into()] {
            home.laptop.wait_reachable(ip).map_err(|error| format!("{script}: {error:?}"))?;
        }
    }
    // All at once, and twice.
    damage(
        &home.laptop,
        "ip addr flush dev eth0; ip link del eth0; ip rule add pref 9 prohibit",
        "",
    );
    home.laptop.restore()?;
    home.laptop.restore()?;
    assert_same(&home.laptop, &before, "all at once");
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and tc; run ./check test")]
fn so_with_a_router(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::SYMMETRIC)?;
    let server = &home.servers[0];
    let before = restorable(&home.router);
    let scripts = [
        "ip link set eth0 down; ip link set eth1 down",
        "ip link del eth1",
        "ip link del eth0",
        "echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding",
        "nft flush ruleset",
        "nft delete chain ip nstest learn",
        "ip route flush table main; ip -6 route flush table main",
        "ip rule flush; ip -6 rule flush",
        "ip route flush table local; ip -6 route flush table local",
        "ip link add br0 type bridge; ip link set br0 up; ip link set eth0 master br0; \
         ip link set eth1 master br0",
    ];
    for script in scripts {
        damage(&home.router, script, "");
        home.router.restore()?;
        shows(&home.router, "ip link del br0");
        assert_same(&home.router, &before, script);
        for ip in [server.ip(), server.ipv6().into()] {
            home.laptop.wait_reachable(ip).map_err(|error| format!("{script}: {error:?}"))?;
        }
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn an_interface_that_is_made_again_has_the_faults_of_its_link(peer: Node, net: Net) -> TestResult {
    let test = net.local();
    let link = peer.link();
    link.condition(Condition::new().delay(Duration::from_millis(40)))?;
    for node in [&test, &peer] {
        ip(node, &["link del eth0"]);
        test.restore()?;
        peer.restore()?;
        let start = Instant::now();
        test.wait_reachable(peer.ip())?;
        assert!(start.elapsed() >= Duration::from_millis(80), "{:?}", start.elapsed());
    }
    link.down()?;
    ip(&peer, &["link del eth0"]);
    peer.restore()?;
    test.restore()?;
    assert!(shows(&peer, "ip link show eth0").contains("NO-CARRIER"));
    link.up()?;
    test.wait_reachable(peer.ipv6())?;
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn interfaces_of_programs_stay(peer: Node) -> TestResult {
    ip(&peer, &["link add br0 type bridge", "link set br0 up", "addr add 198.51.100.1/24 dev br0"]);
    ip(&peer, &["route add 203.0.113.0/24 via 198.51.100.9 dev br0", "link del eth0"]);
    peer.restore()?;
    assert!(shows(&peer, "ip route").contains("203.0.113.0/24 via 198.51.100.9 dev br0"));
    ip(&peer, &["link del eth0", "link add eth0 type bridge"]);
    says(
        peer.restore(),
        &expect![[r#"
        nstest[name-taken]: give node `peer` its interface `eth0` again
          cause: a program of the test has made an interface with this name in the node
          help: delete or rename that interface first
    "#]],
    );
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn wrong_neighbours_are_forgotten(peer: Node, net: Net) -> TestResult {
    let test = net.local();
    for state in ["noarp", "reachable", "stale", "permanent"] {
        for to in [peer.ip(), peer.ipv6().into()] {
            let wrong = format!("neigh replace {to} lladdr 02:00:00:00:00:99 dev eth0 nud {state}");
            ip(&test, &[&wrong]);
            test.restore()?;
            test.wait_reachable(to).map_err(|error| format!("{wrong}: {error:?}"))?;
        }
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn an_interface_that_takes_all_frames_is_named(peer: Node, net: Net) -> TestResult {
    ip(&peer, &["link add mv0 link eth0 type macvlan mode passthru", "link set mv0 up"]);
    says(
        peer.restore(),
        &expect![[r#"
        nstest[in-use]: give node `peer` its interface `eth0` again
          cause: a program of the test has made the interface `mv0`, a macvlan in the mode `passthru`, which takes all frames of `eth0`
          help: delete that interface first
    "#]],
    );
    ip(&peer, &["link del mv0", "link add mv0 link eth0 type macvlan mode bridge"]);
    peer.restore()?;
    net.local().wait_reachable(peer.ip())?;
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn faults_name_the_interface_that_is_gone(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let a = net.add_node("a").join(&lan).build()?;
    let b = net.add_node("b").join(&lan).build()?;
    ip(&a, &["link del eth0"]);
    let gone = expect![[r#"
        nstest[netlink]: change the link of `eth0` of node `a`
          cause: a program of the test has removed this interface
          help: put the node back with `node.restore()` first
    "#]];
    says(a.link().down(), &gone);
    says(a.link().condition(Condition::new().delay(Duration::from_millis(1))), &gone);
    says(net.partition(&[&[&a], &[&b]]), &gone);
    a.restore()?;
    a.wait_reachable(b.ip())?;
    a.link().down()?;
    a.link().up()?;
    a.wait_reachable(b.ipv6())?;
    Ok(())
}

#[track_caller]
fn advises_to_restore(result: Result<(), nstest::Error>) {
    let refused = format!("{:?}", result.expect_err("refused"));
    assert!(refused.contains("put the node back with `node.restore()` first"), "{refused}");
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn changes_of_a_node_without_ipv6_advise_it(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    let (laptop, server) = (&home.laptop, &home.servers[0]);
    damage(laptop, "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6", "");
    laptop.set_default_route(DefaultRoute::None)?;
    advises_to_restore(laptop.set_default_route(DefaultRoute::Auto));
    laptop.restore()?;
    laptop.set_default_route(DefaultRoute::Auto)?;
    laptop.wait_reachable(server.ipv6())?;
    let (lan, other) = (net.lan("home")?, net.add_lan("other").build()?);
    ip(laptop, &["link set eth0 mtu 68"]);
    advises_to_restore(laptop.roam(&lan, &other));
    laptop.restore()?;
    laptop.wait_reachable(server.ipv6())?;
    laptop.roam(&lan, &other)?;
    Ok(())
}
