//! Faults that are in force when a test fails, whatever its verdict says.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::shown;
use crate::evidence::story::testing::{Arrives, DelayedBy, DroppedBy, LateBy, Lost, MadeBy, Scene};
use crate::evidence::timeline::TimelineEvent;

/// Verdicts that say nothing of the network.
const VERDICTS: [&str; 4] = [
    "Error: \"gave up\"",
    "Error: no leader was elected in time",
    "the test panicked: assertion failed: answer.is_ok()",
    "the test panicked: assertion `left == right` failed\n  left: 1\n right: 2",
];

const SYN: &str = "client:40000 > server:7000 SYN";

#[track_caller]
fn assert_hint(scene: &Scene, expected: &Expect) {
    // The same for all.
    let hints: BTreeSet<String> =
        VERDICTS.iter().map(|verdict| shown(&scene.clone().fails(verdict))).collect();
    expected.assert_eq(&hints.into_iter().collect::<String>());
}

fn connected(scene: Scene, port: u16) -> Scene {
    scene
        .packet(&format!("client:{port} > server:7000 SYN"), Arrives)
        .packet(&format!("server:7000 > client:{port} SYN-ACK"), Arrives)
        .packet(&format!("client:{port} > server:7000 ACK"), Arrives)
}

#[test]
fn a_fault_that_takes_the_packets_of_the_test() {
    let partition = Scene::pair()
        .at(200)
        .fault(1, "*: partition client | server")
        .packet(SYN, Lost)
        .at(1_200)
        .packet(SYN, DroppedBy(1))
        .packet("client > server arp", DroppedBy(1));
    assert_hint(
        &partition.at(1_700),
        &expect![[r#"
        the partition `*: partition client | server` is still in force (since 0.200 s); packets lost to it: 2, the last is the SYN to server:7000 at 1.200 s
    "#]],
    );
    let dropped = connected(Scene::pair(), 40_000)
        .fault(1, "server tcp: drop")
        .packet("client:40000 > server:7000 data 10", DroppedBy(1))
        .at(300)
        .packet("client:40000 > server:7000 again 10", DroppedBy(1))
        .packet("client:40000 > server:7000 FIN", DroppedBy(1));
    assert_hint(
        &dropped.at(600),
        &expect![[r#"
        `server tcp: drop` is still in force (since 0.006 s); packets lost to it: 2, the last is the data (10 bytes) to server:7000 at 0.300 s
    "#]],
    );
    let answered = Scene::pair()
        .fault(1, "server tcp: reset")
        .packet(SYN, DroppedBy(1))
        .packet("server:7000 > client:40000 RST", MadeBy(1));
    assert_hint(
        &answered.at(300),
        &expect![[r#"
            `server tcp: reset` is still in force (since 0.000 s); packets lost to it: 1, the last is the SYN to server:7000 at 0.000 s
        "#]],
    );
    // It has a packet for the server, and does not get to send it.
    let looks = Scene::pair()
        .fault(1, "*: partition client | server")
        .packet("client > server arp", DroppedBy(1));
    assert_hint(
        &looks.at(600),
        &expect![[r#"
            the partition `*: partition client | server` is still in force (since 0.000 s); packets lost to it: 1, the last is the ARP request for 10.0.2.2 to server at 0.000 s
        "#]],
    );
    let down = connected(Scene::pair(), 40_000).at(100).event(server_is(false)).at(600);
    assert_hint(
        &down,
        &expect![[r#"
        the link of server (eth0) has been down since 0.100 s
    "#]],
    );
}

fn server_is(up: bool) -> TimelineEvent {
    TimelineEvent::Link { link_end: 11, up }
}

#[test]
fn losses_that_were_made_up_for() {
    // Sent again, and acknowledged.
    let again = connected(Scene::pair(), 40_000)
        .fault(1, "server tcp data nth 1: drop")
        .packet("client:40000 > server:7000 data 10", DroppedBy(1))
        .at(300)
        .packet("client:40000 > server:7000 again 10", Arrives)
        .packet("server:7000 > client:40000 data 10", Arrives)
        .at(600);
    // By another connection.
    let retried = connected(
        Scene::pair().fault(1, "server tcp nth 1: drop").packet(SYN, DroppedBy(1)).at(500),
        40_001,
    );
    // What a client sends when it is done needs no answer.
    let done = connected(Scene::pair(), 40_000)
        .fault(1, "*: partition client | server")
        .packet("client:40000 > server:7000 ACK", DroppedBy(1))
        .packet("client:40000 > server:7000 FIN", DroppedBy(1))
        .packet("client:40000 > server:7000 RST", DroppedBy(1))
        .packet("client > server arp-reply", DroppedBy(1))
        .packet("client > client arp", DroppedBy(1))
        .at(600);
    // Long ago, and not in force any more.
    let old = Scene::pair().fault(1, "server tcp: drop").packet(SYN, DroppedBy(1)).at(8_000);
    let healed = Scene::pair().fault(1, "server tcp: drop").packet(SYN, DroppedBy(1)).heal(1);
    // By chance.
    let random =
        Scene::pair().fault(1, "server: condition loss 2%").packet(SYN, DroppedBy(1)).at(500);
    let nothing = Scene::pair().fault(1, "*: partition client | server").at(900);
    // A test that looks at once, and one that uses its link again.
    let down = Scene::pair().event(server_is(false));
    let at_once = down.clone().at(100);
    let up = down.clone().at(500).event(server_is(true)).at(900);
    let used = down.at(300).packet(SYN, Arrives).at(900);
    for scene in [at_once, up, used] {
        assert_hint(&scene, &expect![""]);
    }
    for scene in [again, retried, done, old, healed, random, nothing] {
        assert_hint(&scene, &expect![""]);
    }
}

#[test]
fn a_handshake_that_a_delay_holds_up() {
    let scene =
        Scene::pair().fault(1, "server: condition delay 1s").packet(SYN, DelayedBy(1)).at(500);
    assert_hint(
        &scene,
        &expect![[r#"
        the SYN from client to server:7000 was still on its way when the test failed at 0.500 s: `server: condition delay 1s` delays it by 1.000 s, to 1.000 s
    "#]],
    );
    // Data that is on its way on a connection that is used is not missing.
    let scene = connected(Scene::pair(), 40_000)
        .fault(1, "server: condition delay 1s")
        .packet("client:40000 > server:7000 data 10", DelayedBy(1))
        .packet("client:1 > server:2 udp 9", DelayedBy(1));
    assert_hint(&scene.at(500), &expect![""]);
    // It has closed the connection, and so does not get it any more.
    let scene = connected(Scene::pair(), 40_000)
        .packet("client:40000 > server:7000 data 10", Arrives)
        .fault(1, "server: condition delay 1s")
        .packet("server:7000 > client:40000 data 20", DelayedBy(1))
        .packet("client:40000 > server:7000 FIN", DelayedBy(1));
    assert_hint(
        &scene.at(500),
        &expect![[r#"
        data (20 bytes) from server:7000 to client:40000 was still delayed by `server: condition delay 1s` when the test failed at 0.500 s
    "#]],
    );
}

#[test]
fn the_answer_to_the_last_try_is_on_its_way() {
    // The reset by which the client has ended its first try comes earlier.
    let scene = Scene::pair()
        .fault(1, "server: condition delay 1s")
        .at(1_400)
        .packet(SYN, LateBy(1))
        .packet("server:7000 > client:40000 SYN-ACK", LateBy(1))
        .packet("client:40000 > server:7000 RST", DelayedBy(1))
        .at(1_500)
        .packet("client:40001 > server:7000 SYN", LateBy(1))
        .at(1_600)
        .packet("server:7000 > client:40001 SYN-ACK", DelayedBy(1))
        .at(1_700);
    let story = scene.clone().fails("Error: timed out");
    let expected = expect![[r#"
        the SYN-ACK from server:7000 to client:40001 was still on its way when the test failed at 1.700 s: `server: condition delay 1s` delays it by 1.000 s, to 2.600 s; the round trip takes 2.000 s
    "#]];
    expected.assert_eq(&shown(&story));
    assert_hint(&scene, &expected);
}

#[test]
fn a_fault_that_has_affected_no_packet() {
    let ended = |scene: Scene, why: &str| {
        let why = (!why.is_empty()).then(|| why.to_owned());
        scene.event(TimelineEvent::FaultUnmatched { fault: 1, why })
    };
    let direction = Scene::pair().fault(1, "server egress tcp dport 7000: drop");
    let used = connected(direction.clone(), 40_000).at(500);
    assert_hint(
        &ended(used.clone(), "3 tcp passed, none matched"),
        &expect![[r#"
            `server egress tcp dport 7000: drop` has affected no packet: 3 tcp passed, none matched
        "#]],
    );
    let nodes = [("client", "10.0.2.1/24"), ("server", "10.0.2.2/24"), ("b", "10.0.2.3/24")];
    let scene = Scene::new("a::test").lan(&nodes).fault(1, "*: partition server | b");
    assert_hint(
        &ended(connected(scene, 40_000), ""),
        &expect![[r#"
            `*: partition server | b` has affected no packet; the SYN-ACK from server to client passed: client is in none of its groups
        "#]],
    );
    // Nothing was sent that it could have affected, or it has affected something.
    let before = connected(Scene::pair(), 40_000).at(100).fault(1, "server tcp: drop");
    for scene in [used, ended(direction.at(500), "no packet passed"), ended(before, "")] {
        assert_hint(&scene, &expect![""]);
    }
}

#[test]
fn a_reset_that_a_delay_holds_up() {
    let scene = Scene::pair()
        .fault(1, "server: condition delay 1s")
        .at(600)
        .packet(SYN, LateBy(1))
        .packet("server:7000 > client:40000 RST", LateBy(1))
        .packet("client:40001 > server:7000 SYN", LateBy(1))
        .at(900)
        .packet("server:7000 > client:40001 RST", DelayedBy(1))
        .at(1_400);
    expect![[r#"
        the RST from server:7000 to client:40001 was still on its way when the test failed at 1.400 s: `server: condition delay 1s` delays it by 1.000 s, to 1.900 s; the round trip takes 2.000 s
    "#]]
    .assert_eq(&shown(&scene.clone().fails("Error: timed out")));
    let refused = shown(&scene.fails("Error: Connection refused (os error 111)"));
    assert!(refused.contains("no socket listens on server:7000"), "{refused}");
}

#[test]
fn a_syn_of_each_try_that_is_not_answered() {
    let tries = |ports: &[u16], failed| {
        let syn = |scene: Scene, port: &u16| {
            scene.packet(&format!("client:{port} > server:7000 SYN"), Arrives)
        };
        let scene = ports.iter().fold(Scene::pair(), syn);
        shown(&scene.at(failed).fails("Error: timed out"))
    };
    expect![[r#"
        the SYN to server:7000 (10.0.2.2) arrived 3 times, and server did not answer it; see its packet filter (`nft list ruleset`), and whether it has that address and a route to 10.0.2.1 (`ip addr`, `ip route`)
    "#]]
    .assert_eq(&tries(&[40_000, 40_001, 40_002], 300));
    assert!(
        tries(&[40_000], 500).starts_with("the SYN to server:7000 (10.0.2.2) arrived once, and")
    );
    assert_eq!(tries(&[40_000], 300), "");
}
