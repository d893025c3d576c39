//! What the record does not prove is not said, or as a note.

use expect_test::expect;

use super::super::notes;
use super::shown;
use crate::evidence::story::Story;
use crate::evidence::story::testing::{Arrives, DroppedBy, Scene};
use crate::evidence::timeline::TimelineEvent;

fn connected(scene: Scene, port: u16) -> Scene {
    scene
        .packet(&format!("client:{port} > server:7000 SYN"), Arrives)
        .packet(&format!("server:7000 > client:{port} SYN-ACK"), Arrives)
        .packet(&format!("client:{port} > server:7000 ACK"), Arrives)
}

fn noted(story: &Story) -> String {
    notes(story).into_iter().map(|note| note + "\n").collect()
}

/// The test reads from a connection to port 7000 of the server, until it is killed.
fn reads(scene: Scene) -> Story {
    scene
        .at(1_990)
        .thread("a::test[3]", "recvfrom", "tcp 10.0.2.1:41000 -> 10.0.2.2:7000 (established)")
        .at(2_000)
        .times_out()
}

#[test]
fn a_panic_of_a_thread_that_the_test_joins() {
    let story = connected(Scene::pair(), 40_000)
        .panic("server", "assertion `left == right` failed\n  left: 1\n right: 2")
        .event(TimelineEvent::Snapshot { nodes: 2 })
        .socket("server tcp listening 0.0.0.0:7000", [0; 3])
        .at(500)
        .panic("a::test", "called `Result::unwrap()` on an `Err` value: Any { .. }")
        .fails("the test panicked: called `Result::unwrap()` on an `Err` value: Any { .. }");
    assert_eq!(story.failed_at, story.start + std::time::Duration::from_millis(500));
    expect!["thread 'server' panicked at 0.006 s, before the test failed: assertion `left == right` failed left: 1 right: 2 (src/a.rs:3:5)\n"].assert_eq(&shown(&story));
}

#[test]
fn a_panic_of_a_thread_with_the_message_of_the_test() {
    let compared = "assertion `left == right` failed\n  left: 1\n right: ";
    let scene = connected(Scene::pair(), 40_000).panic("server", &format!("{compared}2"));
    let scene = scene.at(20).packet("server:7000 > client:40000 FIN", Arrives).at(500);
    for (thread, right) in [("a::test", 2), ("a::test", 3), ("node", 3)] {
        let message = format!("{compared}{right}");
        let verdict = format!("the test panicked: {message}");
        let story = scene.clone().panic(thread, &message).fails(&verdict);
        assert_eq!(story.failed_at, story.start + std::time::Duration::from_millis(500));
        let last = story.packets.last().unwrap().time() - story.start;
        assert_eq!(last, std::time::Duration::from_millis(20), "{thread} {right}");
        expect!["thread 'server' panicked at 0.006 s, before the test failed: assertion `left == right` failed left: 1 right: 2 (src/a.rs:3:5)\n"].assert_eq(&shown(&story));
    }
}

#[test]
fn a_panic_that_the_test_expects() {
    let story = connected(Scene::pair().panic("worker", "expected").at(100), 40_000)
        .packet("server:7000 > client:40000 FIN", Arrives)
        .at(200)
        .fails("Error: failed to fill whole buffer");
    assert!(shown(&story).starts_with("server closed"), "{}", shown(&story));
    expect!["thread 'worker' panicked at 0.000 s, and the test went on: expected (src/a.rs:3:5)\n"]
        .assert_eq(&noted(&story));
}

#[test]
fn a_panic_that_is_only_printed() {
    let story = Scene::pair()
        .output("thread 'worker' (7) panicked at src/child.rs:1:1:")
        .output("boom")
        .fails("Error: No such file or directory (os error 2)");
    assert_eq!(shown(&story), "");
    expect!["output: thread 'worker' panicked at 0.000 s: boom (src/child.rs:1:1)\n"]
        .assert_eq(&noted(&story));
}

#[test]
fn a_syn_ack_that_the_client_does_not_take() {
    let (syn, answer) = ("client:40000 > server:7000 SYN", "server:7000 > client:40000 SYN-ACK");
    let scene = Scene::pair().packet(syn, Arrives).packet(answer, Arrives).at(1_000);
    let story = scene.packet(syn, Arrives).packet(answer, Arrives).at(2_000);
    expect!["the SYN-ACK from server:7000 (10.0.2.2) reached client twice, which did not acknowledge it: see the packet filter of client\n"].assert_eq(&shown(&story.times_out()));
}

#[test]
fn words_of_an_assertion_are_no_errors() {
    let refused = || {
        let scene = Scene::pair()
            .fault(1, "*: partition client | server")
            .packet("client:40000 > server:7000 SYN", DroppedBy(1))
            .heal(1)
            .packet("client:40001 > server:9 SYN", Arrives)
            .packet("server:9 > client:40001 RST", Arrives);
        connected(scene, 41_000)
            .packet("server:7000 > client:41000 RST", Arrives)
            .packet("client:40002 > server:514 udp 9", Arrives)
            .socket("server udp unconnected 0.0.0.0:514", [0; 3])
            .dropped(90)
    };
    for message in [
        "the order was refused for lack of stock",
        "counter was not reset",
        "wrong number of connected clients",
        "price did not match: 41",
        "assertion failed: start.elapsed() < S / 10",
        "3 jobs did not finish before the deadline",
        "assertion `left == right` failed\n  left: 4\n right: 5",
    ] {
        let story = refused().at(100).fails(&format!("the test panicked: {message}"));
        assert_eq!(shown(&story), "", "{message}");
    }
}

