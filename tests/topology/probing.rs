//! `Node::probe`: the outcome of a connection attempt, and the node that caused it.

use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use nstest::{DefaultRoute, Firewall, Net, Node, ProbeOutcome, TestResult, netns_test};

const PATIENCE: Duration = Duration::from_millis(200);

fn both(node: &Node) -> [IpAddr; 2] {
    [node.ip(), node.ipv6().into()]
}

#[netns_test]
fn listeners_are_connected_to_and_others_refuse(server: Node, net: Net) -> TestResult {
    for ip in both(&server) {
        let listener = server.run(|| TcpListener::bind((ip, 80)))?;
        net.local().probe((ip, 80))?.assert(ProbeOutcome::Connected);
        drop(listener);
        let found = net.local().probe((ip, 80))?;
        found.assert(ProbeOutcome::Refused);
        assert_eq!(found.hop(), Some("server"));
        assert_eq!(
            found.to_string(),
            format!(
                "from test to {}: server ({ip}) refused it with an RST",
                std::net::SocketAddr::new(ip, 80)
            ),
        );
    }
    Ok(())
}

#[netns_test]
fn a_pulled_cable_is_a_black_hole_of_no_hop(server: Node, net: Net) -> TestResult {
    server.link().down()?;
    for ip in both(&server) {
        let found = net.local().probe_with((ip, 80), &[], PATIENCE)?;
        found.assert(ProbeOutcome::NoReply);
        assert_eq!(found.hop(), None);
    }
    Ok(())
}

/// A router with a firewall, one without a route, and a node without a route.
#[netns_test]
fn the_hop_is_named(net: Net) -> TestResult {
    let inside = net.add_lan("inside").build()?;
    let outside = net.add_lan("outside").build()?;
    let router = net.add_router("gate").lan(&inside).wan(&outside).build()?;
    let server = net.add_node("server").join(&inside).build()?;
    let client = net.add_node("client").join(&outside).default_via(&router).build()?;
    for ip in both(&server) {
        client.probe((ip, 80))?.assert(ProbeOutcome::Refused);
    }
    router.set_firewall(Firewall::BlockInbound)?;
    for ip in both(&server) {
        let found = client.probe_with((ip, 80), &[], PATIENCE)?;
        found.assert(ProbeOutcome::NoReply);
    }
    for nowhere in ["198.51.100.1", "2001:db8:ffff::1"] {
        let nowhere: IpAddr = nowhere.parse()?;
        let found = server.probe((nowhere, 80))?;
        found.assert(ProbeOutcome::Rejected);
        assert_eq!(found.hop(), Some("gate"), "{found}");
        client.set_default_route(DefaultRoute::None)?;
        let found = client.probe((nowhere, 80))?;
        found.assert(ProbeOutcome::NoRoute);
        assert_eq!(found.hop(), Some("client"));
    }
    Ok(())
}

/// If packets are lost behind a router, `hop` is that router.
#[netns_test]
fn a_black_hole_is_behind_the_last_hop_that_answers(net: Net) -> TestResult {
    let lans: Vec<_> =
        (0..3).map(|nth| net.add_lan(&format!("lan{nth}")).build()).collect::<Result<_, _>>()?;
    let client = net.add_node("client").join(&lans[0]).build()?;
    for (nth, pair) in lans.windows(2).enumerate() {
        net.add_router(&format!("router{nth}")).lan(&pair[0]).wan(&pair[1]).build()?;
    }
    let server = net.add_node("server").join(&lans[2]).build()?;
    server.set_default_route(DefaultRoute::Blackhole)?;
    for ip in both(&server) {
        // Long enough for the hops to answer on a busy machine.
        let found = client.probe_with((ip, 80), &[], Duration::from_secs(1))?;
        found.assert(ProbeOutcome::NoReply);
        assert_eq!(found.hop(), Some("router1"), "{found}");
    }
    Ok(())
}

#[netns_test]
#[should_panic(expected = "refused it with an RST")]
fn an_assertion_that_fails_tells_the_story(server: Node, net: Net) {
    let found = net.local().probe((server.ip(), 80)).expect("an attempt");
    found.assert(ProbeOutcome::NoReply);
}

#[netns_test]
async fn it_does_not_block_a_runtime(server: Node, net: Net) -> TestResult {
    let listener =
        server.scope(async { tokio::net::TcpListener::bind("0.0.0.0:80").await }).await?;
    let accepting = tokio::spawn(async move { listener.accept().await.map(|(_, from)| from) });
    net.local().probe_async((server.ip(), 80)).await?.assert(ProbeOutcome::Connected);
    accepting.await??;
    Ok(())
}
