//! What waits for what, and what is only slow.

use expect_test::expect;

use super::shown;
use crate::evidence::story::testing::{Arrives, DelayedBy, Scene};
use crate::evidence::timeline::TimelineEvent;

const CLIENT: &str = "tcp 10.0.2.1:40000 -> 10.0.2.2:7000 (established)";
const SERVER: &str = "tcp 10.0.2.2:7000 -> 10.0.2.1:40000 (established)";

fn connected() -> Scene {
    Scene::pair()
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 SYN-ACK", Arrives)
        .packet("client:40000 > server:7000 ACK", Arrives)
        .packet("client:40000 > server:7000 data 5", Arrives)
}

fn open(scene: Scene) -> Scene {
    scene
        .at(1_990)
        .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [0; 3])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [0; 3])
        .thread("a::test[3]", "recvfrom", CLIENT)
}

#[test]
fn two_ends_that_wait_to_read() {
    let story = open(connected()).thread("s[5]", "recvfrom", SERVER).at(2_000).times_out();
    expect![[r#"
        both ends of the connection from client to server:7000 (10.0.2.2) wait to read since 0.006 s: server has read 5 bytes and client 0, each waits for more or for the end, and neither has closed its side
    "#]].assert_eq(&shown(&story));
    // The other connection was closed later.
    let closed = connected()
        .packet("client:40001 > server:80 SYN", Arrives)
        .packet("server:80 > client:40001 SYN-ACK", Arrives)
        .packet("server:80 > client:40001 FIN", Arrives);
    let other = open(closed).thread("s[5]", "recvfrom", SERVER).at(2_000).times_out();
    assert_eq!(shown(&other), shown(&story));
}

#[test]
fn an_end_that_is_kept_open() {
    let sent = connected().packet("server:7000 > client:40000 data 2", Arrives);
    let story = open(sent).thread("s[5]", "clock_nanosleep", "").at(2_000).times_out();
    expect![[r#"
        client waits to read on the connection from client to server:7000 (10.0.2.2) since 0.008 s, has got 2 bytes, and waits for more or for the end; server has not closed its end, and no thread waits for that end; thread s[5] sleeps
    "#]].assert_eq(&shown(&story));
}

#[test]
fn an_end_of_which_it_is_not_known_what_it_waits_for() {
    let story = open(connected()).thread("s[5]", "epoll_wait", SERVER).at(2_000).times_out();
    expect![[r#"
        client sent data (5 bytes) to server on the connection from client to server:7000 (10.0.2.2), which arrived, and server has read it all; server sent nothing back in the last 1.984 s
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_test_that_sleeps_or_waits_for_a_child() {
    let story = |call, what| {
        let scene = Scene::pair().at(1_990).thread("a::test[3]", call, what);
        shown(&scene.at(2_000).times_out())
    };
    expect![[r#"
        thread a::test[3] of the test sleeps
    "#]]
    .assert_eq(&story("clock_nanosleep", ""));
    expect![[r#"
        thread a::test[3] of the test waits for the end of process sleep[9]
    "#]]
    .assert_eq(&story("wait4", "the end of process sleep[9]"));
}

#[test]
fn a_test_that_is_busy() {
    let mut scene = connected();
    for _ in 0..400 {
        scene = scene
            .packet("client:40000 > server:7000 data 4", Arrives)
            .packet("server:7000 > client:40000 data 4", Arrives);
    }
    expect![[r#"
        busy, not stuck: client and server:7000 (10.0.2.2) made 400 round trips in the last 1.602 s, up to the end, one in 4.00 ms
    "#]].assert_eq(&shown(&scene.times_out()));
}

#[test]
fn an_answer_that_comes_too_late() {
    let story = Scene::pair()
        .fault(1, "server: condition delay 1s")
        .packet("client:40000 > server:7000 SYN", Arrives)
        .at(600)
        .packet("server:7000 > client:40000 SYN-ACK", DelayedBy(1))
        .at(1_000)
        .packet("client:40000 > server:7000 SYN", DelayedBy(1))
        .at(1_100)
        .fails("Error: connection timed out");
    expect![[r#"
        the SYN-ACK from server:7000 to client:40000 was still on its way when the test failed at 1.100 s: `server: condition delay 1s` delays it by 1.000 s, to 1.600 s
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_datagram_to_a_port_that_no_socket_has() {
    let story = Scene::pair()
        .packet("client:40000 > server:53 udp 5", Arrives)
        .at(1_990)
        .socket("server udp unconnected 0.0.0.0:54", [0; 3])
        .at(2_000)
        .times_out();
    expect![[r#"
        client sent 1 datagram to server:53, which arrived; server sent none back, and no socket is bound to that port there
    "#]].assert_eq(&shown(&story));
    // The kernel asks for the MAC address again later.
    let story = Scene::pair()
        .packet("client:40000 > server:5353 udp 5", Arrives)
        .packet("server:5353 > client:40000 icmp 3 3 udp", Arrives)
        .at(1_010)
        .packet("client > server arp", Arrives)
        .packet("server > client arp-reply", Arrives)
        .at(1_990)
        .socket("server udp unconnected 0.0.0.0:5354", [0; 3])
        .at(2_000)
        .times_out();
    expect![[r#"
        no socket listens on server:5353 (10.0.2.2); server listens on 0.0.0.0:5354 (IPv4); the datagram from client got ICMP port unreachable
    "#]].assert_eq(&shown(&story));
}

#[test]
fn what_a_dns_server_answered() {
    let scene = || {
        Scene::new("a::test").lan(&[
            ("client", "10.0.2.1/24"),
            ("dns", "10.0.2.2/24"),
            ("db", "10.0.2.3/24"),
            ("old", "10.0.2.4/24"),
        ])
    };
    let error = "failed to lookup address information: Name or service not known";
    let answered = |answer: &str| {
        let story = scene()
            .packet(
                &format!("client:40000 > dns:53 dns {}", answer.split(' ').next().unwrap()),
                Arrives,
            )
            .packet(&format!("dns:53 > client:40000 dns {answer}"), Arrives)
            .fails(error);
        shown(&story)
    };
    expect![[r#"
        the DNS server dns:53 (10.0.2.2) answered for bd.example: NXDOMAIN, there is no such name; there is a node db
    "#]].assert_eq(&answered("bd.example 3"));
    expect![[r#"
        the DNS server dns:53 (10.0.2.2) answered for shop.example: SERVFAIL
    "#]]
    .assert_eq(&answered("shop.example 2"));
    expect![[r#"
        the DNS server dns:53 (10.0.2.2) answered for db.example: no A record; there is a node db
    "#]]
    .assert_eq(&answered("db.example 0"));
    expect![""].assert_eq(&answered("db.example 0 10.0.2.3"));
    let story = scene()
        .packet("client:40000 > dns:53 dns db.example", Arrives)
        .packet("dns:53 > client:40000 dns db.example 0 10.0.2.4", Arrives)
        .packet("client:40001 > old:80 SYN", Arrives)
        .packet("old:80 > client:40001 RST", Arrives)
        .fails("Connection refused (os error 111)");
    expect![[r#"
        no socket listens on old:80 (10.0.2.4); the SYN from client got RST; 10.0.2.4 comes from the DNS answer for db.example, and db has 10.0.2.3
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_default_route_that_is_a_black_hole() {
    let route = "default via 169.254.0.1 dev eth0 onlink".to_owned();
    // Its next hop has a MAC address that no interface has, here that of a network that is gone.
    let story = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
        .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")])
        .event(TimelineEvent::RouteAdded { node: 0, route })
        .packet_into_void("client:40000 > server:7000 SYN", None)
        .at(1_000)
        .packet_into_void("client:40000 > server:7000 SYN", None)
        .at(2_000)
        .times_out();
    expect![[r#"
        client sent SYN to server:7000 twice into a black hole: its default route is `default via 169.254.0.1 dev eth0 onlink`, and no interface has that next hop
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_request_that_came_in_on_another_interface_than_its_reply_leaves_by() {
    let route = "default via 10.0.4.9 dev eth1".to_owned();
    let way = ["client", "r", "server"];
    let syn = "client:40000 > server:7000 SYN";
    let story = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
        .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")])
        .lan(&[("server", "10.0.4.1/24"), ("other", "10.0.4.9/24")])
        .event(TimelineEvent::RouteAdded { node: 2, route })
        .packet_by(&way, syn, Arrives)
        .at(1_000)
        .packet_by(&way, syn, Arrives)
        .at(2_000)
        .times_out();
    expect![[r#"
        the SYN to server:7000 (10.0.3.1) arrived twice on eth0, and server did not answer it; its route to 10.0.2.1 leads by eth1, and rp_filter can discard such packets
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_receive_buffer_that_is_full() {
    let scene = |verdict: &str| {
        let socket = Scene::pair()
            .packet("client:40000 > server:53 udp 5", Arrives)
            .at(100)
            .socket("server udp unconnected 0.0.0.0:53", [0; 3])
            .dropped(908);
        shown(&socket.fails(verdict))
    };
    let verdict = "the test panicked: assertion `left == right` failed\n  left: 92\n right: 1000";
    expect![[r#"
        server dropped 908 datagrams that had arrived for its UDP socket 0.0.0.0:53, since the receive buffer was full: it is not read, or too slowly
    "#]].assert_eq(&scene(verdict));
    assert_eq!(scene("Error: No such file or directory (os error 2)"), "");
}

#[test]
fn a_queue_of_connections_that_is_full() {
    let story = connected()
        .at(1_990)
        .socket("server tcp listening 0.0.0.0:7000", [0, 0, 2])
        .dropped(3)
        .at(2_000)
        .times_out();
    expect![[r#"
        server does not call accept: 2 connections wait at its listening socket 0.0.0.0:7000 (server[7]); its queue is full: SYNs and ACKs to it were dropped 3 times
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_router_that_lets_nothing_in() {
    let rules = |rules: &[&str]| TimelineEvent::RouterRules {
        node: 1,
        wan: "eth0".to_owned(),
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
    };
    let scene = |event, syn: &str| {
        let scene = Scene::new("a::test")
            .lan(&[("peer", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
            .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")])
            .event(event)
            .packet_by(&["peer", "r"], syn, Arrives)
            .at(1_000)
            .packet_by(&["peer", "r"], syn, Arrives)
            .at(1_990)
            .socket("server tcp listening 0.0.0.0:80", [0; 3]);
        shown(&scene.at(2_000).times_out())
    };
    let nat = "NAT (mapping endpoint-independent, filtering address-dependent)";
    let (outside, inside) = ("peer:40000 > r:80 SYN", "peer:40000 > server:80 SYN");
    expect![[r#"
        the SYN to r:80 (10.0.2.254) arrived twice, and r did not forward it: it forwards no tcp port 80 from its WAN eth0, which has NAT (mapping endpoint-independent, filtering address-dependent); see `forward_port`
    "#]].assert_eq(&scene(rules(&[nat, "forward tcp 81 to 10.0.3.1:80"]), outside));
    expect![[r#"
        the SYN to r:80 (10.0.2.254) arrived twice, and r did not forward it; see its NAT and packet filter
    "#]].assert_eq(&scene(rules(&[nat, "forward tcp 80 to 10.0.3.1:80"]), outside));
    expect![[r#"
        r received SYN from peer to server:80 twice, and forwarded none of them: its `firewall block-inbound` drops what comes from its WAN eth0 and did not begin inside
    "#]].assert_eq(&scene(rules(&["firewall block-inbound"]), inside));
    expect![[r#"
        r received SYN from peer to server:80 twice, and forwarded none of them: see its routes, packet filter and NAT
    "#]].assert_eq(&scene(rules(&[nat]), inside));
}

#[test]
fn an_address_of_another_node() {
    let story = Scene::pair().fails("Error: Cannot assign requested address (os error 99)");
    expect![[r#"
        EADDRNOTAVAIL: bind says so if the node does not have the address (that of another node needs `node.run(…)`), connect if no port is left or the node has no address of that IP version, leaving a multicast group if it was not joined
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_read_that_timed_out() {
    let story =
        connected().at(1_000).fails("Error: Resource temporarily unavailable (os error 11)");
    expect![[r#"
        client sent data (5 bytes) to server on the connection from client to server:7000 (10.0.2.2), which arrived; server sent nothing back in the last 0.994 s
    "#]].assert_eq(&shown(&story));
    // Both ends had closed it long before.
    let closed = connected()
        .packet("server:7000 > client:40000 FIN", Arrives)
        .packet("client:40000 > server:7000 FIN", Arrives)
        .at(1_000);
    assert_eq!(shown(&closed.fails("Error: Resource temporarily unavailable (os error 11)")), "");
}

#[test]
fn a_read_that_timed_out_in_a_function_that_closed_the_connection() {
    let error = "Error: Resource temporarily unavailable (os error 11)";
    let closed = |scene: Scene, at, verdict: &str| {
        let scene = scene.at(at).packet("client:40000 > server:7000 FIN", Arrives);
        let scene = scene.packet("server:7000 > client:40000 FIN", Arrives);
        // It was closed when it had been answered.
        let other = scene.packet("client:40001 > server:80 SYN", Arrives);
        let other = other.packet("server:80 > client:40001 SYN-ACK", Arrives);
        let other = other.packet("client:40001 > server:80 ACK", Arrives);
        shown(&other.at(1_000).fails(verdict))
    };
    expect![[r#"
        client sent data (5 bytes) to server on the connection from client to server:7000 (10.0.2.2), which arrived; server sent nothing back for 0.984 s, until client closed the connection (EAGAIN: a read timed out)
    "#]].assert_eq(&closed(connected(), 990, error));
    let half = connected().packet("server:7000 > client:40000 data 1", Arrives);
    expect![[r#"
        server sent data (1 byte) to client on the connection from client to server:7000 (10.0.2.2), which arrived; neither sent data for 0.982 s, until client closed the connection
    "#]].assert_eq(&closed(half, 990, "deadline has elapsed"));
    // Long before, right after the request, or by a test that fails for another reason.
    assert_eq!(closed(connected(), 800, error), "");
    let now = |kind: &str| format!("client:40000 > server:7000 {kind}");
    assert_eq!(closed(connected().at(980).packet(&now("data 1"), Arrives), 990, error), "");
    assert_eq!(closed(connected(), 990, "assertion `left == right` failed"), "");
}

#[test]
fn a_datagram_that_was_truncated() {
    let story = |left: u32, right: u32| {
        let verdict = format!("assertion `left == right` failed\n  left: {left}\n right: {right}");
        let scene = Scene::pair().packet("client:40000 > server:53 udp 900", Arrives);
        shown(&scene.at(100).fails(&verdict))
    };
    expect![[r#"
        the datagram of 900 bytes from client to server:53 arrived; a buffer of 512 bytes truncates it
    "#]].assert_eq(&story(512, 900));
    assert_eq!((story(512, 901), story(3, 900), story(404, 900)), Default::default());
}
