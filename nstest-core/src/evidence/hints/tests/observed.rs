//! A hint says what was seen, and nothing that could be false.

use expect_test::expect;

use super::shown;
use crate::evidence::story::testing::{Arrives, ChangedBy, DelayedBy, DroppedBy, Scene};
use crate::evidence::timeline::TimelineEvent;

const SYN: &str = "client:40000 > server:7000 SYN";
const DATA: &str = "client:40000 > server:7000 data 100";

fn connected(scene: Scene, port: u16) -> Scene {
    scene
        .packet(&format!("client:{port} > server:7000 SYN"), Arrives)
        .packet(&format!("server:7000 > client:{port} SYN-ACK"), Arrives)
        .packet(&format!("client:{port} > server:7000 ACK"), Arrives)
}

fn thread(name: &str, waits_in: &str, waits_for: Option<&str>) -> TimelineEvent {
    TimelineEvent::Thread {
        thread: name.to_owned(),
        node: Some(0),
        waits_in: waits_in.to_owned(),
        waits_for: waits_for.map(str::to_owned),
    }
}

#[test]
fn a_link_that_is_down_at_the_end() {
    let down = |up| TimelineEvent::Link { link_end: 11, up };
    let story = || Scene::pair().at(40).event(down(false));
    expect!["the link of server (eth0) has been down since 0.040 s\n"]
        .assert_eq(&shown(&story().at(900).times_out()));
    expect![""].assert_eq(&shown(&story().fails("the test panicked: 1 != 2")));
    expect![""].assert_eq(&shown(&story().event(down(true)).at(900).times_out()));
}

