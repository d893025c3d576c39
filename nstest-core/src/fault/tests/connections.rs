//! Connections: resets, numbers, points.

use std::sync::{Arc, Mutex};

use super::*;
use crate::fault::action::Action;
use crate::fault::point::InjectionPoint;
use crate::frame::view::{PacketView, flag};

const DATA: u8 = flag::ACK | flag::PSH;

/// The reset segments that came out: direction, sequence number, flags.
fn resets(passed: &Passed) -> Vec<(Direction, u32, u8)> {
    assert!(passed.forward.is_empty(), "{passed:?}");
    let reset = |(_, direction, frame): &(Duration, Direction, Vec<u8>)| {
        let tcp = *PacketView::parse(frame).tcp().unwrap();
        (*direction, tcp.seq, tcp.flags)
    };
    passed.emitted.iter().map(reset).collect()
}

#[test]
fn a_reset_reaches_both_ends() {
    use Direction::{Egress, Ingress};
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server ingress tcp port 7000 data nth 2: reset");
    assert!(bench.ingress(&tcp(false, 40000, 100, 0, flag::SYN, 0)).is_whole());
    assert!(bench.egress(&tcp(true, 40000, 500, 101, flag::SYN | flag::ACK, 0)).is_whole());
    assert!(bench.ingress(&tcp(false, 40000, 101, 501, DATA, 10)).is_whole());
    let passed = bench.ingress(&tcp(false, 40000, 111, 501, DATA, 10));
    let both = [(Egress, 501, flag::RST), (Ingress, 111, flag::RST | flag::ACK)];
    assert_eq!(resets(&passed), both);
    // A challenge ACK says what its sender expects, and is answered with that.
    let passed = bench.egress(&tcp(true, 40000, 501, 121, flag::ACK, 0));
    assert_eq!(resets(&passed), [(Ingress, 121, flag::RST)]);
    // Resets of their own end there.
    assert!(bench.egress(&tcp(true, 40000, 501, 121, flag::RST, 0)).is_lost());
    // Another connection is not concerned, nor is a new one on the same ports.
    assert!(bench.ingress(&tcp(false, 40001, 7, 7, DATA, 10)).is_whole());
    assert!(bench.ingress(&tcp(false, 40000, 9000, 0, flag::SYN, 0)).is_whole());
    assert!(bench.ingress(&tcp(false, 40000, 9001, 1, DATA, 1)).is_whole());
    assert_eq!(receipt.affected(), 3);
}

/// The packet arrives, and its acknowledgement. The answer is lost, and resets both ends by
/// the numbers that they expect.
#[test]
fn a_reset_after_a_packet_waits_for_the_next_one() {
    use Direction::{Egress, Ingress};
    let syn = tcp(false, 40000, 100, 0, flag::SYN, 0);
    let request = tcp(false, 40000, 101, 501, DATA, 10);
    let passes = |bench: &mut Bench| {
        assert!(bench.ingress(&syn).is_whole());
        assert!(bench.ingress(&tcp(false, 40000, 101, 501, flag::ACK, 0)).is_whole());
        let mut passed = bench.ingress(&request);
        assert_eq!(std::mem::take(&mut passed.forward), [Duration::ZERO]);
        // In case that no other packet comes.
        let times = passed.emitted.iter().map(|(at, ..)| *at);
        assert_eq!(times.collect::<Vec<_>>(), [ms(500), ms(500)]);
        let both = [(Egress, 501, flag::RST), (Ingress, 111, flag::RST | flag::ACK)];
        assert_eq!(resets(&passed), both);
        // Acknowledgements and retransmissions pass.
        assert!(bench.egress(&tcp(true, 40000, 501, 111, flag::ACK, 0)).is_whole());
        assert!(bench.ingress(&request).is_whole());
    };
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server ingress tcp port 7000 nth 3: then reset");
    passes(&mut bench);
    assert_eq!(receipt.affected(), 1);
    let passed = bench.egress(&tcp(true, 40000, 501, 111, DATA, 5));
    let both = [(Ingress, 111, flag::RST), (Egress, 501, flag::RST | flag::ACK)];
    assert_eq!(resets(&passed), both);
    assert_eq!(receipt.affected(), 2);
    // From then on, each sender gets an RST.
    let passed = bench.egress(&tcp(true, 40000, 506, 111, DATA, 5));
    assert_eq!(resets(&passed), [(Ingress, 111, flag::RST)]);

    // The next packet can also be one of the same direction.
    let mut bench = Bench::new(1);
    bench.fault("server ingress tcp port 7000 nth 3: then reset");
    passes(&mut bench);
    let passed = bench.ingress(&tcp(false, 40000, 111, 501, DATA, 5));
    let both = [(Egress, 501, flag::RST), (Ingress, 111, flag::RST | flag::ACK)];
    assert_eq!(resets(&passed), both);

    // An end can reset the connection itself.
    let mut bench = Bench::new(1);
    bench.fault("server ingress tcp port 7000 nth 3: then reset");
    passes(&mut bench);
    assert!(bench.egress(&tcp(true, 40000, 501, 111, flag::RST, 0)).is_whole());
}