#[test]
fn data_that_ends_early_somewhere_else() {
    let closed = connected(Scene::pair(), 40_000)
        .packet("client:40000 > server:7000 FIN", Arrives)
        .packet("server:7000 > client:40000 FIN", Arrives);
    assert_eq!(shown(&closed.at(200).fails("Error: failed to fill whole buffer")), "");
    let reset = connected(Scene::pair(), 40_000)
        .packet("client:40000 > server:7000 data 5", Arrives)
        .packet("server:7000 > client:40000 RST", Arrives);
    assert_eq!(shown(&reset.at(200).fails("Error: Broken pipe (os error 32)")), "");
}

#[test]
fn a_wrong_mac_address() {
    let syn = "client:40000 > server:7000 SYN";
    let sent = |scene: Scene| scene.packet_into_void(syn, Some("server"));
    let scene = sent(sent(Scene::pair()).at(1_000));
    expect!["client sent SYN to server:7000 with the MAC address 02:6e:73:00:00:63, which server does not have: see `ip neigh` in client\n"].assert_eq(&shown(&scene.at(2_000).times_out()));
}

#[test]
fn an_address_that_moved_quickly() {
    let nodes = [("client", "10.0.2.1/24"), ("server", "10.0.2.2/24"), ("other", "10.0.2.3/24")];
    let by = |node| [node, "client"];
    let story = Scene::new("a::test")
        .lan(&nodes)
        .packet_by(&by("server"), "10.0.2.100 > client arp-reply", Arrives)
        .packet_by(&["client", "server"], "client > 10.0.2.100 arp", Arrives)
        .packet_by(&by("other"), "10.0.2.100 > client arp-reply", Arrives)
        .at(2_000)
        .times_out();
    assert!(!shown(&story).contains("used twice"), "{}", shown(&story));
}

#[test]
fn a_link_of_a_node_that_the_test_does_not_talk_to() {
    let nodes = [("client", "10.0.2.1/24"), ("server", "10.0.2.2/24"), ("other", "10.0.2.3/24")];
    let story = Scene::new("a::test")
        .lan(&nodes)
        .fault(1, "other: down")
        .event(TimelineEvent::Link { link_end: 12, up: false })
        .at(10)
        .packet("client:40000 > server:5000 udp 1", Arrives)
        .at(600)
        .fails("Error: Resource temporarily unavailable (os error 11)");
    expect!["client sent 1 datagram to server:5000, which arrived; server sent none back\n"]
        .assert_eq(&shown(&story));
}

#[test]
fn what_no_thread_waits_for() {
    let silent = "client connected to server:7000 (10.0.2.2), and neither sent data in the last";
    let stories = [
        // A check that a port is open.
        connected(Scene::pair(), 41_000)
            .packet("client:40009 > server:9000 SYN", Arrives)
            .packet("server:9000 > client:40009 SYN-ACK", Arrives)
            .packet("client:40009 > server:9000 ACK", Arrives)
            .at(1_980)
            .socket("server tcp listening 0.0.0.0:9000", [0, 0, 1]),
        // A query without an answer.
        connected(Scene::pair(), 41_000).packet("client:40009 > server:53 dns a.local", Arrives),
        // An earlier connection, and a fault that was injected for it.
        connected(
            Scene::pair()
                .fault(1, "server udp: drop")
                .packet("client:40009 > server:7000 udp 9", DroppedBy(1))
                .heal(1),
            41_000,
        )
        .packet("client:40009 > server:7000 udp 9", DroppedBy(1)),
        // An address that no node has.
        connected(Scene::pair(), 41_000)
            .packet_by(&["client", "server"], "client > 10.0.2.9 arp", Arrives)
            .packet_by(&["client", "server"], "client > 10.0.2.9 arp", Arrives),
    ];
    for scene in stories {
        let story = reads(scene);
        assert!(shown(&story).starts_with(silent), "{}", shown(&story));
        assert!(noted(&story).starts_with("no thread waits for this: "), "{}", noted(&story));
    }
}

#[test]
fn a_partition_of_other_nodes() {
    let nodes = [
        ("client", "10.0.2.1/24"),
        ("server", "10.0.2.2/24"),
        ("b", "10.0.2.3/24"),
        ("c", "10.0.2.4/24"),
    ];
    let scene = Scene::new("a::test")
        .lan(&nodes)
        .fault(1, "*: partition client, server | b | c")
        .packet("b:1 > c:1 udp 9", DroppedBy(1));
    let story = reads(connected(scene, 41_000));
    assert!(shown(&story).starts_with("client connected to server:7000"), "{}", shown(&story));
}

#[test]
fn a_process_that_is_stopped() {
    let scene = connected(Scene::pair(), 40_000).at(1_990);
    let story = scene.thread("a::test[3]", "nothing: it is stopped", "").at(2_000).times_out();
    expect!["thread a::test[3] of the test is stopped, as by SIGSTOP or a debugger\n"]
        .assert_eq(&shown(&story));
}

#[test]
fn packets_by_which_the_kernel_closes() {
    let story = connected(Scene::pair(), 40_000)
        .packet("client:40000 > server:7000 FIN", Arrives)
        .packet("server:7000 > client:40000 ACK", Arrives)
        .at(900)
        .packet("client:40001 > server:7000 SYN", Arrives)
        .packet("client:40000 > server:7000 ACK", Arrives)
        .packet("client:40001 > server:7000 FIN", Arrives)
        .packet("server:7000 > client:40001 RST", Arrives)
        .packet("client:40000 > server:7000 ACK", Arrives)
        .fails("nstest[signal]: the test's process was killed by SIGABRT before it ended");
    assert_eq!(story.packets.len(), 7);
}
