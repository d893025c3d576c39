//! `Node::restore`: what a program has done to its node's network is undone.

use std::time::{Duration, Instant};

use expect_test::expect;
use nstest::{Condition, Nat, Net, Node, TestResult, netns_test};

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

const DAMAGES: [&str; 20] = [
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
];

#[track_caller]
fn damage(node: &Node, script: &str, gateway: &str) {
    let output = node.command("sh").args(["-e", "-c", script]).env("GATEWAY", gateway).output();
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
        home.laptop.restore()?;
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
    ];
    for script in scripts {
        damage(&home.router, script, "");
        home.router.restore()?;
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
