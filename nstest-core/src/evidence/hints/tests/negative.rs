//! What is healthy, or not the cause, gets no hint.

use super::shown;
use crate::evidence::story::testing::{Arrives, DroppedBy, Lost, MadeBy, Scene};
use crate::evidence::timeline::TimelineEvent;

const ASSERTION: &str = "assertion `left == right` failed\n  left: 1\n right: 2";

/// A request and its reply, and the connection is closed.
fn healthy(scene: Scene, port: u16) -> Scene {
    let (client, server) = (format!("client:{port}"), "server:7000");
    let mut scene = scene;
    for (from, to, kind) in [
        (&*client, server, "SYN"),
        (server, &*client, "SYN-ACK"),
        (&*client, server, "ACK"),
        (&*client, server, "data 100"),
        (server, &*client, "ACK"),
        (server, &*client, "data 100"),
        (&*client, server, "ACK"),
        (&*client, server, "FIN"),
        (server, &*client, "FIN"),
        (&*client, server, "ACK"),
    ] {
        scene = scene.packet(&format!("{from} > {to} {kind}"), Arrives);
    }
    scene
}

#[test]
fn a_failed_assertion_gets_no_hint() {
    let scenes = [
        Scene::new("a::test"),
        healthy(Scene::pair(), 40_000),
        healthy(Scene::pair().fault(1, "server: condition delay 1ms"), 40_000),
        Scene::pair()
            .fault(1, "server udp: drop")
            .packet("client:1 > server:2 udp 9", DroppedBy(1))
            .heal(1),
        Scene::pair().fault(1, "server: down"),
        Scene::pair()
            .packet("client:40000 > server:7000 SYN", Arrives)
            .packet("server:7000 > client:40000 RST", Arrives),
    ];
    for scene in scenes {
        assert_eq!(shown(&scene.at(100).fails(ASSERTION)), "");
    }
}

#[test]
fn the_panic_of_the_test_itself_is_not_that_of_another_thread() {
    let scene = Scene::pair()
        .output("thread 'a::test' panicked at tests/a.rs:3:5:")
        .output("assertion `left == right` failed")
        .output("  left: 1")
        .output(" right: 2");
    assert_eq!(shown(&scene.fails(ASSERTION)), "");
}

#[test]
fn the_start_of_a_long_message_is_looked_at() {
    let message = format!("{}refused", "ü".repeat(1 << 20));
    let story = Scene::pair()
        .output("thread 'a::test' panicked at tests/a.rs:3:5:")
        .output(&message)
        .at(100)
        .fails(&message);
    assert!(story.verdict.len() <= 4 << 10 && story.output[1].1.len() <= 4 << 10);
    assert!(!story.is_about_network());
    assert_eq!(shown(&story), "");
    // The panic is that of the verdict.
    assert!(story.failed_at < story.start + std::time::Duration::from_millis(100));
}

#[test]
fn a_passed_test_gets_no_hint() {
    let mut story = Scene::pair().fault(1, "server: down").times_out();
    story.passed = true;
    assert_eq!(shown(&story), "");
}

#[test]
fn faults_that_the_test_got_over_get_no_hint() {
    let error = "deadline has elapsed";
    let dropped = Scene::pair()
        .fault(1, "server tcp nth 1: drop")
        .packet("client:40000 > server:7000 SYN", DroppedBy(1))
        .at(1_000);
    assert_eq!(shown(&healthy(dropped, 40_000).fails(error)), "");

    let reset = Scene::pair()
        .fault(1, "server tcp data nth 1: reset")
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 RST", MadeBy(1))
        .heal(1);
    assert_eq!(shown(&healthy(reset, 40_001).fails(error)), "");

    let healed = Scene::pair().fault(1, "*: partition client | server").at(500).heal(1);
    assert_eq!(shown(&healthy(healed, 40_001).fails(error)), "");

    let refused = Scene::pair()
        .packet("client:40000 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40000 RST", Arrives);
    assert_eq!(shown(&healthy(refused, 40_001).fails(error)), "");
}

#[test]
fn what_is_sent_while_the_test_ends_is_no_cause() {
    let story = healthy(Scene::pair(), 40_000)
        .at(100)
        .output("thread 'a::test' panicked at tests/a.rs:3:5:")
        .output("Connection reset by peer")
        .at(110)
        .packet("client:40001 > server:7000 SYN", Arrives)
        .packet("server:7000 > client:40001 RST", Arrives)
        .fails("Connection reset by peer");
    assert_eq!(shown(&story), "");
}

#[test]
fn a_failover_is_not_an_address_that_is_used_twice() {
    let story = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), ("server", "10.0.2.2/24"), ("other", "10.0.2.3/24")])
        .packet_by(&["server", "client"], "10.0.2.100 > client arp-reply", Arrives)
        .at(1_000)
        .packet_by(&["other", "client"], "10.0.2.100 > client arp-reply", Arrives)
        .at(2_000)
        .times_out();
    assert_eq!(shown(&story), "");
}

#[test]
fn a_connection_that_has_just_come_about_may_be_accepted_later() {
    let syn = "client:40000 > server:7000 SYN";
    let queued = |acknowledged| {
        let scene = Scene::pair().fault(1, "server: condition loss 2%").packet(syn, DroppedBy(1));
        let scene = scene.at(1_030).packet(syn, Arrives);
        let scene = scene.packet("server:7000 > client:40000 SYN-ACK", Arrives).at(acknowledged);
        let scene = scene.packet("client:40000 > server:7000 ACK", Arrives).at(2_000);
        shown(&scene.socket("server tcp listening 0.0.0.0:7000", [0, 0, 1]).times_out())
    };
    assert!(queued(1_100).starts_with("server does not call accept: 1 connection waits"));
    assert_eq!(queued(1_980), "");
}

#[test]
fn a_slow_machine_has_packets_on_their_way() {
    let lost = |sent| {
        let syn = "client:40000 > server:7000 SYN";
        let late = TimelineEvent::WireLate { link_end: 11, late: 40_000_000, delay: 0 };
        let scene = Scene::pair().event(late).at(sent).packet(syn, Lost).packet(syn, Lost);
        shown(&scene.at(2_000).times_out())
    };
    assert!(lost(1_000).contains("no fault did it"));
    assert!(!lost(1_950).contains("no fault did it"));
}
