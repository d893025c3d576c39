//! Failures under a fault that is in force, with errors of different words: the hint is about
//! the fault in all of them.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind, Result};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use expect_test::{Expect, expect};
use nstest::{Condition, Net, Node, Packets, TestResult, netns_test};
use nstest_tests::marks;

use super::cards::Card;

const PORT: u16 = 7000;

/// Listens, and accepts nothing.
fn listen(node: &Node) -> SocketAddr {
    let listener = node.run(|| TcpListener::bind((node.ip(), PORT))).unwrap();
    node.spawn(move || {
        let _listener = listener;
        marks::hang()
    });
    (node.ip(), PORT).into()
}

/// The third try of a client.
fn connect(server: SocketAddr) -> Result<TcpStream> {
    let try_once = || TcpStream::connect_timeout(&server, Duration::from_millis(500));
    try_once().or_else(|_| try_once()).or_else(|_| try_once())
}

/// Fixtures with these words, for a fault.
macro_rules! fixtures {
    ($fault:ident, |$server:ident, $net:ident| $inject:expr) => {
        mod $fault {
            use super::*;

            fn fails($server: &Node, $net: &Net) -> Result<TcpStream> {
                let address = listen($server);
                $inject.unwrap();
                connect(address)
            }

            #[netns_test(timeout = "20s")]
            #[ignore = "fixture of another test"]
            fn kind(server: Node, net: Net) -> TestResult {
                fails(&server, &net).map_err(|_| Error::from(ErrorKind::TimedOut))?;
                Ok(())
            }

            #[netns_test(timeout = "20s")]
            #[ignore = "fixture of another test"]
            fn words(server: Node, net: Net) -> TestResult {
                fails(&server, &net).map_err(|_| "gave up")?;
                Ok(())
            }

            #[netns_test(timeout = "20s")]
            #[ignore = "fixture of another test"]
            fn assertion(server: Node, net: Net) {
                assert!(fails(&server, &net).is_ok());
            }
        }
    };
}

fixtures!(down, |server, _net| server.link().down());
fixtures!(partition, |server, net| net.partition(&[&[server], &[&net.local()]]));
fixtures!(drop, |server, _net| server.link().drop_packets(Packets::tcp()));
fixtures!(delay, |server, _net| {
    server.link().condition(Condition::new().delay(Duration::from_millis(400)))
});

#[track_caller]
fn assert_hints(fault: &str, words: &[&str], expected: &Expect) {
    let hint =
        |words: &&str| Card::of(&format!("staged::wordings::{fault}::{words}")).sections(&["hint"]);
    // The same for all.
    let hints: BTreeSet<String> = words.iter().map(hint).collect();
    expected.assert_eq(&hints.into_iter().collect::<String>());
}

#[test]
fn a_link_that_is_down() {
    assert_hints(
        "down",
        &["kind", "words", "assertion"],
        &expect![[r#"
            hint     the link between test and server has been down since N s
        "#]],
    );
}

#[test]
fn a_partition() {
    assert_hints(
        "partition",
        &["kind"],
        &expect![[r#"
            hint     the partition `*: partition server | test` was never healed: it is in force since N s; packets lost to it: N, the last is the ARP request for 10.0.2.2 to server at N s
        "#]],
    );
    assert_hints(
        "partition",
        &["words", "assertion"],
        &expect![[r#"
            hint     the partition `*: partition server | test` is still in force (since N s); packets lost to it: N, the last is the ARP request for 10.0.2.2 to server at N s
        "#]],
    );
}

/// Others of the LAN get what a node asks all.
#[netns_test(timeout = "20s")]
#[ignore = "fixture of another test"]
fn partition_of_peers(a: Node, b: Node, net: Net) -> TestResult {
    let address = listen(&a);
    net.partition(&[&[&a], &[&b]])?;
    b.run(|| connect(address)).map_err(|_| "gave up")?;
    Ok(())
}

#[test]
fn a_partition_of_a_lan() {
    let card = Card::of("staged::wordings::partition_of_peers");
    expect![[r#"
        hint     the partition `*: partition a | b` is still in force (since N s); packets lost to it: N, the last is the ARP request for 10.0.2.2 to a at N s
    "#]]
    .assert_eq(&card.sections(&["hint"]));
}

#[test]
fn packets_that_are_dropped() {
    assert_hints(
        "drop",
        &["kind"],
        &expect![[r#"
            hint     the SYN to server:7000 was dropped N times by `server tcp: drop`, which is still in force
        "#]],
    );
    assert_hints(
        "drop",
        &["words", "assertion"],
        &expect![[r#"
            hint     `server tcp: drop` is still in force (since N s); packets lost to it: N, the last is the SYN to server:7000 at N s
        "#]],
    );
}

#[test]
fn packets_that_are_delayed() {
    assert_hints(
        "delay",
        &["kind", "words", "assertion"],
        &expect![[r#"
            hint     the SYN-ACK from server:7000 to test:PORT was still on its way when the test failed at N s: `server: condition delay 400ms` delays it by N s, to N s; the round trip takes N s
        "#]],
    );
}

#[netns_test(timeout = "20s")]
#[ignore = "fixture of another test"]
fn wrong_direction(server: Node) -> TestResult {
    let address = listen(&server);
    server.link().egress().drop_packets(Packets::tcp().dport(PORT))?;
    assert!(connect(address).is_err());
    Ok(())
}

#[netns_test(timeout = "20s")]
#[ignore = "fixture of another test"]
fn partition_of_others(a: Node, b: Node, net: Net) -> TestResult {
    let address = listen(&a);
    net.partition(&[&[&a], &[&b]])?;
    assert!(connect(address).is_err());
    Ok(())
}

#[test]
fn a_fault_that_affects_no_packet() {
    let card = |fixture: &str| {
        Card::of(&format!("staged::wordings::{fixture}")).sections(&["hint", "faults"])
    };
    expect![[r#"
        hint     `server egress tcp dport 7000: drop` has affected no packet: N tcp passed, none matched
        faults   N `server egress tcp dport 7000: drop`  N s to the end
    "#]]
    .assert_eq(&card("wrong_direction"));
    expect![[r#"
        hint     `*: partition a | b` has affected no packet; the SYN-ACK from a to test passed: test is in none of its groups
        faults   N `*: partition a | b`  N s to the end
    "#]]
    .assert_eq(&card("partition_of_others"));
}