/// After a first SYN, its receiver has a half-open connection.
#[test]
fn a_reset_after_a_syn_refuses_the_connection() {
    use Direction::{Egress, Ingress};
    let mut bench = Bench::new(1);
    bench.fault("server ingress tcp syn nth 1: then reset");
    let mut passed = bench.ingress(&tcp(false, 40000, 100, 0, flag::SYN, 0));
    assert_eq!(std::mem::take(&mut passed.forward), [Duration::ZERO]);
    let both = [(Egress, 0, flag::RST | flag::ACK), (Ingress, 101, flag::RST)];
    assert_eq!(resets(&passed), both);
    let passed = bench.egress(&tcp(true, 40000, 500, 101, flag::SYN | flag::ACK, 0));
    let both = [(Ingress, 101, flag::RST), (Egress, 500, flag::RST | flag::ACK)];
    assert_eq!(resets(&passed), both);
}

/// A client is refused, also when it tries again.
#[test]
fn a_reset_syn_is_refused() {
    let mut bench = Bench::new(1);
    bench.fault("server ingress tcp syn nth 1: reset");
    let syn = tcp(false, 40000, 100, 0, flag::SYN, 0);
    let refused = [(Direction::Egress, 0, flag::RST | flag::ACK)];
    assert_eq!(resets(&bench.ingress(&syn)), refused);
    assert_eq!(resets(&bench.ingress(&syn)), refused);
    assert!(bench.ingress(&tcp(false, 40000, 200, 0, flag::SYN, 0)).is_whole());
}

/// What is on its way arrives first.
#[test]
fn a_reset_has_the_delay_of_its_segment() {
    let mut bench = Bench::new(1);
    bench.condition("delay 40ms");
    bench.fault("server tcp data: reset");
    let passed = bench.egress(&tcp(true, 40000, 1, 1, DATA, 1));
    let times: Vec<_> = passed.emitted.iter().map(|(at, direction, _)| (*at, *direction)).collect();
    assert_eq!(times, [(ms(0), Direction::Ingress), (ms(40), Direction::Egress)]);
}

fn census(bench: &mut Bench) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    bench.pipeline.set_census(Some(Box::new(move |_, _, point: &InjectionPoint| {
        into.lock().unwrap().push(point.to_string());
    })));
    seen
}

/// One connection after the other to a server, and a datagram, with ephemeral
/// ports from `port` on.
fn traffic(port: u16) -> Vec<(Direction, Vec<u8>)> {
    let mut all = Vec::new();
    for n in 0..2 {
        let port = port + n;
        all.push((Direction::Ingress, arp()));
        all.push((Direction::Ingress, tcp(false, port, 100, 0, flag::SYN, 0)));
        all.push((Direction::Egress, tcp(true, port, 500, 101, flag::SYN | flag::ACK, 0)));
        all.push((Direction::Ingress, tcp(false, port, 101, 501, flag::ACK, 0)));
        all.push((Direction::Ingress, tcp(false, port, 101, 501, DATA, 10)));
        all.push((Direction::Egress, tcp(true, port, 501, 111, DATA, 20)));
        all.push((Direction::Egress, tcp(true, port, 521, 111, DATA, 20)));
        all.push((Direction::Ingress, tcp(false, port, 111, 541, flag::FIN | flag::ACK, 0)));
    }
    all.push((Direction::Ingress, udp(5)));
    all
}

