//! Staged failures: the card of each names the cause.
//!
//! A fixture is a test that fails as tests of users do. Its card is compared to a snapshot,
//! without what differs from run to run or from machine to machine.

mod cards;
mod fixtures;
mod wordings;

use expect_test::{Expect, expect};

pub(crate) use cards::Card;

/// What is the same in every run, if packets are sent by one thread after another.
const ALL: &[&str] = &["hint", "network", "sockets", "waits", "packets", "faults"];

/// If several threads send packets at the same time.
const CAUSE: &[&str] = &["hint", "network", "faults"];

#[track_caller]
fn assert_card(fixture: &str, sections: &[&str], expected: Expect) {
    let card = Card::of(&format!("staged::fixtures::{fixture}"));
    expected.assert_eq(&card.sections(sections));
}

#[test]
fn a_server_on_the_wrong_address() {
    assert_card(
        "wrong_address",
        ALL,
        expect![[r#"
            hint     server:7000 (10.0.2.2) refused, and no socket listens there after the test has returned; server listens on 127.0.0.1:7000 only; the SYN from test got RST
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24
            sockets  server: tcp listening 127.0.0.1:7000
            packets  N s  test:PORT > server:7000  SYN
                     N s  server:7000 > test:PORT  RST
        "#]],
    );
}

#[test]
fn a_server_that_does_not_answer_a_client_with_a_read_timeout() {
    // The socket of the client is closed before the test fails.
    assert_card(
        "silent_server_and_question_mark",
        &["hint"],
        expect![[r#"
            hint     test sent data (N byte) to server on the connection from test to server:7000 (10.0.2.2), which arrived, and server has not read N byte; server sent nothing back for N s, until test closed the connection (EAGAIN: a read timed out)
        "#]],
    );
    assert_card(
        "silent_server_and_unwrap",
        &["hint"],
        expect![[r#"
            hint     test sent data (N byte) to server on the connection from test to server:7000 (10.0.2.2), which arrived, and server has not read N byte; server sent nothing back for N s, until test closed the connection (EAGAIN: a read timed out)
        "#]],
    );
}

#[test]
fn a_swallowed_syn() {
    assert_card(
        "swallowed_syn",
        ALL,
        expect![[r#"
            hint     the SYN to server:7000 was dropped N times by `server tcp syn: drop`, which is still in force
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24 [fault N]
            sockets  test: tcp syn-sent test:PORT > server:7000
                     server: tcp listening 10.0.2.2:7000
            waits    test: connect tcp test:PORT -> server:7000 (syn-sent)
                     server: accept4 tcp server:7000 (listening), thread staged::fixture[N]
            packets  N s  test:PORT > server:7000  SYN  DROPPED
                     N s  nothing was sent in the last N s
            faults   N `server tcp syn: drop`  N s to the end
        "#]],
    );
}

#[test]
fn a_reset_in_mid_message() {
    assert_card(
        "reset_in_mid_message",
        CAUSE,
        expect![[r#"
            hint     the connection from test to server:7000 (10.0.2.2) was reset by `server ingress tcp port N data nth 5: reset` at N s, in mid-stream, after N bytes from test and N back
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24 [fault N]
            faults   N `server ingress tcp port N data nth 5: reset`  N s to the end
        "#]],
    );
}

#[test]
fn a_missing_resolver() {
    assert_card(
        "resolver_missing",
        ALL,
        expect![[r#"
            hint     a name was not resolved, and no DNS query was sent: the test has no resolver, so only the names of nodes resolve; `node.serve_dns()` (cargo feature `dns`) starts one; a test has no Internet without `#[netns_test(uplink)]`
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24
            sockets  server: tcp listening 10.0.2.2:7000
        "#]],
    );
}

#[test]
fn a_test_without_an_uplink() {
    assert_card(
        "name_of_the_internet",
        &["hint"],
        expect![[r#"
            hint     a name was not resolved, and no DNS query was sent: the test has no resolver; a test has no Internet without `#[netns_test(uplink)]`
        "#]],
    );
    assert_card(
        "address_of_the_internet",
        &["hint"],
        expect![[r#"
            hint     the node has no route to the destination (ENETUNREACH, so no packet was sent); a test has no Internet without `#[netns_test(uplink)]`
        "#]],
    );
}

#[test]
fn a_listener_that_is_closed_when_the_test_returns() {
    assert_card(
        "listener_that_is_closed_on_return",
        &["hint"],
        expect![[r#"
            hint     no socket listens on server:7000 (10.0.2.2) after the test returned and closed its own (`unwrap()` instead of `?` shows them); the SYN from test got RST; if a task, thread or program is to listen there, wait for it: `server.wait_listening(7000)`
        "#]],
    );
}

#[test]
fn an_mtu_black_hole() {
    assert_card(
        "mtu_black_hole",
        CAUSE,
        expect![[r#"
            hint     MTU black hole: packets longer than N bytes from test to server:7000 were dropped N times by `server: mtu N` without ICMP fragmentation needed; those up to N bytes arrived
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24 [fault N]
            faults   N `server: mtu N`  N s to the end
        "#]],
    );
}

#[test]
fn a_partition_that_is_never_healed() {
    assert_card(
        "partition_never_healed",
        CAUSE,
        expect![[r#"
            hint     the partition `*: partition a | b` was never healed: it is in force since N s; packets lost to it: N, the last is the SYN to b:7000 at N s
            network  LAN `peers`: test 10.0.2.1/24 — a 10.0.2.2/24 [partitioned]
                     — b 10.0.2.3/24 [partitioned]
            faults   N `*: partition a | b`  N s to the end
        "#]],
    );
}

#[test]
fn an_address_that_is_used_twice() {
    assert_card(
        "address_used_twice",
        CAUSE,
        expect![[r#"
            hint     the address 10.0.2.2 is used twice: server has it, and other sent packets from it (ARP request for 10.0.2.1 at N s)
            network  LAN `peers`: test 10.0.2.1/24 — server 10.0.2.2/24 — other 10.0.2.3/24
        "#]],
    );
}

#[test]
fn a_missing_route() {
    assert_card(
        "route_missing",
        ALL,
        expect![[r#"
            hint     client has no route to 10.0.4.1 (server) (ENETUNREACH, so no packet was sent): its route `default via 10.0.3.254 dev eth0` was removed at N s
            network  LAN `near`: client 10.0.3.1/24 — router.eth0 10.0.3.254/24
                     LAN `far`: server 10.0.4.1/24 — router.eth1 10.0.4.254/24
            sockets  server: tcp listening 10.0.4.1:7000
        "#]],
    );
}

#[test]
fn two_ends_with_full_buffers() {
    assert_card(
        "both_write",
        CAUSE,
        expect![[r#"
            hint     deadlock of two writers: test:PORT has N unread and N unacknowledged bytes, server:7000 has N and N; neither reads
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24
        "#]],
    );
}

#[test]
fn a_stream_that_is_slow_under_loss() {
    assert_card(
        "slow_under_loss",
        CAUSE,
        expect![[r#"
            hint     slow under delay and loss: `server: condition delay Nms loss N%` dropped N of N TCP packets (N %) between test and server:7000 and delayed packets for N s; N segments were sent again, and waiting for them took N of N s
            network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24 [impaired]
            faults   N `server: condition delay Nms loss N%`  N s to the end
        "#]],
    );
}

#[test]
fn two_ends_that_wait_to_read() {
    assert_card(
        "both_read",
        &["hint"],
        expect![[r#"
        hint     both ends of the connection from test to server:7000 (10.0.2.2) wait to read since N s: server has read N bytes and test N, each waits for more or for the end, and neither has closed its side
    "#]],
    );
}

#[test]
fn a_receive_buffer_that_is_full() {
    assert_card(
        "full_receive_buffer",
        &["hint"],
        expect![[r#"
        hint     server dropped N datagrams that had arrived for its UDP socket 10.0.2.2:7000, since the receive buffer was full: it is not read, or too slowly
    "#]],
    );
}

#[test]
fn a_port_that_the_router_does_not_forward() {
    assert_card(
        "port_not_forwarded",
        &["hint"],
        expect![[r#"
        hint     the SYN to router:7000 (10.0.4.2) arrived N times, and router did not forward it: it forwards no tcp port N from its WAN eth1, which has NAT (mapping endpoint-independent, filtering endpoint-independent); see `forward_port`
    "#]],
    );
}

#[test]
fn a_reply_from_another_port() {
    assert_card(
        "reply_from_another_port",
        ALL,
        expect![[r#"
        hint     server replied from 10.0.2.2:PORT, but test had sent its request to 10.0.2.2:7000; the reply got ICMP port unreachable, as from a socket that is connected to 10.0.2.2:7000
        network  link `test-server`: test 10.0.2.1/24 — server 10.0.2.2/24
        packets  N s  test > server:7000  UDP datagram (N bytes)
                 N s  server:PORT > test:PORT  UDP datagram (N bytes)
                 N s  test > server  ICMP port unreachable
                 N s  nothing was sent in the last N s
    "#]],
    );
}

#[test]
fn a_reply_from_another_address_and_port() {
    assert_card(
        "reply_from_another_address_and_port",
        ALL,
        expect![[r#"
        hint     server replied from 10.0.3.1:PORT, but test had sent its request to 10.0.2.2:7000; a socket that is connected to 10.0.2.2:7000 does not get it
        network  link `test-server`: test 10.0.2.1/24 — server.eth0 10.0.2.2/24
                 LAN `other`: server.eth1 10.0.3.1/24
        packets  N s  test > server:7000  UDP datagram (N bytes)
                 N s  server:PORT > test:PORT  UDP datagram (N bytes)
                 N s  nothing was sent in the last N s
    "#]],
    );
}

#[test]
fn a_server_that_does_not_listen_yet() {
    assert_card(
        "not_yet_listening",
        &["hint", "sockets"],
        expect![[r#"
        hint     no socket listens on server:7000 (10.0.2.2); the SYN from test got RST; if a task, thread or program is to listen there, wait for it: `server.wait_listening(7000)`
    "#]],
    );
}
