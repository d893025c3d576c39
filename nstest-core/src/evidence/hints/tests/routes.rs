//! Patterns of addresses and routes.

use expect_test::expect;

use super::shown;
use crate::evidence::story::testing::{Arrives, Scene};
use crate::evidence::timeline::TimelineEvent;

#[test]
fn an_address_that_is_used_twice() {
    let scene = || {
        Scene::new("a::test").lan(&[
            ("client", "10.0.2.1/24"),
            ("server", "10.0.2.2/24"),
            ("other", "10.0.2.3/24"),
        ])
    };
    let asked = || scene().packet("client > server arp", Arrives);
    let story = asked()
        .packet_by(&["server", "client"], "server > client arp-reply", Arrives)
        .packet_by(&["other", "client"], "server > client arp-reply", Arrives)
        .at(2_000)
        .times_out();
    expect!["the address 10.0.2.2 is used twice: server (02:6e:73:00:00:0b) and other (02:6e:73:00:00:0c) both answered for it\n"].assert_eq(&shown(&story));

    let twice = TimelineEvent::AddressAdded {
        node: 2,
        interface: "eth0".to_owned(),
        address: "10.0.2.2/24".to_owned(),
    };
    let story = asked().event(twice).at(2_000).times_out();
    expect!["the address 10.0.2.2 is used twice on net1: by server and by other\n"]
        .assert_eq(&shown(&story));

    let story = scene()
        .packet_by(&["other", "client"], "server > client arp", Arrives)
        .packet_by(&["client", "other"], "client:40000 > server:7000 SYN", Arrives)
        .packet_by(&["other", "client"], "server:7000 > client:40000 RST", Arrives)
        .fails("Connection refused (os error 111)");
    expect![[r#"
        the address 10.0.2.2 is used twice: server has it, and other sent packets from it (ARP request for 10.0.2.1 at 0.000 s)
    "#]].assert_eq(&shown(&story));
}

#[test]
fn an_address_that_no_node_has() {
    let asks = "client > 10.0.2.9 arp";
    let by = ["client", "server"];
    let story = Scene::pair()
        .packet_by(&by, asks, Arrives)
        .at(1_000)
        .packet_by(&by, asks, Arrives)
        .at(2_000)
        .fails("No route to host (os error 113)");
    expect!["no node has the address 10.0.2.9: client asked twice by ARP and got no answer; client has 10.0.2.1, server has 10.0.2.2\n"].assert_eq(&shown(&story));
}

#[test]
fn no_route() {
    let error = "Network is unreachable (os error 101)";
    let route = |node| TimelineEvent::RouteAdded {
        node,
        route: "default via 10.0.2.254 dev eth0".to_owned(),
    };
    let removed = TimelineEvent::RouteRemoved {
        node: 0,
        route: "default via 10.0.2.254 dev eth0".to_owned(),
    };
    let story = routed().event(route(0)).event(route(2)).at(50).event(removed).fails(error);
    expect![[r#"
        client has no route to 10.0.3.254 (r) (ENETUNREACH, so no packet was sent): its route `default via 10.0.2.254 dev eth0` was removed at 0.050 s
    "#]].assert_eq(&shown(&story));
    let story = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24")])
        .lan(&[("server", "10.0.3.1/24")])
        .fails(error);
    expect![[r#"
        no route (ENETUNREACH, so no packet was sent): client and server have no default route, and so no route out of their own networks; a test has no Internet without `#[netns_test(uplink)]`
    "#]].assert_eq(&shown(&story));
    let named = |address| shown(&Scene::pair().fails(&format!("connect to {address}: {error}")));
    expect![[r#"
        no route to 93.184.215.14 (ENETUNREACH, so no packet was sent): client and server have no default route, and so no route out of their own networks; a test has no Internet without `#[netns_test(uplink)]`
    "#]].assert_eq(&named("93.184.215.14:80"));
    expect![[r#"
        no route to 10.0.9.9 (ENETUNREACH, so no packet was sent): client and server have no default route, and so no route out of their own networks
    "#]].assert_eq(&named("10.0.9.9:80"));
    let node = TimelineEvent::NodeAdded { node: 0, name: "test".to_owned(), netns: None };
    let story = Scene::new("a::test").event(node).fails(error);
    expect![[r#"
        the node has no route to the destination (ENETUNREACH, so no packet was sent); a test has no Internet without `#[netns_test(uplink)]`
    "#]].assert_eq(&shown(&story));
}

fn routed() -> Scene {
    Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
        .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")])
}

#[test]
fn a_router_that_does_not_forward() {
    let syn = "client:40000 > server:7000 SYN";
    let scene = routed().packet_by(&["client", "r"], syn, Arrives);
    let story = scene.at(1_000).packet_by(&["client", "r"], syn, Arrives).at(2_000).times_out();
    expect!["r received SYN from client to server:7000 twice, and forwarded none of them: see its routes, packet filter and NAT\n"].assert_eq(&shown(&story));
}

#[test]
fn a_router_that_reports_an_error() {
    let scene = |code: &str| {
        routed()
            .packet_by(&["client", "r"], "client:40000 > server:7000 SYN", Arrives)
            .packet_by(
                &["r", "client"],
                &format!("r:7000 > client:40000 icmp {code} tcp server"),
                Arrives,
            )
            .at(2_000)
            .times_out()
    };
    expect!["r answered packets to server:7000 by ICMP net unreachable: it has no route there\n"]
        .assert_eq(&shown(&scene("3 0")));
    expect![[r#"
        the SYN to server:7000 expired at r, which sent ICMP time exceeded: its TTL (hop limit) was 64 when it was sent
    "#]]
        .assert_eq(&shown(&scene("11 0")));
}

#[test]
fn a_reply_by_another_interface() {
    let story = routed()
        .lan(&[("server", "10.0.4.1/24"), ("other", "10.0.4.2/24")])
        .packet_by(&["client", "r", "server"], "client:40000 > server:7000 SYN", Arrives)
        .packet_by(&["server", "other"], "server:7000 > client:40000 SYN-ACK", Arrives)
        .at(2_000)
        .times_out();
    expect!["the reply (SYN-ACK) from server to client:40000 left by eth1, but the request came in on eth0; the reply did not arrive\n"].assert_eq(&shown(&story));
}
