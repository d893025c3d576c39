//! Frames of our own beside those of the kernel.

use super::fixtures::*;
use crate::frame::build::{
    Unreachable, corrupted, reset_answer, reset_onward, too_big, unreachable,
};
use crate::frame::checksum::Sum;
use crate::frame::view::{PacketView, TransportHeader, flag};

/// The sum over the transport's part, and its pseudo-header, is right.
fn assert_sums(frame: &[u8]) {
    let view = PacketView::parse(frame);
    let ip = view.ip.as_ref().unwrap();
    let payload = &frame[ip.payload.clone()];
    let sum = match view.transport {
        TransportHeader::Icmp { version: 4, .. } => Sum::default(),
        _ => Sum::default().pseudo(ip.src, ip.dst, ip.protocol, payload.len()),
    };
    assert_eq!(sum.add(payload).finish(), 0, "{view}");
    if ip.src.is_ipv4() {
        assert_eq!(Sum::default().add(&frame[ip.offset..ip.payload.start]).finish(), 0);
    }
    assert_eq!(ip.total_len, frame.len() - ip.offset);
}

#[test]
fn checksums_of_the_kernel_are_right() {
    for frame in [RST_TO_SYN, PORT_UNREACHABLE, PORT_UNREACHABLE6] {
        assert_sums(&hex(frame));
    }
}

#[test]
fn a_syn_is_answered_as_the_kernel_does() {
    let (frame, answer) = (hex(SYN), hex(RST_TO_SYN));
    assert_eq!(reset_answer(&PacketView::parse(&frame)).unwrap(), answer);
    // Over IPv6 all but the flow label, which is random, and the unfinished checksum.
    let (frame, mut answer) = (hex(SYN6), hex(RST_TO_SYN6));
    let ours = reset_answer(&PacketView::parse(&frame)).unwrap();
    assert_sums(&ours);
    answer[14..18].copy_from_slice(&[0x60, 0, 0, 0]);
    answer[70..72].copy_from_slice(&ours[70..72]);
    assert_eq!(ours, answer);
    assert!(reset_onward(&PacketView::parse(&frame)).is_none());
}

#[test]
fn data_is_reset_with_the_numbers_that_each_end_expects() {
    let frame = hex(DATA);
    let view = PacketView::parse(&frame);
    let (answer, onward) = (reset_answer(&view).unwrap(), reset_onward(&view).unwrap());
    assert_sums(&answer);
    assert_sums(&onward);
    let (sent, answer, onward) =
        (*view.tcp().unwrap(), PacketView::parse(&answer), PacketView::parse(&onward));
    // To the sender: what it has acknowledged is what it expects.
    let tcp = *answer.tcp().unwrap();
    assert_eq!((tcp.seq, tcp.flags), (sent.ack, flag::RST));
    assert_eq!((answer.to, answer.flow()), (view.from, view.flow()));
    // To the receiver: the segment itself was the next.
    let tcp = *onward.tcp().unwrap();
    assert_eq!((tcp.seq, tcp.ack, tcp.flags), (sent.seq, sent.ack, flag::RST | flag::ACK));
    assert_eq!((onward.to, tcp.sport), (view.to, sent.sport));
}

#[test]
fn a_syn_with_data_is_acknowledged_whole() {
    let mut frame = hex(DATA);
    frame[47] = flag::SYN;
    let answer = reset_answer(&PacketView::parse(&frame)).unwrap();
    let seq = PacketView::parse(&frame).tcp().unwrap().seq;
    assert_eq!(PacketView::parse(&answer).tcp().unwrap().ack, seq + 1 + 5);
}

#[test]
fn a_reset_is_never_answered() {
    let frame = hex(RST_TO_SYN);
    let view = PacketView::parse(&frame);
    assert!(reset_answer(&view).is_none() && reset_onward(&view).is_none());
    let udp = hex(UDP);
    assert!(reset_answer(&PacketView::parse(&udp)).is_none());
}

#[test]
fn a_datagram_is_rejected_as_the_kernel_does() {
    for (frame, answer) in [(UDP, PORT_UNREACHABLE), (UDP6, PORT_UNREACHABLE6)] {
        let (frame, answer) = (hex(frame), hex(answer));
        let view = PacketView::parse(&frame);
        let ours = unreachable(&view, Unreachable::Port).unwrap();
        assert_sums(&ours);
        let start = PacketView::parse(&answer).ip.unwrap().payload.start;
        // The kernel's IP header has an identification, a class or a flow label.
        assert_eq!(ours[start..], answer[start..]);
        assert_eq!(ours[..14], answer[..14]);
    }
}

