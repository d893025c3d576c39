//! Connections and datagrams that were refused.

use expect_test::expect;

use super::shown;
use crate::evidence::story::testing::{Arrives, Scene};

const REFUSED: &str = "Connection refused (os error 111)";
const WAIT: &str = "wait_listening";

fn refused(scene: Scene) -> Scene {
    scene
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 RST", Arrives)
}

#[test]
fn a_server_on_the_wrong_address() {
    let refused = |scene: Scene| {
        scene
            .packet("client:40000 > server:7000 SYN", Arrives)
            .packet("server:7000 > client:40000 RST", Arrives)
    };
    let error = "Connection refused (os error 111)";
    let wrong = |sockets: &[&str]| {
        let mut scene = refused(Scene::pair());
        for socket in sockets {
            scene = scene.socket(socket, [0; 3]);
        }
        shown(&scene.at(10).fails(error))
    };
    expect![[r#"
        no socket listens on server:7000 (10.0.2.2); server listens on 127.0.0.1:7000 only; the SYN from client got RST
    "#]]
        .assert_eq(&wrong(&["server tcp listening 127.0.0.1:7000"]));
    expect![[r#"
        no socket listens on server:7000 (10.0.2.2); client listens on 0.0.0.0:7000 (IPv4); the SYN from client got RST
    "#]]
        .assert_eq(&wrong(&["client tcp listening 0.0.0.0:7000"]));
    expect![[r#"
        no socket listens on server:7000 (10.0.2.2); server listens on 0.0.0.0:7001 (IPv4); the SYN from client got RST
    "#]]
        .assert_eq(&wrong(&["server tcp listening 0.0.0.0:7001"]));
    expect![[r#"
        no socket listens on server:7000 (10.0.2.2); the SYN from client got RST; if a task, thread or program is to listen there, wait for it: `server.wait_listening(7000)`
    "#]]
    .assert_eq(&wrong(&[]));
}

#[test]
fn a_refused_datagram() {
    let story = Scene::pair()
        .packet("client:40000 > server:7000 udp 5", Arrives)
        .packet("server:7000 > client:40000 icmp 3 3 udp", Arrives)
        .fails("Connection refused (os error 111)");
    expect![[r#"
        no socket listens on server:7000 (10.0.2.2); the datagram from client got ICMP port unreachable
    "#]]
        .assert_eq(&shown(&story));
}

#[test]
fn a_socket_that_listens_and_refuses() {
    let story = Scene::pair()
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 RST", Arrives)
        .socket("server tcp listening [::]:7000", [0; 3])
        .fails(REFUSED);
    expect![[r#"
        server:7000 (10.0.2.2) refused, although server listens on [::]:7000: that socket was opened later (wait for it: `server.wait_listening(7000)`), is for IPv6 only, or is bound to an interface or to one peer, or a packet filter refused; the SYN from client got RST
    "#]].assert_eq(&shown(&story));
    let story = Scene::pair()
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 RST", Arrives)
        .output(&format!("Error: {REFUSED}"))
        .fails("the test returned an error");
    expect![[r#"
        no socket listens on server:7000 (10.0.2.2) after the test returned and closed its own (`unwrap()` instead of `?` shows them); the SYN from client got RST; if a task, thread or program is to listen there, wait for it: `server.wait_listening(7000)`
    "#]].assert_eq(&shown(&story));
}

#[test]
fn a_server_that_may_listen_later() {
    let story = refused(Scene::pair()).at(10).fails(REFUSED);
    assert!(shown(&story).contains("`server.wait_listening(7000)`"), "{}", shown(&story));
    let unnamed = Scene::new("a::test").lan(&[("client", "10.0.2.1/24"), ("web-1", "10.0.2.2/24")]);
    let story = unnamed
        .packet("client:40000 > web-1:7000 SYN", Arrives)
        .packet("web-1:7000 > client:40000 RST", Arrives)
        .fails(REFUSED);
    assert!(shown(&story).contains("`node.wait_listening(7000)`"), "{}", shown(&story));
}

#[test]
fn a_server_that_does_not_start_late() {
    let earlier = ["client:39999 > server:7000 SYN", "server:7000 > client:39999 SYN-ACK"];
    let had_listened = |scene: Scene| {
        let scene = scene.packet(earlier[0], Arrives).packet(earlier[1], Arrives);
        refused(scene.packet("client:39999 > server:7000 ACK", Arrives)).at(100)
    };
    for scene in [
        // It listened before.
        had_listened(Scene::pair()),
        had_listened(Scene::pair()).socket("server tcp listening 0.0.0.0:7000", [0; 3]),
        // It did not listen long after that, or after many attempts.
        refused(Scene::pair()).at(1_500),
        refused(refused(Scene::pair()).at(1_500)),
        // A socket listens somewhere else.
        refused(Scene::pair()).socket("server tcp listening 0.0.0.0:7001", [0; 3]),
        refused(Scene::pair()).socket("client tcp listening 0.0.0.0:7000", [0; 3]),
        refused(Scene::pair()).socket("server tcp listening 127.0.0.1:7000", [0; 3]),
        // The server has panicked.
        refused(Scene::pair().panic("worker", "no configuration")),
    ] {
        let shown = shown(&scene.fails(REFUSED));
        assert!(shown.contains("got RST") && !shown.contains(WAIT), "{shown}");
    }
    // A datagram has no listener.
    let story = Scene::pair()
        .packet("client:40000 > server:7000 udp 5", Arrives)
        .packet("server:7000 > client:40000 icmp 3 3 udp", Arrives)
        .fails(REFUSED);
    assert!(!shown(&story).contains(WAIT), "{}", shown(&story));
}

#[test]
fn a_socket_that_is_listed_is_no_variable_of_the_test() {
    let returned = |socket: &str| {
        let scene = refused(Scene::pair()).output(&format!("Error: {REFUSED}"));
        shown(&scene.socket(socket, [0; 3]).fails("the test returned an error"))
    };
    for socket in ["server tcp listening 0.0.0.0:7001", "server tcp listening 0.0.0.0:7000"] {
        assert!(!returned(socket).contains("unwrap()"), "{}", returned(socket));
    }
}