#[test]
fn why_a_syn_is_not_answered() {
    let sent = |scene: Scene| scene.packet(SYN, Arrives).at(1_000).packet(SYN, Arrives).at(2_000);
    let listens = "server tcp listening 0.0.0.0:7000";
    let route = || "default via 10.0.2.254 dev eth0".to_owned();
    let story = sent(Scene::pair()).socket(listens, [0; 3]).times_out();
    expect![[r#"
        the SYN to server:7000 (10.0.2.2) arrived twice, and server did not answer it; see its packet filter (`nft list ruleset`), and whether it has that address and a route to 10.0.2.1 (`ip addr`, `ip route`)
    "#]].assert_eq(&shown(&story));
    let scene = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
        .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")])
        .event(TimelineEvent::RouteAdded { node: 2, route: route() })
        .at(50)
        .event(TimelineEvent::RouteRemoved { node: 2, route: route() });
    let way = ["client", "r", "server"];
    let story = scene.packet_by(&way, SYN, Arrives).at(1_000).packet_by(&way, SYN, Arrives);
    expect![[r#"
        the SYN to server:7000 (10.0.3.1) arrived twice, and server did not answer it: server has no route to 10.0.2.1, since its route `default via 10.0.2.254 dev eth0` was removed at 0.050 s
    "#]].assert_eq(&shown(&story.at(2_000).socket(listens, [0; 3]).times_out()));
    let syn = "client:40000 > r:80 SYN";
    let story = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
        .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")])
        .packet(syn, Arrives)
        .at(1_000)
        .packet(syn, Arrives)
        .at(2_000)
        .socket("server tcp listening 0.0.0.0:80", [0; 3]);
    expect![[r#"
        the SYN to r:80 (10.0.2.254) arrived twice, and r did not forward it; see its NAT and packet filter
    "#]].assert_eq(&shown(&story.times_out()));
}

#[test]
fn a_ttl_that_is_too_small_and_a_loop() {
    let scene = || {
        Scene::new("a::test")
            .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
            .lan(&[("r", "10.0.3.1/24"), ("s", "10.0.3.2/24")])
            .lan(&[("s", "10.0.4.1/24"), ("server", "10.0.4.2/24")])
    };
    let error = "r:7000 > client:40000 icmp 11 0 tcp server";
    let sent = |path: &[&str]| {
        let scene =
            scene().packet_by(path, SYN, Arrives).packet_by(&["r", "client"], error, Arrives);
        shown(&scene.at(2_000).times_out())
    };
    expect![[r#"
        the SYN to server:7000 expired at r, which sent ICMP time exceeded: its TTL (hop limit) was 64 when it was sent
    "#]].assert_eq(&sent(&["client", "r"]));
    expect![[r#"
        packets to server:7000 loop: r sent ICMP time exceeded: they went client > r > s > r …
    "#]]
    .assert_eq(&sent(&["client", "r", "s", "r", "s"]));
}

#[test]
fn data_that_waits_in_a_condition_is_not_data_that_is_not_read() {
    let story = connected(Scene::pair(), 40_000)
        .fault(1, "server: condition rate 200kbit")
        .at(1_500)
        .packet(DATA, DelayedBy(1))
        .packet(DATA, DelayedBy(1))
        .at(1_990)
        .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [0, 900, 0])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [700, 0, 0])
        .at(2_000)
        .times_out();
    expect![[r#"
        data (200 bytes) from client to server:7000 was still delayed by `server: condition rate 200kbit` when the test failed at 1.990 s
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_window_that_was_open_just_now_is_that_of_a_reader() {
    let story = connected(Scene::pair(), 40_000)
        .at(1_900)
        .packet(DATA, Arrives)
        .packet("server:7000 > client:40000 ACK", Arrives)
        .at(1_990)
        .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [0, 900, 0])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [700, 0, 0])
        .at(2_000);
    assert_eq!(shown(&story.times_out()), "");
}

#[test]
fn a_socket_that_a_thread_reads_is_read() {
    let story = connected(Scene::pair(), 40_000)
        .at(1_990)
        .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [0, 900, 0])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [700, 0, 0])
        .event(thread(
            "x[9]",
            "recvfrom",
            Some("tcp 10.0.2.2:7000 -> 10.0.2.1:40000 (established)"),
        ))
        .at(2_000)
        .times_out();
    assert!(!shown(&story).contains("does not read"), "{}", shown(&story));
}

#[test]
fn old_packets_are_no_cause() {
    let refused = || {
        Scene::pair()
            .packet("client:40009 > server:9999 SYN", Arrives)
            .packet("server:9999 > client:40009 RST", Arrives)
    };
    let story = connected(refused(), 40_000).at(30);
    assert_eq!(shown(&story.fails("Error: No such file or directory (os error 2)")), "");
    let story = connected(refused(), 40_000).at(30).fails("deadline has elapsed");
    assert_eq!(shown(&story), "");
    let dropped = Scene::pair()
        .fault(1, "server udp: drop")
        .packet("client:40000 > server:9 udp 9", DroppedBy(1))
        .heal(1);
    let story = connected(dropped, 40_000).at(2_000);
    assert!(!shown(&story.times_out()).contains("dropped"));
}

#[test]
fn a_test_that_waits_for_a_lock_does_not_wait_for_packets() {
    let scene = || connected(Scene::pair(), 40_000).packet(DATA, Arrives).at(1_990);
    let accepts = || thread("a::test[9]", "accept4", Some("tcp 0.0.0.0:7000 (listening)"));
    let story = scene().event(thread("a::test[7]", "futex", None)).event(accepts()).at(2_000);
    expect!["no thread waits for an answer from the network: thread a::test[7] of the test waits for a lock, a channel or another thread (futex)\n"].assert_eq(&shown(&story.times_out()));
    let reads =
        thread("b[8]", "recvfrom", Some("tcp 10.0.2.1:40000 -> 10.0.2.2:7000 (established)"));
    let story = scene().event(thread("a::test[7]", "futex", None)).event(reads).at(2_000);
    assert!(shown(&story.times_out()).contains("sent nothing back"));
}

#[test]
fn a_changed_packet_is_no_dns_query() {
    let story = Scene::pair()
        .fault(1, "server: condition corrupt 100%")
        .packet("client:40000 > server:53 udp 20", ChangedBy(1))
        .at(2_000)
        .times_out();
    expect![[r#"
        the UDP datagram (20 bytes) to server:53 was changed once by `server: condition corrupt 100%`, and was not answered
    "#]].assert_eq(&shown(&story));
    let story = Scene::pair().packet("client:40000 > server:53 udp 20", Arrives).at(2_000);
    expect![[r#"
        client sent 1 datagram to server:53, which arrived; server sent none back
    "#]]
    .assert_eq(&shown(&story.times_out()));
}

#[test]
fn bytes_are_those_until_the_connection_was_closed() {
    let story = connected(Scene::pair(), 40_000)
        .packet(DATA, Arrives)
        .packet("server:7000 > client:40000 FIN", Arrives)
        .packet(DATA, Arrives)
        .at(100)
        .fails("failed to fill whole buffer");
    expect![[r#"
        server closed the connection from client to server:7000 (10.0.2.2) first (FIN) at 0.008 s, after 100 bytes from client and 0 back
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_client_that_waits_for_the_end_owes_nothing() {
    let story = connected(Scene::pair(), 40_000)
        .packet("server:7000 > client:40000 data 2", Arrives)
        .packet("client:40000 > server:7000 ACK", Arrives)
        .at(2_000)
        .times_out();
    expect![[r#"
        server sent data (2 bytes) to client on the connection from client to server:7000 (10.0.2.2), which arrived; neither sent data in the last 1.992 s
    "#]].assert_eq(&shown(&story));
}
