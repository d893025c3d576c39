use expect_test::expect;

use super::shown;
use crate::evidence::story::testing::{Arrives, DroppedBy, Lost, MadeBy, Scene};

/// A connection that is open, from port 40000 of the client to port 7000 of the server.
fn connected(scene: Scene) -> Scene {
    scene
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 SYN-ACK", Arrives)
        .packet("client:40000 > server:7000 ACK", Arrives)
}

#[test]
fn a_swallowed_syn() {
    let syn = "client:40000 > server:7000 SYN";
    let story = Scene::pair()
        .fault(1, "server tcp: drop")
        .packet(syn, DroppedBy(1))
        .at(1_000)
        .packet(syn, DroppedBy(1))
        .at(1_900)
        .packet(syn, DroppedBy(1))
        .at(2_000)
        .times_out();
    expect![[r#"
        the SYN to server:7000 was dropped 3 times by `server tcp: drop`, which is still in force
    "#]]
    .assert_eq(&shown(&story));
}

#[test]
fn a_reply_that_was_dropped() {
    let story = Scene::pair()
        .fault(1, "server egress udp: drop")
        .packet("client:40000 > server:7000 udp 20", Arrives)
        .packet("server:7000 > client:40000 udp 20", DroppedBy(1))
        .heal(1)
        .at(2_000)
        .times_out();
    expect![[r#"
        the UDP datagram (20 bytes) from server:7000 to client was dropped once by `server egress udp: drop`
    "#]]
    .assert_eq(&shown(&story));
}

#[test]
fn a_partition_that_was_never_healed() {
    let syn = "client:40000 > server:7000 SYN";
    let story = Scene::pair()
        .at(200)
        .fault(1, "*: partition client | server")
        .packet(syn, Lost)
        .at(1_200)
        .packet(syn, DroppedBy(1))
        .at(2_000)
        .times_out();
    expect![[r#"
        the partition `*: partition client | server` was never healed: it is in force since 0.200 s; packets lost to it: 2, the last is the SYN to server:7000 at 1.200 s
    "#]]
    .assert_eq(&shown(&story));
}

#[test]
fn a_link_that_is_down() {
    let story = connected(Scene::pair()).at(300).fault(1, "server: down").at(2_000).times_out();
    expect![[r#"
        `server: down` is in force since 0.300 s, and the link was not brought up again
    "#]]
    .assert_eq(&shown(&story));
}

#[test]
fn a_connection_to_its_own_node() {
    let story = Scene::pair()
        .socket("server tcp listening 10.0.2.2:7000", [0; 3])
        .at(10)
        .fails("Connection refused (os error 111)");
    expect![[r#"
        the connection was refused without a packet on the network, so it was to an address of its own node, such as 127.0.0.1, or to a Unix socket; server listens on 10.0.2.2:7000
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_reset_by_a_fault() {
    let story = connected(Scene::pair())
        .fault(3, "server tcp data nth 2: reset")
        .packet("client:40000 > server:7000 data 1000", Arrives)
        .packet("client:40000 > server:7000 data 1000", DroppedBy(3))
        .packet("server:7000 > client:40000 RST", MadeBy(3))
        .at(100)
        .fails("Connection reset by peer (os error 104)");
    expect![[r#"
        the connection from client to server:7000 (10.0.2.2) was reset by `server tcp data nth 2: reset` at 0.011 s, in mid-stream, after 1000 bytes from client and 0 back
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_reset_by_the_peer() {
    let story = connected(Scene::pair())
        .packet("client:40000 > server:7000 data 1000", Arrives)
        .packet("server:7000 > client:40000 RST", Arrives)
        .at(100)
        .fails("Connection reset by peer (os error 104)");
    expect!["server reset the connection from client to server:7000 (10.0.2.2) at 0.008 s, after 1000 bytes from client and 0 back; a socket that is closed with unread data does so\n"].assert_eq(&shown(&story));
}

#[test]
fn a_connection_that_was_closed_early() {
    let story = connected(Scene::pair())
        .packet("server:7000 > client:40000 data 10", Arrives)
        .packet("server:7000 > client:40000 FIN", Arrives)
        .at(100)
        .fails("Error { kind: UnexpectedEof, message: \"failed to fill whole buffer\" }");
    expect!["server closed the connection from client to server:7000 (10.0.2.2) first (FIN) at 0.008 s, after 0 bytes from client and 10 back\n"].assert_eq(&shown(&story));
}

#[test]
fn a_missing_resolver() {
    let query = "client:40000 > server:53 dns db.example";
    let story = Scene::pair().packet(query, Arrives).packet(query, Arrives).at(2_000).times_out();
    expect!["the DNS query for db.example from client to server:53 (10.0.2.2) was sent twice without an answer\n"].assert_eq(&shown(&story));

    let story = Scene::pair()
        .packet(query, Arrives)
        .packet("server:53 > client:40000 icmp 3 3 udp", Arrives)
        .fails("failed to lookup address information: Temporary failure in name resolution");
    expect!["the DNS query for db.example from client to server:53 (10.0.2.2) was sent once without an answer: server sent ICMP port unreachable; no resolver runs there\n"].assert_eq(&shown(&story));

    let story = Scene::pair()
        .fails("failed to lookup address information: Temporary failure in name resolution");
    expect!["a name was not resolved, and no DNS query was sent: the test has no resolver, so only the names of nodes resolve; `node.serve_dns()` (cargo feature `dns`) starts one; a test has no Internet without `#[netns_test(uplink)]`\n"].assert_eq(&shown(&story));
    let error = "failed to lookup address information: Temporary failure in name resolution";
    let story = Scene::new("a::test").fails(error);
    expect!["a name was not resolved, and no DNS query was sent: the test has no resolver; a test has no Internet without `#[netns_test(uplink)]`\n"].assert_eq(&shown(&story));
}

#[test]
fn an_mtu_black_hole() {
    let story = connected(Scene::pair())
        .fault(1, "server: mtu 1400")
        .packet("client:40000 > server:7000 data 100", Arrives)
        .packet("client:40000 > server:7000 data 1460", DroppedBy(1))
        .at(500)
        .packet("client:40000 > server:7000 again 1460", DroppedBy(1))
        .at(2_000)
        .times_out();
    expect![[r#"
        MTU black hole: packets longer than 1400 bytes from client to server:7000 were dropped twice by `server: mtu 1400` without ICMP fragmentation needed; those up to 140 bytes arrived
    "#]].assert_eq(&shown(&story));

    let routed = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("r", "10.0.2.254/24")])
        .lan(&[("r", "10.0.3.254/24"), ("server", "10.0.3.1/24")]);
    let (there, back) = (["client", "r", "server"], ["server", "r", "client"]);
    let story = routed
        .packet_by(&there, "client:40000 > server:7000 SYN", Arrives)
        .packet_by(&back, "server:7000 > client:40000 SYN-ACK", Arrives)
        .packet_by(&there, "client:40000 > server:7000 data 1460", Lost)
        .at(500)
        .packet_by(&there[..2], "client:40000 > server:7000 again 1460", Arrives)
        .packet_by(&there, "client:40000 > server:7000 ACK", Arrives)
        .at(2_000)
        .times_out();
    expect!["MTU black hole: packets of 1500 bytes and more from client to server:7000 were dropped twice behind r without ICMP fragmentation needed; those up to 40 bytes arrived\n"].assert_eq(&shown(&story));
}

#[test]
fn two_writers_that_do_not_read() {
    let story = connected(Scene::pair())
        .at(1_990)
        .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [500, 900, 0])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [700, 800, 0])
        .at(2_000)
        .times_out();
    expect![[r#"
        deadlock of two writers: client:40000 has 500 unread and 900 unacknowledged bytes, server:7000 has 700 and 800; neither reads
    "#]].assert_eq(&shown(&story));
}

#[test]
fn one_end_that_does_not_read() {
    let story = connected(Scene::pair())
        .at(1_990)
        .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [0, 900, 0])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [700, 0, 0])
        .at(2_000)
        .times_out();
    expect![[r#"
        server:7000 does not read, or too slowly: it has 700 bytes unread, and client:40000 waits to send 900 bytes
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_server_that_does_not_accept() {
    let story = connected(Scene::pair())
        .at(1_990)
        .socket("server tcp listening 0.0.0.0:7000", [0, 0, 2])
        .at(2_000)
        .times_out();
    expect!["server does not call accept: 2 connections wait at its listening socket 0.0.0.0:7000 (server[7])\n"].assert_eq(&shown(&story));
}

#[test]
fn a_stream_that_is_slow_under_loss() {
    let data = "client:40000 > server:7000 data 1000";
    let again = "client:40000 > server:7000 again 1000";
    let mut scene = connected(Scene::pair().fault(1, "server: condition loss 2%"));
    for round in 1..=4 {
        scene = scene.packet(data, DroppedBy(1)).at(round * 250).packet(again, Arrives);
    }
    let story = scene.packet(data, Arrives).fails("it took 1.0 s: deadline has elapsed");
    expect![[r#"
        slow under loss: `server: condition loss 2%` dropped 4 of 12 TCP packets (33.3 %) between client and server:7000; 4 segments were sent again, and waiting for them took 1.0 of 1.0 s
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_panic_of_another_thread() {
    let story = connected(Scene::pair())
        .panic("server", "called `Option::unwrap()` on a `None` value")
        .at(2_000)
        .times_out();
    expect!["thread 'server' panicked at 0.006 s, before the test failed: called `Option::unwrap()` on a `None` value (src/a.rs:3:5)\n"].assert_eq(&shown(&story));
}

#[test]
fn a_server_that_is_silent() {
    let story = Scene::pair()
        .packet("client:40000 > server:7000 udp 5", Arrives)
        .at(1_000)
        .packet("client:40000 > server:7000 udp 5", Arrives)
        .at(2_000)
        .times_out();
    expect!["client sent 2 datagrams to server:7000, which arrived; server sent none back\n"]
        .assert_eq(&shown(&story));
    let story = connected(Scene::pair())
        .packet("client:40000 > server:7000 data 5", Arrives)
        .packet("server:7000 > client:40000 ACK", Arrives)
        .at(2_000)
        .times_out();
    expect![[r#"
        client sent data (5 bytes) to server on the connection from client to server:7000 (10.0.2.2), which arrived; server sent nothing back in the last 1.992 s
    "#]].assert_eq(&shown(&story));
    let story = connected(Scene::pair()).at(2_000).times_out();
    expect![
        "client connected to server:7000 (10.0.2.2), and neither sent data in the last 1.996 s\n"
    ]
    .assert_eq(&shown(&story));
}

#[test]
fn a_syn_that_is_not_answered() {
    let syn = "client:40000 > server:7000 SYN";
    let story = Scene::pair().packet(syn, Arrives).at(1_000).packet(syn, Arrives).at(2_000);
    expect![[r#"
        the SYN to server:7000 (10.0.2.2) arrived twice, and server did not answer it; see its packet filter (`nft list ruleset`), and whether it has that address and a route to 10.0.2.1 (`ip addr`, `ip route`)
    "#]].assert_eq(&shown(&story.times_out()));
    let story = Scene::pair().packet(syn, Lost).at(1_000).packet(syn, Lost).at(2_000);
    expect!["the last packets to server:7000 (SYN, twice) were lost after client had sent them; no fault did it\n"].assert_eq(&shown(&story.times_out()));
}