#[test]
fn kinds_of_rejection() {
    use Unreachable::{AdminProhibited, Host, Net, Port};
    let (v4, v6) = (hex(UDP), hex(UDP6));
    for (why, of_v4, of_v6) in [
        (Net, [3, 0], [1, 0]),
        (Host, [3, 1], [1, 3]),
        (Port, [3, 3], [1, 4]),
        (AdminProhibited, [3, 13], [1, 1]),
    ] {
        let answer = unreachable(&PacketView::parse(&v4), why).unwrap();
        assert_eq!(answer[34..36], of_v4, "{why:?}");
        let answer = unreachable(&PacketView::parse(&v6), why).unwrap();
        assert_eq!(answer[54..56], of_v6, "{why:?}");
    }
}

#[test]
fn too_big_contains_the_mtu() {
    let (v4, v6) = (hex(DATA), hex(SYN6));
    let answer = too_big(&PacketView::parse(&v4), 1280).unwrap();
    assert_sums(&answer);
    assert_eq!(answer[34..42], [3, 4, answer[36], answer[37], 0, 0, 5, 0]);
    let answer = too_big(&PacketView::parse(&v6), 1280).unwrap();
    assert_sums(&answer);
    assert_eq!(answer[54..62], [2, 0, answer[56], answer[57], 0, 0, 5, 0]);
}

/// As long as an error may be: 576 bytes, or IPv6's least MTU.
#[test]
fn a_long_packet_is_quoted_in_part() {
    for (frame, longest) in [(UDP, 576), (UDP6, 1280)] {
        let mut frame = hex(frame);
        frame.resize(1514, 0);
        let len = (1514 - 14 - if longest == 576 { 0 } else { 40 }) as u16;
        let at = if longest == 576 { 16 } else { 18 };
        frame[at..at + 2].copy_from_slice(&len.to_be_bytes());
        let answer = unreachable(&PacketView::parse(&frame), Unreachable::Host).unwrap();
        assert_eq!(answer.len() - 14, longest);
        assert_sums(&answer);
    }
}

#[test]
fn errors_and_multicast_are_not_answered() {
    let mut multicast = hex(UDP);
    multicast[30] = 0xe0;
    let silent = [
        hex(PORT_UNREACHABLE),
        hex(PORT_UNREACHABLE6),
        hex(FRAGMENT),
        hex(ARP_REQUEST),
        hex(NEIGHBOUR_SOLICITATION),
        multicast,
    ];
    for frame in silent {
        let view = PacketView::parse(&frame);
        assert!(unreachable(&view, Unreachable::Host).is_none(), "{view}");
    }
}

#[test]
fn corruption_inverts_one_bit_after_the_ip_header() {
    for frame in [RST_TO_SYN, RST_TO_SYN6, ARP_REQUEST] {
        let frame = hex(frame);
        let view = PacketView::parse(&frame);
        let start = view.ip.as_ref().map_or(14, |ip| ip.payload.start);
        for draw in (0..u64::MAX - (1 << 58)).step_by(1 << 58) {
            let copy = corrupted(&view, draw);
            let changed: Vec<usize> = (0..frame.len()).filter(|&i| copy[i] != frame[i]).collect();
            assert_eq!(changed.len(), 1);
            assert!(changed[0] >= start);
            assert_eq!((copy[changed[0]] ^ frame[changed[0]]).count_ones(), 1);
        }
        assert_ne!(corrupted(&view, 0), corrupted(&view, u64::MAX));
    }
}

#[test]
fn corruption_leaves_no_datagram_without_a_checksum() {
    for nth in 0..16 {
        let mut frame = hex(UDP);
        let at = 14 + 20 + 6;
        frame[at..at + 2].copy_from_slice(&(1_u16 << nth).to_le_bytes());
        let view = PacketView::parse(&frame);
        let bits = view.ip.as_ref().unwrap().payload.len() as u128 * 8;
        for bit in 0..bits {
            let draw = u64::try_from(((bit << 64) / bits) + 1).unwrap();
            let copy = corrupted(&view, draw);
            let changed = copy.iter().zip(&frame).map(|(a, b)| (a ^ b).count_ones());
            assert_eq!(changed.sum::<u32>(), 1);
            assert_ne!(copy[at..at + 2], [0, 0], "bit {bit} of checksum {nth}");
        }
    }
}
