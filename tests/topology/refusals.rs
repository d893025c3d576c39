//! Impossible changes of a network are errors that say why, and change nothing.

use expect_test::{Expect, expect};
use nstest::{Action, Error, Fault, Net, Node, TestResult, netns_test};
use nstest_tests::driver::failure;

use crate::shell::{interfaces, pings, shows};

#[track_caller]
pub(crate) fn says<T>(result: Result<T, Error>, expected: &Expect) {
    match result {
        Ok(_) => panic!("accepted"),
        Err(error) => expected.assert_eq(&format!("{error:?}\n")),
    }
}

#[netns_test]
fn subnets_that_overlap(_peer: Node, net: Net) -> TestResult {
    net.add_lan("home").subnet("192.168.0.0/16").build()?;
    says(
        net.add_lan("office").subnet("192.168.7.0/24").build(),
        &expect![[r#"
        nstest[subnet-overlap]: give `office` the subnet 192.168.7.0/24
          cause: it overlaps 192.168.0.0/16 of the LAN `home`
          help: choose another subnet, or give none to get a free one. If a NAT separates the two LANs, call `may_overlap`
    "#]],
    );
    says(
        net.add_lan("office").subnet("10.0.0.0/8").build(),
        &expect![[r#"
        nstest[subnet-overlap]: give `office` the subnet 10.0.0.0/8
          cause: it overlaps 10.0.2.0/24 of the link `test-peer`
          help: choose another subnet, or give none to get a free one. If a NAT separates the two LANs, call `may_overlap`
    "#]],
    );
    says(
        net.add_lan("office").subnet("10.0.0.0/33").build(),
        &expect![[r#"
        nstest[subnet]: read the subnet `10.0.0.0/33`
          cause: an IPv4 prefix has at most 32 bits
    "#]],
    );
    Ok(())
}

#[netns_test]
fn names_that_are_taken(peer: Node, net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    says(
        net.add_lan("lan").build(),
        &expect![[r#"
        nstest[name-taken]: name a LAN `lan`
          cause: another LAN or link has this name
          help: choose another one
    "#]],
    );
    says(
        net.add_node("peer").build(),
        &expect![[r#"
        nstest[name-taken]: name a node `peer`
          cause: another node has this name
          help: choose another one
    "#]],
    );
    says(
        net.add_node("Peer").build(),
        &expect![[r#"
        nstest[name-taken]: name a node `Peer`
          cause: as a hostname it is `peer`, and so is node `peer`
          help: choose a name that differs in more than case, `_` and `-`
    "#]],
    );
    says(
        net.add_node("x").alias("peer").build(),
        &expect![[r#"
        nstest[name-taken]: give a node the alias `peer`
          cause: the node `peer` has this name
          help: choose another one
    "#]],
    );
    says(
        net.add_node("").build(),
        &expect![[r#"
        nstest[name]: name a node ``
          cause: a name begins and ends with a letter or digit
          help: the name becomes a hostname (RFC 1123), as in `db-1`
    "#]],
    );
    says(
        peer.join(&lan).and_then(|_| peer.join(&lan)),
        &expect![[r#"
        nstest[in-use]: join node `peer` to LAN `lan`
          cause: it is there already
          help: use the interface that it has there, or join another LAN
    "#]],
    );
    says(
        net.node("pear"),
        &expect![[r#"
        nstest[not-found]: find node `pear`
          cause: there is no node with this name
          help: the test has `test`, `peer`
    "#]],
    );
    Ok(())
}

/// A test that wants faults between its own sockets learns that it needs another node.
#[netns_test]
fn the_link_of_a_test_that_is_alone(net: Net) -> TestResult {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| net.local().link()));
    let text = panic.unwrap_err().downcast::<String>().expect("text");
    assert!(text.contains("passes no link and meets no fault"), "{text}");
    says(
        net.inject(Fault::on("test").action(Action::Drop)),
        &expect![[r#"
        nstest[not-found]: find the link of node `test`
          cause: it is on no network
          help: let it `join` a LAN, or `connect` it. What a node sends to itself passes no link and meets no fault: run one side in another node, as of a parameter `peer: Node`
    "#]],
    );
    Ok(())
}

#[netns_test]
fn an_address_of_a_node_on_no_network(net: Net) -> TestResult {
    let hermit = net.add_node("hermit").build()?;
    says(
        hermit.try_ip(),
        &expect![[r#"
        nstest[no-address]: find the address of node `hermit`
          cause: it is on no network
          help: join it to a LAN, or connect it to another node
    "#]],
    );
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hermit.ip()));
    let text = panic.unwrap_err().downcast::<String>().expect("text");
    assert!(text.contains("hermit"), "{text}");
    Ok(())
}

#[netns_test]
fn impossible_routes_are_refused(peer: Node, net: Net) -> TestResult {
    says(
        peer.add_route("203.0.113.0/24", [192, 0, 2, 1]),
        &expect![[r#"
        nstest[route]: route 203.0.113.0/24 of node `peer` via 192.0.2.1
          cause: no other node on its networks has that address
          help: name a router or node that shares a LAN with it
    "#]],
    );
    says(
        peer.add_route("203.0.113.0/24", "fd00:2::1".parse::<std::net::IpAddr>()?),
        &expect![[r#"
        nstest[route]: route 203.0.113.0/24 of node `peer` via fd00:2::1
          cause: one is IPv4 and the other IPv6
          help: give a gateway of the destination's kind
    "#]],
    );
    says(
        peer.add_route("203.0.113.0/24", &peer),
        &expect![[r#"
        nstest[route]: route 203.0.113.0/24 of node `peer` via 10.0.2.2
          cause: it is an address of that node itself, and a gateway is another node
          help: name a router or node that shares a LAN with it
    "#]],
    );
    says(
        peer.add_route("ff02::/16", peer.ipv6()),
        &expect![[r#"
        nstest[route]: route ff02::/16 of node `peer` via fd00:2::2
          cause: it is an address of that node itself, and a gateway is another node
          help: name a router or node that shares a LAN with it
    "#]],
    );
    says(
        peer.add_route("203.0.113.9/24", &net.local()),
        &expect![[r#"
        nstest[subnet]: read the subnet `203.0.113.9/24`
          cause: it has bits set beyond the prefix, as the address of a host has
          help: write `203.0.113.0/24`
    "#]],
    );
    says(
        peer.remove_route("203.0.113.0/24"),
        &expect![[r#"
        nstest[not-found]: remove the route of node `peer` to 203.0.113.0/24
          cause: no such route was added
          help: other routes follow from the LANs and routers: change those instead
    "#]],
    );
    let lan = net.add_lan("lan").build()?;
    let build = net.add_node("x").join(&lan).route("0.0.0.0/0", [192, 0, 2, 1]).build();
    says(
        build,
        &expect![[r#"
        nstest[route]: route 0.0.0.0/0 of node `x` via 192.0.2.1
          cause: no other node on its networks has that address
          help: name a router or node that shares a LAN with it
    "#]],
    );
    Ok(())
}

#[netns_test(timeout = "3m")]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn three_hundred_nodes_on_a_24(net: Net) -> TestResult {
    let lan = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let mut nodes = Vec::new();
    let error = loop {
        assert!(nodes.len() < 300, "all have found a place");
        match net.add_node(&format!("n{}", nodes.len() + 1)).join(&lan).build() {
            Ok(node) => nodes.push(node),
            Err(error) => break error,
        }
    };
    assert_eq!(nodes.len(), 254);
    let full = expect![[r#"
        nstest[subnet-full]: find an address on LAN `home` for node `n255`
          cause: 192.168.1.0/24 has room for 254, and all are taken
          help: give it a larger subnet, as `10.1.0.0/16`
    "#]];
    says(Err::<(), _>(error), &full);
    // An existing node cannot join either, and is left as it is.
    let test = net.local();
    says(
        test.join(&lan).map(drop),
        &expect![[r#"
        nstest[subnet-full]: find an address on LAN `home` for node `test`
          cause: 192.168.1.0/24 has room for 254, and all are taken
          help: give it a larger subnet, as `10.1.0.0/16`
    "#]],
    );
    assert_eq!(interfaces(&test), ["lo"]);
    // The refused node left nothing behind, and everything else exists.
    assert!(net.node("n255").is_err());
    assert_eq!(shows(&test, "ip netns list").lines().count(), 255);
    assert!(!shows(&test, "cat /etc/hosts").contains("n255"));
    let [first, last] = [&nodes[0], &nodes[253]];
    assert!(pings(first, last.ip()) && pings(last, first.ipv6()));
    // After a node was removed, its place can be used.
    nodes.swap_remove(100).remove()?;
    let late = net.add_node("n255").join(&lan).build()?;
    assert_eq!(late.ip().to_string(), "192.168.1.101");
    assert!(pings(&late, nodes[0].ip()));
    Ok(())
}

#[netns_test(peers = 300)]
#[ignore = "fixture of another test"]
fn has_three_hundred_peers(_net: Net) {
    unreachable!("there is no room for them");
}

/// If the network of the parameters is impossible, nothing of it is made, and the test
/// function is not called.
#[test]
fn three_hundred_peers_are_refused_before_anything_is_made() {
    expect![[r#"
        nstest[subnet-full]: find an address on LAN `peers` for node `peer254`
          cause: 10.0.2.0/24 has room for 254, and all are taken
          help: give it a larger subnet, as `10.1.0.0/16`
    "#]]
    .assert_eq(&failure("refusals::has_three_hundred_peers"));
}

#[netns_test]
fn interface_names_that_the_kernel_has_no_room_for(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let with = |name| net.add_node("x").join(&lan).interface(name).build();
    says(
        with("sixteen-bytes-16"),
        &expect![[r#"
        nstest[name]: name an interface `sixteen-bytes-16`
          cause: it is 16 bytes long, and the kernel takes 15
          help: choose a shorter one, as `eth0`
    "#]],
    );
    says(
        with("with/slash"),
        &expect![[r#"
        nstest[name]: name an interface `with/slash`
          cause: the kernel takes no empty name, spaces, `/`, `:` or `%`
          help: name it like `eth0`
    "#]],
    );
    says(
        with("lo"),
        &expect![[r#"
        nstest[name]: name an interface `lo`
          cause: every node has one of that name
          help: name it like `eth0`
    "#]],
    );
    net.add_node("x").join(&lan).interface("fifteen-bytes15").build()?;
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn what_is_in_use_stays(peer: Node, net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    says(
        lan.clone().remove(),
        &expect![[r#"
        nstest[in-use]: remove LAN `lan`
          cause: on it: `node`
          help: have them leave it first
    "#]],
    );
    says(
        peer.clone().remove(),
        &expect![[r#"
        nstest[in-use]: remove node `peer`
          cause: it is one end of the link `test-peer`
          help: remove the link first
    "#]],
    );
    says(
        net.local().remove(),
        &expect![[r#"
        nstest[in-use]: remove node `test`
          cause: the test runs in it
          help: let it leave its networks instead
    "#]],
    );
    says(
        node.link().remove(),
        &expect![[r#"
        nstest[in-use]: remove the link of node `node` to LAN `lan`
          cause: it is not a direct link between two nodes
          help: let the node leave the LAN
    "#]],
    );
    let router = net.add_router("router").lan(&lan).build()?;
    let user = net.add_node("user").join(&lan).default_via(&router).build()?;
    says(
        router.node().clone().remove(),
        &expect![[r#"
        nstest[in-use]: remove router `router`
          cause: it is the default route of the node `user`
          help: give that node another default route first
    "#]],
    );
    assert!(pings(&user, node.ip()));
    // In the right order, it succeeds.
    peer.link().remove()?;
    peer.clone().remove()?;
    says(
        peer.try_ip(),
        &expect![[r#"
        nstest[not-found]: use node `peer`
          cause: it has been removed from the test
          help: remove it after its last use; a node that was added later under this name has a handle of its own
    "#]],
    );
    says(
        peer.join(&lan),
        &expect![[r#"
        nstest[not-found]: use node `peer`
          cause: it has been removed from the test
          help: remove it after its last use; a node that was added later under this name has a handle of its own
    "#]],
    );
    user.remove()?;
    router.node().clone().remove()?;
    node.leave(&lan)?;
    says(
        node.leave(&lan),
        &expect![[r#"
        nstest[not-found]: find the interface of node `node` on LAN `lan`
          cause: it has no interface there
          help: join it first
    "#]],
    );
    lan.remove()?;
    Ok(())
}
