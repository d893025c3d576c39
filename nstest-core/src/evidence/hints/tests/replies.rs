//! Replies from another address or port than the request was sent to.

use expect_test::expect;

use super::shown;
use crate::evidence::story::testing::{Arrives, Scene};

const REQUEST: &str = "client:40000 > server:7000 udp 5";
const STRAY: &str = "server:48443 > client:40000 udp 5";
const REFUSED: &str = "client:40000 > server:48443 icmp 3 3 udp";
const CONNECTED: &str = "client udp established 10.0.2.1:40000 > 10.0.2.2:7000";
const TIMED_OUT: &str = "Resource temporarily unavailable (os error 11)";

fn with_two_networks() -> Scene {
    Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("server", "10.0.2.2/24")])
        .lan(&[("client", "10.0.3.1/24"), ("server", "10.0.3.2/24")])
        .packet(REQUEST, Arrives)
}

#[test]
fn a_reply_that_got_icmp() {
    for port in [7000, 48443] {
        let story = with_two_networks()
            .packet_by(
                &["server", "client"],
                &format!("10.0.3.2:{port} > client:40000 udp 5"),
                Arrives,
            )
            .packet_by(
                &["client", "server"],
                &format!("client:40000 > 10.0.3.2:{port} icmp 3 3 udp"),
                Arrives,
            )
            .at(2_000)
            .times_out();
        let expected = format!(
            "server replied from 10.0.3.2:{port}, but client had sent its request to 10.0.2.2:7000; the reply got ICMP port unreachable, as from a socket that is connected to 10.0.2.2:7000\n"
        );
        assert_eq!(shown(&story), expected);
    }
    let story = Scene::pair().packet(REQUEST, Arrives).packet(STRAY, Arrives);
    let story = story.packet(REFUSED, Arrives).at(500).fails(TIMED_OUT);
    expect![[r#"
        server replied from 10.0.2.2:48443, but client had sent its request to 10.0.2.2:7000; the reply got ICMP port unreachable, as from a socket that is connected to 10.0.2.2:7000
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_reply_to_a_connected_socket() {
    let story = Scene::pair().packet(REQUEST, Arrives).packet(STRAY, Arrives);
    let waits = "udp 10.0.2.1:40000 -> 10.0.2.2:7000 (established)";
    let story = story.at(1_990).socket(CONNECTED, [0; 3]).thread("main[7]", "recvfrom", waits);
    let story = story.at(2_000).times_out();
    expect![[r#"
        server replied from 10.0.2.2:48443, but client had sent its request to 10.0.2.2:7000; its socket is connected to 10.0.2.2:7000 and gets nothing else
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_reply_without_icmp_to_a_socket_that_was_closed() {
    let closed = |scene: Scene| shown(&scene.at(500).fails(TIMED_OUT));
    let replied = || Scene::pair().packet(REQUEST, Arrives).packet(STRAY, Arrives);
    expect![[r#"
        server replied from 10.0.2.2:48443, but client had sent its request to 10.0.2.2:7000; a socket that is connected to 10.0.2.2:7000 does not get it
    "#]].assert_eq(&closed(replied()));
    // A server that streams from a port of its own.
    let streamed = closed(replied().packet(STRAY, Arrives));
    assert!(!streamed.contains("replied from"), "{streamed}");
}

#[test]
fn replies_that_reach_their_socket() {
    let story = |packets: &[&str], socket: &str| {
        let scene = packets.iter().fold(Scene::pair(), |scene, text| scene.packet(text, Arrives));
        let scene = if socket.is_empty() { scene } else { scene.at(490).socket(socket, [0; 3]) };
        shown(&scene.at(500).fails(TIMED_OUT))
    };
    let (reply, on) = ("server:7000 > client:40000 udp 5", "client:40000 > server:48443 udp 5");
    let open = "client udp unconnected 0.0.0.0:40000";
    for (packets, socket) in [
        // The socket takes datagrams from everywhere.
        (&[REQUEST, STRAY][..], open),
        // The protocol goes on at another port, as TFTP.
        (&[REQUEST, STRAY, on], CONNECTED),
        // It was answered, before or after.
        (&[REQUEST, reply, STRAY, REFUSED], ""),
        (&[REQUEST, STRAY, REFUSED, reply], ""),
        // The client sent requests to both.
        (&[on, REQUEST, STRAY, REFUSED], ""),
        // No request came before it.
        (&[STRAY, REFUSED, REQUEST], ""),
        // The request was another socket's.
        (&["client:40001 > server:7000 udp 5", STRAY, REFUSED], ""),
    ] {
        let shown = story(packets, socket);
        assert!(!shown.contains("replied from"), "{packets:?}: {shown}");
    }
    // The client asked another node.
    let story = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("server", "10.0.2.2/24"), ("other", "10.0.2.3/24")])
        .packet("client:40000 > other:7000 udp 5", Arrives)
        .packet(STRAY, Arrives)
        .packet(REFUSED, Arrives)
        .at(500)
        .fails(TIMED_OUT);
    assert!(!shown(&story).contains("replied from"), "{}", shown(&story));
}

#[test]
fn a_datagram_to_a_socket_that_is_connected_to_another_node() {
    let sent = |sockets: &[&str]| {
        let scene = Scene::new("a::test")
            .lan(&[("client", "10.0.2.1/24"), ("server", "10.0.2.2/24"), ("other", "10.0.2.3/24")])
            .packet("other:7000 > client:40000 udp 5", Arrives)
            .at(1_990);
        let scene = sockets.iter().fold(scene, |scene, socket| scene.socket(socket, [0; 3]));
        shown(&scene.at(2_000).times_out())
    };
    expect![[r#"
        other sent 1 datagram to client:40000, which arrived; client sent none back, and the socket there takes datagrams from 10.0.2.2:7000 only
    "#]].assert_eq(&sent(&[CONNECTED]));
    // Another socket of the same port takes them.
    for taken in [
        &["client udp unconnected 0.0.0.0:40000"][..],
        &[CONNECTED, "client udp unconnected 0.0.0.0:40000"],
        &["client udp established 10.0.2.1:40000 > 10.0.2.3:7000"],
    ] {
        assert!(sent(taken).ends_with("and it has read them all\n"), "{}", sent(taken));
    }
}
