//! Fragmented datagrams: each counts as one packet, and its fragments share its fate.

use super::*;
use crate::frame::view::flag;

/// How many bytes of payload each fragment but the last has.
const PIECE: usize = 64;

/// The fragments of a packet that [`ipv4`] or [`ipv6`] made.
fn fragments(whole: &[u8], id: u16) -> Vec<Vec<u8>> {
    let is_ipv4 = whole[12] == 8;
    let (header, body) = whole.split_at(if is_ipv4 { 34 } else { 54 });
    let count = body.chunks(PIECE).len();
    let piece = |(n, piece): (usize, &[u8])| {
        let (more, offset) = (u16::from(n + 1 < count), (n * PIECE) as u16);
        let mut frame = header.to_vec();
        if is_ipv4 {
            frame[16..18].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
            frame[18..20].copy_from_slice(&id.to_be_bytes());
            frame[20..22].copy_from_slice(&((more << 13) | (offset / 8)).to_be_bytes());
        } else {
            frame[18..20].copy_from_slice(&(8 + piece.len() as u16).to_be_bytes());
            let protocol = std::mem::replace(&mut frame[20], 44);
            frame.extend([protocol, 0]);
            frame.extend((offset | more).to_be_bytes());
            frame.extend([0, 0]);
            frame.extend(id.to_be_bytes());
        }
        frame.extend(piece);
        frame
    };
    body.chunks(PIECE).enumerate().map(piece).collect()
}

