use expect_test::expect;

use super::Card;
use super::layout::{COLUMNS, LINES};
use crate::evidence::story::Story;
use crate::evidence::story::testing::{Arrives, DroppedBy, Scene};
use crate::evidence::timeline::TimelineEvent;

#[track_caller]
fn fits(story: &Story) -> String {
    let card = Card::of(story).text(false);
    assert!(card.lines().count() <= LINES, "{card}");
    for line in card.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    card
}

#[test]
fn the_port_of_a_reply_that_comes_from_another_one() {
    let card = |packets: &[&str]| {
        let scene = packets.iter().fold(Scene::pair(), |scene, text| scene.packet(text, Arrives));
        fits(&scene.at(2_000).times_out())
    };
    let (request, reply) =
        ("client:40000 > server:50000 udp 5", "server:50000 > client:40000 udp 5");
    let elsewhere = card(&[request, "server:48443 > client:40000 udp 5"]);
    assert!(elsewhere.contains("server:48443 > client:40000  UDP"), "{elsewhere}");
    let proper = card(&[request, reply]);
    assert!(proper.contains("server > client:40000  UDP"), "{proper}");
}

#[test]
fn a_swallowed_syn() {
    let syn = "client:40000 > server:7000 SYN";
    let thread = TimelineEvent::Thread {
        thread: "main[7]".to_owned(),
        node: Some(0),
        waits_in: "connect".to_owned(),
        waits_for: Some("tcp 10.0.2.1:40000 -> 10.0.2.2:7000 (syn-sent)".to_owned()),
    };
    let mut story = Scene::pair()
        .packet("client > server arp", Arrives)
        .packet("server > client arp-reply", Arrives)
        .at(100)
        .fault(1, "server tcp: drop")
        .packet(syn, DroppedBy(1))
        .at(1_000)
        .packet(syn, DroppedBy(1))
        .at(1_999)
        .socket("client tcp syn-sent 10.0.2.1:40000 > 10.0.2.2:7000", [0, 1, 0])
        .socket("server tcp listening 0.0.0.0:7000", [0; 3])
        .event(thread)
        .times_out();
    story.folder = Some("/home/me/shop/target/nstest/shop.orders/retries/1".to_owned());
    expect![[r#"
        failed   a::test: the test did not end within 2s; it was killed
        hint     the SYN to server:7000 was dropped twice by `server tcp: drop`, which
                 is still in force
        network  net1: client 10.0.2.1/24 — server 10.0.2.2/24 [fault 1]
        sockets  client: tcp syn-sent client:40000 > server:7000, 1 unacked (client[7])
                 server: tcp listening 0.0.0.0:7000 (server[7])
        waits    client: connect tcp client:40000 -> server:7000 (syn-sent)
        packets  0.100 s  client:40000 > server:7000  SYN  DROPPED (twice until 1.000 s)
                 1.999 s  nothing was sent in the last 0.999 s
        faults   1 `server tcp: drop`  0.100 s to the end, dropped 2 (a.rs:12)
        seed     7
        rerun    cargo test --test binary -- --exact a::test
        files    /home/me/shop/target/nstest/shop.orders/retries/1
    "#]]
    .assert_eq(&fits(&story));
}

#[test]
fn addresses_of_both_versions_look_different() {
    let story = Scene::pair()
        .lan(&[("client", "fd00:2::1/64"), ("server", "fd00:2::2/64")])
        .socket("client tcp syn-sent [fd00:2::1]:40000 > [fd00:2::2]:7000", [0, 1, 0])
        .socket("server tcp established 10.0.2.2:7000 > 10.0.2.1:40000", [0; 3])
        .at(1_000)
        .fails("connection timed out");
    let card = fits(&story);
    assert!(card.contains("tcp syn-sent [client]:40000 > [server]:7000"), "{card}");
    assert!(card.contains("tcp established server:7000 > client:40000"), "{card}");
}

#[test]
fn a_card_of_anything_has_its_size() {
    let mut scene = Scene::new(&"n".repeat(300)).lan(&[("client", "10.0.2.1/24")]);
    for nth in 0..60_u32 {
        let (name, address) =
            (format!("{}{nth}", "long-name".repeat(5)), format!("10.0.{nth}.2/24"));
        scene = scene
            .lan(&[("client", "10.0.9.9/24"), (&name, &address)])
            .fault(nth, "server tcp port 7000 data nth 3: condition delay 40ms loss 1%")
            .socket("client tcp established 10.0.2.1:40000 > 10.0.2.2:7000", [1, 1, 1])
            .event(TimelineEvent::Note { text: "a note\x1b[1m\u{7}".repeat(20) })
            .output(&"\x1b[1mü".repeat(200));
    }
    let mut story = scene.at(2_000).fails(&"one\u{0} line ".repeat(100));
    story.folder = Some("/long/path".repeat(50));
    story.rerun = "NSTEST_PLAN='x y z' cargo test ".repeat(20);
    let card = fits(&story);
    assert!(card.contains("more)"), "{card}");
    assert!(Card::of(&story).text(true).contains("\x1b[1mfailed\x1b[0m"));
    fits(&Story::default());
}

#[test]
fn long_lines_are_wrapped_if_there_is_room() {
    let mut story = Scene::pair()
        .fault(1, "server ingress tcp from 10.0.2.1 port 7000 data nth 3: condition delay 40ms")
        .event(TimelineEvent::Note { text: "a note of many words ".repeat(5) })
        .fails("abc \u{202e}def\u{2066} \u{1b}[31m");
    story.faults[0].place = "/a/long/path/tests/orders.rs:12:5".to_owned();
    let card = fits(&story);
    assert!(card.contains("(orders.rs:12)") && !card.contains('…'), "{card}");
    assert!(!card.contains(['\u{202e}', '\u{2066}', '\u{1b}']), "{card}");
}

#[test]
fn a_failed_assertion_shows_its_values() {
    let card = fits(&Scene::pair().fails("assertion `left == right` failed\n  left: 1\n right: 2"));
    expect![[r#"
        failed   a::test: assertion `left == right` failed left: 1 right: 2
        network  net1: client 10.0.2.1/24 — server 10.0.2.2/24
        seed     7
        rerun    cargo test --test binary -- --exact a::test
    "#]]
    .assert_eq(&card);
}

#[test]
fn a_machine_that_was_too_slow_is_noted() {
    let late = |late| TimelineEvent::WireLate { link_end: 11, late, delay: 0 };
    let story = Scene::pair()
        .event(TimelineEvent::WaitedForProcessor { waited: 50_000_000, of: 60_000_000 })
        .event(TimelineEvent::WaitedForProcessor { waited: 700_000_000, of: 2_000_000_000 })
        .event(late(20_000_000))
        .event(late(35_000_000))
        .event(late(30_000_000))
        .fails("deadline has elapsed");
    expect![[r#"
        failed   a::test: deadline has elapsed
        network  net1: client 10.0.2.1/24 — server 10.0.2.2/24
        note     a thread waited 0.700 s of 2.000 s for a processor (busy machine)
                 a packet at server was sent 0.035 s late, at 0.000 s
        seed     7
        rerun    cargo test --test binary -- --exact a::test
    "#]]
    .assert_eq(&fits(&story));
}

/// Its node is not in the log before its sockets are looked at, after the time limit.
#[test]
fn a_test_without_a_network() {
    let (node, name) = (1, "test".to_owned());
    let thread = TimelineEvent::Thread {
        thread: "main[3]".to_owned(),
        node: Some(node),
        waits_in: "accept4".to_owned(),
        waits_for: Some("tcp 127.0.0.1:80 (listening)".to_owned()),
    };
    let story = Scene::new("a::test")
        .at(2_010)
        .event(TimelineEvent::NodeAdded { node, name, netns: Some(7) })
        .event(thread)
        .times_out();
    assert!(fits(&story).contains("waits    test: accept4 tcp 127.0.0.1:80 (listening)"));
}

#[test]
fn what_became_of_a_packet_is_not_cut() {
    let name = "a-node-with-a-name-of-many-letters-that-leaves-no-room";
    let scene = Scene::new("a::test")
        .lan(&[("client", "10.0.2.1/24"), (name, "10.0.2.2/24")])
        .fault(1, "*: partition client")
        .packet(&format!("client:40000 > {name}:7000 SYN"), DroppedBy(1))
        .at(1_000)
        .packet(&format!("client:40000 > {name}:7000 SYN"), DroppedBy(1))
        .packet(&format!("client:40000 > {name}:7000 FIN"), Arrives);
    expect![[r#"
        packets  0.000 s  client:40000 > a-node-with-a-name-of-ma…  SYN  DROPPED (twice)
                 1.002 s  client > a-node-with-a-name-of-many-letters-that-leaves-…  FIN
    "#]]
    .assert_eq(&lines_of("packets", &fits(&scene.at(1_400).times_out())));
    let mut scene = Scene::pair().fault(1, "server tcp from 10.0.2.2: drop");
    for port in 40_000..40_012 {
        scene = scene.packet(&format!("client:{port} > server:7000 SYN"), Arrives);
        scene = scene.packet(&format!("server:7000 > client:{port} SYN-ACK"), DroppedBy(1));
    }
    let card = fits(&scene.at(500).times_out());
    expect!["packets  0.030 s  server:7000 > client:…  SYN-ACK  DROPPED (15 earlier left out)"]
        .assert_eq(lines_of("packets", &card).lines().next().unwrap());
}

/// The lines of a section.
fn lines_of(section: &str, card: &str) -> String {
    let lines = card.lines().skip_while(|line| !line.starts_with(section));
    let is_own = |line: &&str| line.starts_with([' ', section.chars().next().unwrap()]);
    lines.take_while(is_own).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_fault_that_has_affected_no_packet() {
    let story = Scene::pair()
        .fault(1, "server tcp: drop")
        .event(TimelineEvent::FaultUnmatched { fault: 1, why: None })
        .fails("Error: gave up");
    let card = fits(&story);
    assert!(card.contains("to the end, affected no packet (a.rs:12)"), "{card}");
}
