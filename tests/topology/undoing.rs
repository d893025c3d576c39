//! A network that cannot be made is undone.

use std::net::IpAddr;
use std::time::Duration;

use expect_test::expect;
use nstest::{Net, Node, TestResult, eventually, netns_test};

use crate::refusals::says;
use crate::shell::{pings, shows};

/// Everything about the network of all nodes that the kernel shows.
fn picture(net: &Net) -> String {
    let mut picture = String::new();
    for node in net.nodes().iter().chain([&net.local()]) {
        picture.push_str(node.name());
        for line in [
            "ip -details address",
            "ip -4 route show table all",
            "ip -6 route show table all",
            "ip neighbour show nud permanent",
            "cat /etc/hosts",
        ] {
            let shown = shows(node, line);
            picture.push_str(&shown);
        }
    }
    picture + &shows(&net.local(), "ip netns list")
}

fn without(picture: &str, text: &str) -> String {
    picture.lines().filter(|line| !line.contains(text)).map(|line| format!("{line}\n")).collect()
}

#[track_caller]
fn same(now: &str, before: &str) {
    // A validity is a line of its own, and the same for all.
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("valid_lft")).map(String::from);
        lines.collect()
    };
    let (now, before) = (lines(now), lines(before));
    let more: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    let less: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    assert!(now == before, "more: {more:#?}, less: {less:#?}");
}

/// What the test makes in its own node, behind the back of nstest, is in the way.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn a_plan_that_fails_halfway_is_undone(a: Node, b: Node, net: Net) -> TestResult {
    let test = net.local();
    let lan = net.add_lan("lan").build()?;
    let c = net.add_node("c").join(&lan).build()?;
    let d = net.add_node("d").join(&lan).build()?;
    shows(&test, "ip link add eth1 type bridge");
    shows(&a, "ip address add fd00:2::77/64 dev eth0 nodad");
    // Its route comes later than the address: addrconf_dad_begin, net/ipv6/addrconf.c.
    let own = || shows(&a, "ip -6 route show table local").contains("fd00:2::77");
    eventually(Duration::from_secs(10), own)?;
    let before = picture(&net);
    // The name and the index of the interface.
    says(
        test.join(&lan),
        &expect![[r#"
            nstest[netlink]: make interface eth1 (index 3) of node test, and its link end p8 in the fabric
              cause: EEXIST: File exists
        "#]],
    );
    same(&picture(&net), &before);
    assert!(pings(&c, d.ip()) && pings(&test, a.ip()));
    // In the middle: an address, with what was done before it.
    let peers = net.lan("peers")?;
    let taken: IpAddr = "fd00:2::77".parse()?;
    says(
        a.set_address(&peers, taken),
        &expect![[r#"
        nstest[netlink]: add address fd00:2::77/64 to interface #2 in node a
          cause: EEXIST: File exists (kernel: ipv6: address already assigned)
    "#]],
    );
    // What is in the way goes along: it is taken for what the plan made of it.
    same(&picture(&net), &without(&before, "fd00:2::77"));
    assert!(pings(&test, a.ip()) && pings(&a, b.ipv6()));
    // At the end: a route.
    shows(&d, &format!("ip route add 203.0.113.0/24 via {}", c.ip()));
    let before = picture(&net);
    says(
        d.add_route("203.0.113.0/24", c.ip()),
        &expect![[r#"
        nstest[netlink]: add the route to 203.0.113.0/24 via 10.0.3.1 on interface #2 in node d
          cause: EEXIST: File exists
    "#]],
    );
    same(&picture(&net), &before);
    // With the obstacle gone, it works, and quickly so.
    shows(&test, "ip link delete eth1");
    let start = std::time::Instant::now();
    test.join(&lan)?;
    a.set_address(&peers, taken)?;
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert!(pings(&test, c.ip()) && pings(&d, test.addrs()[2]) && pings(&test, a.ip()));
    Ok(())
}

/// Addresses that came and went are waited for no more.
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