#[test]
fn a_census_names_each_packet_that_is_a_point() {
    let mut bench = Bench::new(1);
    let seen = census(&mut bench);
    assert!(bench.pipeline.needs_segments());
    for (direction, frame) in traffic(40000) {
        assert!(bench.pass(direction, &frame, ms(0)).is_whole());
    }
    expect_test::expect![[r#"
        server ingress tcp port 7000 #1 syn nth 1
        server egress tcp port 7000 #1 synack nth 1
        server ingress tcp port 7000 #1 data nth 1
        server egress tcp port 7000 #1 data nth 1
        server egress tcp port 7000 #1 data nth 2
        server ingress tcp port 7000 #1 fin nth 1
        server ingress tcp port 7000 #2 syn nth 1
        server egress tcp port 7000 #2 synack nth 1
        server ingress tcp port 7000 #2 data nth 1
        server egress tcp port 7000 #2 data nth 1
        server egress tcp port 7000 #2 data nth 2
        server ingress tcp port 7000 #2 fin nth 1
        server ingress udp port 7000 #1 datagram nth 1"#]]
    .assert_eq(&seen.lock().unwrap().join("\n"));
    let first = seen.lock().unwrap().clone();

    // With other ephemeral ports the names are the same.
    let mut bench = Bench::new(2);
    let seen = census(&mut bench);
    for (direction, frame) in traffic(50000) {
        bench.pass(direction, &frame, ms(0));
    }
    assert_eq!(*seen.lock().unwrap(), first);
}

/// The fault of a point takes the packet that the census saw there, and no other.
#[test]
fn a_fault_at_a_point_affects_that_packet() {
    let mut bench = Bench::new(1);
    let seen = census(&mut bench);
    for (direction, frame) in traffic(40000) {
        bench.pass(direction, &frame, ms(0));
    }
    let points = seen.lock().unwrap().clone();
    let mut taken = Vec::new();
    for point in &points {
        let mut bench = Bench::new(1);
        let receipt = bench.fault(&format!("{point}: drop"));
        let all = traffic(50000);
        let lost = (0..all.len()).filter(|&i| bench.pass(all[i].0, &all[i].1, ms(0)).is_lost());
        taken.extend(lost);
        assert_eq!(receipt.affected(), 1, "{point}");
    }
    // All but ARP and acknowledgements, in order.
    let no_points = [0, 3, 8, 11];
    let expected: Vec<usize> = (0..traffic(1).len()).filter(|i| !no_points.contains(i)).collect();
    assert_eq!(taken, expected);
}

/// A port that is used again, and who was first seen in the middle.
#[test]
fn connections_are_numbered_in_order() {
    let mut bench = Bench::new(1);
    let seen = census(&mut bench);
    bench.ingress(&tcp(false, 40000, 100, 0, flag::SYN, 0));
    bench.ingress(&tcp(false, 40000, 100, 0, flag::SYN, 0)); // sent again
    bench.ingress(&tcp(false, 40000, 900, 0, flag::SYN, 0)); // another one
    bench.egress(&tcp(true, 41000, 500, 101, flag::SYN | flag::ACK, 0));
    bench.egress(&tcp(true, 42000, 500, 101, DATA, 1)); // taken for a client's
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], "server ingress tcp port 7000 #1 syn nth 1");
    assert_eq!(seen[1], "server ingress tcp port 7000 #2 syn nth 1");
    assert_eq!(seen[2], "server egress tcp port 7000 #3 synack nth 1");
    assert_eq!(seen[3], "server egress tcp port 42000 #1 data nth 1");
    assert_eq!(seen.len(), 4, "what is sent again is no point");
}

#[test]
fn only_suitable_actions_are_offered_for_a_packet() {
    for (point, reset) in [
        ("server egress tcp port 7000 #1 data nth 1", true),
        ("server egress tcp port 7000 #1 rst nth 1", false),
        ("server egress udp port 53 #1 datagram nth 1", false),
        ("server egress icmp #1 nth 1", false),
        ("server egress #1 other nth 1", false),
    ] {
        let point: InjectionPoint = point.parse().unwrap();
        assert_eq!(point.suits(&Action::Reset), reset, "{point}");
        assert!(point.suits(&Action::Drop) && point.suits(&Action::Cut), "{point}");
    }
}

/// A rule finds the numbers of connections that began before it, under a condition.
#[test]
fn connections_are_numbered_before_the_first_rule() {
    let mut bench = Bench::new(1);
    bench.condition("perfect");
    let all = traffic(40000);
    let (before, after) = all.split_at(4); // ARP and the handshake of the first connection
    for (direction, frame) in before {
        assert!(bench.pass(*direction, frame, ms(0)).is_whole());
    }
    bench.pass(Direction::Ingress, &udp(5), ms(0));
    let receipts = ["tcp #1 data", "tcp port 7000 #2 data", "tcp #3", "udp #1", "udp #2"]
        .map(|packets| bench.fault(&format!("server {packets}: delay 1ms")));
    for (direction, frame) in after {
        bench.pass(*direction, frame, ms(0));
    }
    assert_eq!(receipts.map(|receipt| receipt.affected()), [3, 3, 0, 1, 0]);
}