/// The same packet over IPv6, between other addresses.
fn ipv6(ipv4: &[u8]) -> Vec<u8> {
    let mut frame = ipv4[..12].to_vec();
    let body = &ipv4[34..];
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
    frame.extend((body.len() as u16).to_be_bytes());
    frame.extend([if ipv4[23] == 1 { 58 } else { ipv4[23] }, 64]);
    for last in [1, 2] {
        frame.extend([0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    frame.extend(body);
    frame
}

fn echo(len: usize) -> Vec<u8> {
    let mut body = vec![8, 0, 0, 0, 0, 7, 0, 1];
    body.resize(8 + len, b'x');
    ipv4(CLIENT, SERVER, 1, &body)
}

/// Datagrams of three fragments each, over IPv4 or IPv6.
fn fragmented(whole: &[u8], is_ipv6: bool, count: u16) -> Vec<Vec<Vec<u8>>> {
    let whole = if is_ipv6 { ipv6(whole) } else { whole.to_vec() };
    (1..=count).map(|id| fragments(&whole, id)).collect()
}

/// Of each datagram, which of its fragments pass, as in `111 000 111`.
fn passing(fault: &str, datagrams: &[Vec<Vec<u8>>]) -> (String, u64) {
    let mut bench = Bench::new(1);
    let receipt = bench.fault(fault);
    let mut words = Vec::new();
    for datagram in datagrams {
        let copies = |frame: &Vec<u8>| {
            let passed = bench.egress(frame);
            (passed.forward.len() + passed.emitted.len()).to_string()
        };
        words.push(datagram.iter().map(copies).collect::<String>());
    }
    (words.join(" "), receipt.affected())
}

#[test]
fn a_fragmented_datagram_is_one_packet() {
    for is_ipv6 in [false, true] {
        let udp = fragmented(&udp(150), is_ipv6, 4);
        let tcp = fragmented(&tcp(false, 40000, 1, 1, flag::ACK, 130), is_ipv6, 4);
        let icmp = fragmented(&echo(150), is_ipv6, 4);
        for (fault, datagrams, expected) in [
            ("udp nth 2: drop", &udp, ("111 000 111 111", 1)),
            ("udp port 7000 nth 2: drop", &udp, ("111 000 111 111", 1)),
            ("udp dport 7000 sport 40000 nth 2: drop", &udp, ("111 000 111 111", 1)),
            ("port 7000 first 2: drop", &udp, ("000 000 111 111", 2)),
            ("port 7001: drop", &udp, ("111 111 111 111", 0)),
            ("nth 2: drop", &udp, ("111 000 111 111", 1)),
            ("udp #1 nth 2: drop", &udp, ("111 000 111 111", 1)),
            ("udp datagram nth 2: drop", &udp, ("111 000 111 111", 1)),
            ("udp every-nth 2: duplicate", &udp, ("111 222 111 222", 2)),
            ("udp port 7000 nth 3: reject port-unreachable", &udp, ("111 111 100 111", 1)),
            ("udp port 7000 nth 3: corrupt", &udp, ("111 111 111 111", 1)),
            ("udp nth 2: blackhole", &udp, ("111 000 000 000", 9)),
            ("udp nth 2: then blackhole", &udp, ("111 111 000 000", 7)),
            ("udp nth 2: then cut", &udp, ("111 111 000 000", 7)),
            ("udp fragment nth 2: drop", &udp, ("110 111 111 111", 1)),
            ("udp port 7000 fragment nth 3: drop", &udp, ("111 101 111 111", 1)),
            ("each: drop", &udp, ("000 000 000 000", 12)),
            ("tcp nth 2: drop", &tcp, ("111 000 111 111", 1)),
            ("tcp data nth 2: drop", &tcp, ("111 000 111 111", 1)),
            ("tcp port 7000 after 3: drop", &tcp, ("111 111 111 000", 1)),
            ("udp: drop", &tcp, ("111 111 111 111", 0)),
            ("icmp nth 2: drop", &icmp, ("111 000 111 111", 1)),
            ("tcp: drop", &icmp, ("111 111 111 111", 0)),
        ] {
            let (passed, affected) = passing(&format!("server {fault}"), datagrams);
            assert_eq!((passed.as_str(), affected), expected, "{fault}, IPv6: {is_ipv6}");
        }
    }
}

/// A later fragment of the datagram comes first.
#[test]
fn fragments_may_come_in_any_order() {
    for is_ipv6 in [false, true] {
        let mut datagrams = fragmented(&udp(150), is_ipv6, 4);
        for datagram in &mut datagrams {
            datagram.rotate_left(1);
        }
        let (passed, affected) = passing("server udp nth 2: drop", &datagrams);
        assert_eq!((passed.as_str(), affected), ("111 000 111 111", 1));
        // The ports come with the last of them. Without it the datagram does not arrive.
        let (passed, affected) = passing("server udp port 7000 nth 2: drop", &datagrams);
        assert_eq!((passed.as_str(), affected), ("111 110 111 111", 1));
        // The fragments of all datagrams are mixed.
        let mixed: Vec<_> = (0..3)
            .map(|n| datagrams.iter().map(|datagram| datagram[n].clone()).collect())
            .collect();
        let (passed, affected) = passing("server udp nth 2: drop", &mixed);
        assert_eq!((passed.as_str(), affected), ("1011 1011 1011", 1));
    }
}

/// Numbers come again, and a copy of a datagram is a packet of its own.
#[test]
fn a_second_first_fragment_begins_another_datagram() {
    let mut datagrams = fragmented(&udp(150), false, 2);
    datagrams.insert(1, datagrams[0].clone());
    let (passed, affected) = passing("server udp nth 2: drop", &datagrams);
    assert_eq!((passed.as_str(), affected), ("111 000 111", 1));
}

/// A packet that is longer than the MTU is each fragment that is.
#[test]
fn the_size_of_each_fragment_counts() {
    let datagrams = fragmented(&udp(150), true, 2);
    let lengths: Vec<usize> = datagrams[0].iter().map(Vec::len).collect();
    assert_eq!(lengths, [126, 126, 92]);
    let (passed, affected) = passing("server: mtu 100", &datagrams);
    assert_eq!((passed.as_str(), affected), ("001 001", 2));
}

/// Fragments are not points, and do not make a conversation of their own.
#[test]
fn fragments_do_not_begin_a_conversation() {
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server udp #2: drop");
    for datagram in fragmented(&udp(150), false, 3) {
        assert!(datagram.iter().all(|frame| bench.egress(frame).is_whole()));
    }
    assert_eq!(receipt.affected(), 0);
}
