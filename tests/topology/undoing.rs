//! A network that cannot be made is undone.

use expect_test::expect;
use nstest::{Net, Node, TestResult, netns_test};

use crate::refusals::says;
use crate::shell::{pings, shows, shows_all};

/// Everything about the network of all nodes that the kernel shows.
fn whole(net: &Net) -> String {
    const LINES: [&str; 5] = [
        "ip -details address",
        "ip -4 route show table all",
        "ip -6 route show table all",
        "ip neighbour show nud permanent",
        "cat /etc/hosts",
    ];
    let all = net.nodes().into_iter().chain([net.local()]);
    let all: String = all.map(|node| node.name().to_owned() + &shows_all(&node, &LINES)).collect();
    all + &shows(&net.local(), "ip netns list")
}

#[track_caller]
fn same(now: &str, before: &str) {
    // The lifetime of an address is on its own line, and the same for all.
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("valid_lft")).map(String::from);
        lines.collect()
    };
    let (now, before) = (lines(now), lines(before));
    let more: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    let less: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    assert!(now == before, "more: {more:#?}, less: {less:#?}");
}

/// What programs have changed conflicts with changes of the topology.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn a_plan_that_fails_halfway_is_undone(a: Node, b: Node, net: Net) -> TestResult {
    let test = net.local();
    let [lan, other] = ["lan", "other"].map(|name| net.add_lan(name).build());
    let (lan, other) = (lan?, other?);
    let [c, d, e] = ["c", "d", "e"].map(|name| net.add_node(name).join(&lan).build());
    let (c, d, e) = (c?, d?, e?);
    shows(&e, "ip link del eth0");
    let before = whole(&net);
    // It fails after the MTU of the first nodes has changed.
    says(
        lan.set_mtu(1400),
        &expect![[r#"
            nstest[netlink]: set the MTU of node e's interface eth0 to 1400 in the fabric
              cause: ENODEV: No such device
              help: if a program of the test has removed an interface, address or route, switched an interface or IPv6 off, or lowered an MTU, put the node back with `node.restore()` first
        "#]],
    );
    same(&whole(&net), &before);
    assert!(pings(&c, d.ip()) && pings(&test, a.ip()));
    // It fails in the middle, at an IPv6 address.
    let peers = net.lan("peers")?;
    shows(&a, "sysctl -w net.ipv6.conf.eth0.disable_ipv6=1");
    let before = whole(&net);
    says(
        a.roam(&peers, &other),
        &expect![[r#"
            nstest[netlink]: add address fd00:4::1/64 to eth0 in node a
              cause: EACCES: Permission denied (kernel: ipv6: IPv6 is disabled on this device)
              help: if a program of the test has removed an interface, address or route, switched an interface or IPv6 off, or lowered an MTU, put the node back with `node.restore()` first
        "#]],
    );
    same(&whole(&net), &before);
    assert!(pings(&test, a.ip()) && pings(&a, b.ip()));
    // It fails at the end, at a route.
    shows(&d, "ip link set eth0 down");
    let before = whole(&net);
    says(
        d.add_route("203.0.113.0/24", c.ip()),
        &expect![[r#"
            nstest[netlink]: add the route to 203.0.113.0/24 via 10.0.3.1 on interface #2 in node d
              cause: ENETUNREACH: Network is unreachable (kernel: Nexthop has invalid gateway)
              help: if a program of the test has removed an interface, address or route, switched an interface or IPv6 off, or lowered an MTU, put the node back with `node.restore()` first
        "#]],
    );
    same(&whole(&net), &before);
    // Without the conflicts it succeeds, without delay.
    let start = std::time::Instant::now();
    for node in [&a, &d, &e] {
        node.restore()?;
    }
    test.join(&lan)?;
    lan.set_mtu(1400)?;
    a.roam(&peers, &other)?;
    d.add_route("203.0.113.0/24", c.ip())?;
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert!(pings(&test, c.ip()) && pings(&d, test.ips()[2]) && pings(&e, c.ipv6()));
    Ok(())
}

/// nstest does not wait for addresses that have been removed.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn what_was_readdressed_joins_quickly(a: Node, _b: Node, net: Net) -> TestResult {
    let peers = net.lan("peers")?;
    let lan = net.add_lan("lan").build()?;
    a.set_address(&peers, "fd00:2::77".parse()?)?;
    a.set_address(&peers, "fd00:2::78".parse()?)?;
    let start = std::time::Instant::now();
    a.join(&lan)?;
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert!(pings(&net.local(), a.ipv6()));
    Ok(())
}
