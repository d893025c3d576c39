//! Networks that people build by hand with `unshare` and `ip`, as parameters:
//! an isolated node, two linked nodes, three nodes on a LAN.

use std::process::Command;

use nstest::{Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;
use nstest_tests::programs::{find, need};

use crate::shell::{interfaces, pings, shows};

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn an_isolated_node_has_nothing_but_lo(net: Net) -> TestResult {
    let test = net.local();
    assert_eq!(interfaces(&test), ["lo"]);
    assert!(shows(&test, "ip link show lo").contains("<LOOPBACK,UP,LOWER_UP>"));
    assert!(pings(&test, [127, 0, 0, 1]));
    assert!(pings(&test, "::1".parse::<std::net::IpAddr>()?));
    let elsewhere = shows(&test, "ping -c 1 10.0.2.2");
    assert!(elsewhere.contains("Network is unreachable"), "{elsewhere}");
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn two_linked_nodes_reach_each_other(peer: Node, net: Net) -> TestResult {
    let test = net.local();
    for (node, addr) in [(&test, "10.0.2.1/24"), (&peer, "10.0.2.2/24")] {
        assert_eq!(interfaces(node), ["lo", "eth0"]);
        let shown = shows(node, "ip address show eth0");
        assert!(shown.contains("<BROADCAST,MULTICAST,UP,LOWER_UP>"), "{shown}");
        assert!(shown.contains(&format!("inet {addr} ")), "{shown}");
    }
    assert!(pings(&test, peer.ip()) && pings(&peer, test.ip()));
    assert!(pings(&test, peer.ipv6()) && pings(&peer, test.ipv6()));
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn three_nodes_on_a_lan_reach_each_other(b: Node, c: Node, net: Net) -> TestResult {
    let nodes = [&net.local(), &b, &c];
    for (node, addr) in nodes.iter().zip(["10.0.2.1", "10.0.2.2", "10.0.2.3"]) {
        assert_eq!(interfaces(node), ["lo", "eth0"]);
        let shown = shows(node, "ip address show eth0");
        assert!(shown.contains(&format!("inet {addr}/24 brd 10.0.2.255 ")), "{shown}");
        for other in nodes {
            assert!(pings(node, other.ip()), "{node:?} to {other:?}");
            assert!(pings(node, other.ipv6()), "{node:?} to {other:?}");
        }
    }
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_pair_that_waits(_peer: Node) {
    marks::set("up");
    marks::wait("looked");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_lan_that_waits(_b: Node, _c: Node) {
    marks::set("up");
    marks::wait("looked");
}

/// The outside is a network namespace with a default route, where this is run.
#[test]
#[ignore = "fixture of another test"]
fn looks_at_both_from_outside() {
    for (world, addrs) in
        [("a_pair_that_waits", &["10.0.2.1", "10.0.2.2"][..]), ("a_lan_that_waits", &["10.0.2.3"])]
    {
        let running = Run::of(&[&format!("seed::{world}")]).start();
        running.wait_for("up");
        for addr in addrs {
            let ping =
                Command::new(find("ping")).args(["-c", "2", "-W", "1", addr]).output().unwrap();
            let text = String::from_utf8_lossy(&ping.stdout);
            assert!(text.contains("2 packets transmitted, 0 received"), "{text}");
        }
        let links = Command::new(find("ip")).args(["-oneline", "link"]).output().unwrap();
        let links = String::from_utf8_lossy(&links.stdout);
        assert_eq!(links.lines().count(), 1, "{links}");
        running.set("looked");
        assert!(running.end().status.success());
    }
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn the_outside_reaches_none_of_them() {
    need(&["ip", "ping"]);
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-e", "-c"]);
    command.arg("ip link set lo up; ip route add default dev lo; exec \"$0\" \"$@\"");
    Run::under(command, &["seed::looks_at_both_from_outside"]).succeed();
}
