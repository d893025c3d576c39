use std::borrow::Cow;

use super::*;
use crate::evidence::timeline::{Entry, TimelineEvent};
use crate::frame::{Affected, Direction, PacketEffect};

/// Link ends of a network of three nodes.
const A: u32 = 1;
const B: u32 = 2;
const C: u32 = 3;

fn ms(millis: u64) -> Duration {
    Duration::from_secs(1_700_000_000) + Duration::from_millis(millis)
}

/// A segment of TCP over IPv4 with this number, sequence number and data.
fn tcp(id: u16, seq: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((40 + len as u16).to_be_bytes());
    frame.extend(id.to_be_bytes());
    frame.extend([0x40, 0, 64, 6, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x9c, 0x40, 0x1b, 0x58]);
    frame.extend(seq.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0x50, 0x18, 1, 0, 0xab, 0xcd, 0, 0]);
    frame.resize(54 + len, b'x');
    frame
}

/// A datagram over IPv4 with this payload.
fn udp(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((28 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x9c, 0x40, 0x1b, 0x58]);
    frame.extend((8 + payload.len() as u16).to_be_bytes());
    frame.extend([0xab, 0xcd]);
    frame.extend(payload);
    frame
}

fn arp() -> Vec<u8> {
    [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[1; 28]].concat()
}

/// What the wire would have at another place: with the checksums complete.
fn completed(mut frame: Vec<u8>) -> Vec<u8> {
    let transport = if frame[23] == 6 { 34 + 16 } else { 34 + 6 };
    frame[24..26].copy_from_slice(&[0x56, 0x78]);
    frame[transport..transport + 2].copy_from_slice(&[0xef, 1]);
    frame
}

/// A test with its records.
#[derive(Default)]
struct Records {
    frames: Vec<RecordedFrame>,
    verdicts: Vec<WireVerdict<'static>>,
    networks: Vec<Entry>,
}

impl Records {
    /// Of a network of A, B and C.
    fn new() -> Self {
        let mut records = Self::default();
        records.network(1, &[A, B, C]);
        records
    }

    fn network(&mut self, network: u32, link_ends: &[u32]) {
        let (title, link_ends) = ("net".to_owned(), link_ends.to_vec());
        let event = TimelineEvent::Network { network, title, link_ends };
        self.networks.push(Entry { time: ms(0), event });
    }

    fn record(&mut self, at: u64, link_end: u32, to_node: bool, frame: &[u8]) -> usize {
        let (time, length) = (ms(at), frame.len());
        let frame = frame[..length.min(192)].into();
        self.frames.push(RecordedFrame { link_end, to_node, time, length, frame });
        self.frames.len() - 1
    }

    fn sent(&mut self, at: u64, link_end: u32, frame: &[u8]) -> usize {
        self.record(at, link_end, false, frame)
    }

    fn received(&mut self, at: u64, link_end: u32, frame: &[u8]) -> usize {
        self.record(at, link_end, true, frame)
    }

    /// The wire has decided about a frame, and made others.
    fn decided(
        &mut self,
        at: u64,
        (link_end, direction): (u32, Direction),
        frame: &[u8],
        effects: &[(PacketEffect, u64)],
        new: &[(PacketEffect, Direction, &[u8])],
    ) {
        let first = self.verdicts.len() as u64;
        let mut push = |direction, frame: &[u8], affected, is_new| {
            self.verdicts.push(WireVerdict {
                number: self.verdicts.len() as u64,
                first,
                time: ms(at),
                link_end,
                direction,
                affected,
                is_new,
                length: frame.len(),
                frame: Cow::Owned(frame[..frame.len().min(80)].to_vec()),
            });
        };
        for (effect, delay) in effects {
            let delay = Duration::from_millis(*delay);
            push(direction, frame, Affected { effect: *effect, fault: Some(3), delay }, false);
        }
        for (effect, direction, frame) in new {
            push(*direction, frame, Affected::by(Some(3), *effect), true);
        }
    }

    fn matched(&self) -> Vec<MatchedFrame> {
        match_frames(&self.frames, &self.verdicts, &Networks::of(&self.networks))
    }

    fn sent_as(&self) -> Vec<Option<usize>> {
        self.matched().into_iter().map(|matched| matched.sent_as).collect()
    }

    /// The effects and delays, in milliseconds.
    fn fates(&self, index: usize) -> Vec<(String, Option<u64>)> {
        let fates = self.matched().swap_remove(index).fates;
        assert!(fates.iter().all(|fate| fate.fault == Some(3)), "{fates:?}");
        let delay = |fate: &Fate| fate.delay.map(|delay| delay / 1_000_000);
        fates.iter().map(|fate| (fate.effect.clone(), delay(fate))).collect()
    }
}

fn effect(name: &str) -> Vec<(String, Option<u64>)> {
    vec![(name.to_owned(), None)]
}

use Direction::{Egress, Ingress};
use PacketEffect::{Answered, Changed, Delayed, Dropped, Duplicated, Made};

#[test]
fn a_frame_is_received_with_its_checksums_complete() {
    let mut records = Records::new();
    let sent = records.sent(0, A, &tcp(1, 100, 5));
    let other = records.sent(1, A, &tcp(2, 105, 5));
    records.received(2, B, &completed(tcp(1, 100, 5)));
    records.received(3, B, &completed(tcp(2, 105, 5)));
    assert_eq!(records.sent_as(), [None, None, Some(sent), Some(other)]);
}

#[test]
fn equal_frames_are_paired_in_their_order() {
    let mut records = Records::new();
    for at in [0, 1] {
        records.sent(at, A, &udp(b"again"));
    }
    for at in [2, 3] {
        records.received(at, B, &udp(b"again"));
    }
    assert_eq!(records.sent_as(), [None, None, Some(0), Some(1)]);
}

#[test]
fn a_frame_that_was_lost_does_not_shift_the_others() {
    let mut records = Records::new();
    for at in [0, 1000, 2000] {
        records.sent(at, A, &udp(b"hello"));
        if at > 0 {
            records.received(at + 1, B, &udp(b"hello"));
        }
    }
    assert_eq!(records.sent_as(), [None, None, Some(1), None, Some(3)]);
}

#[test]
fn a_dropped_frame_has_its_fate_and_its_retransmission_arrives() {
    let mut records = Records::new();
    let lost = records.sent(0, A, &tcp(1, 100, 5));
    records.decided(0, (A, Egress), &completed(tcp(1, 100, 5)), &[(Dropped, 0)], &[]);
    let again = records.sent(200, A, &tcp(1, 100, 5));
    let arrived = records.received(201, B, &tcp(1, 100, 5));
    assert_eq!(records.fates(lost), effect("dropped"));
    assert_eq!(records.fates(again), []);
    assert_eq!(records.sent_as()[arrived], Some(again));
}

#[test]
fn of_equal_frames_that_come_at_once_the_one_that_was_not_dropped_is_received() {
    let mut records = Records::new();
    let passed = records.sent(0, A, &udp(b"hello"));
    let lost = records.sent(1, A, &udp(b"hello"));
    records.decided(1, (B, Ingress), &udp(b"hello"), &[(Dropped, 0)], &[]);
    let arrived = records.received(2, B, &udp(b"hello"));
    assert_eq!(records.fates(lost), effect("dropped"));
    assert_eq!(records.sent_as()[arrived], Some(passed));
}

#[test]
fn a_frame_may_be_delayed_beyond_its_retransmission() {
    let mut records = Records::new();
    let slow = records.sent(0, A, &udp(b"hello"));
    records.decided(0, (A, Egress), &udp(b"hello"), &[(Delayed, 200)], &[]);
    let fast = records.sent(100, A, &udp(b"hello"));
    let first = records.received(101, B, &udp(b"hello"));
    let second = records.received(201, B, &udp(b"hello"));
    let sent_as = records.sent_as();
    assert_eq!((sent_as[first], sent_as[second]), (Some(fast), Some(slow)));
    assert_eq!(records.fates(slow), [("delayed".to_owned(), Some(200))]);
    assert_eq!(records.fates(fast), []);
}

#[test]
fn both_copies_of_a_duplicated_frame_are_of_the_one_that_was_sent() {
    let mut records = Records::new();
    let sent = records.sent(0, A, &udp(b"hello"));
    records.decided(0, (B, Ingress), &udp(b"hello"), &[(Duplicated, 0)], &[]);
    for at in [1, 1] {
        records.received(at, B, &udp(b"hello"));
    }
    assert_eq!(records.sent_as(), [None, Some(sent), Some(sent)]);
    assert_eq!(records.fates(sent), effect("duplicated"));
}

#[test]
fn a_broadcast_is_received_by_all_but_the_one_for_which_it_was_dropped() {
    let mut records = Records::new();
    let sent = records.sent(0, A, &arp());
    records.decided(0, (C, Ingress), &arp(), &[(Dropped, 0)], &[]);
    let received = records.received(1, B, &arp());
    let again = records.sent(1000, A, &arp());
    let others = [B, C].map(|link_end| records.received(1001, link_end, &arp()));
    let sent_as = records.sent_as();
    assert_eq!(sent_as[received], Some(sent));
    assert!(others.iter().all(|other| sent_as[*other] == Some(again)));
    assert_eq!(records.fates(sent), effect("dropped"));
}

#[test]
fn a_superframe_is_received_in_segments_and_has_what_happened_to_them() {
    let mut records = Records::new();
    let sent = records.sent(0, A, &tcp(7, 1000, 3000));
    let next = records.sent(0, A, &tcp(9, 4000, 3000));
    records.decided(0, (B, Ingress), &tcp(7, 1000, 1460), &[(Delayed, 10)], &[]);
    records.decided(0, (B, Ingress), &tcp(8, 2460, 1460), &[(Delayed, 10)], &[]);
    records.decided(0, (B, Ingress), &tcp(9, 3920, 80), &[(Dropped, 0)], &[]);
    let first = records.received(10, B, &tcp(7, 1000, 1460));
    let second = records.received(10, B, &tcp(8, 2460, 1460));
    let third = records.received(12, B, &tcp(9, 4000, 1460));
    let foreign = records.received(12, B, &tcp(9, 3000, 1460)); // across both
    let sent_as = records.sent_as();
    assert_eq!([first, second, third].map(|it| sent_as[it]), [Some(sent), Some(sent), Some(next)]);
    assert_eq!(sent_as[foreign], None);
    let fates = [("delayed".to_owned(), Some(10)), ("dropped".to_owned(), None)];
    assert_eq!(records.fates(sent), fates);
    assert_eq!(records.fates(next), []);
}

#[test]
fn a_changed_frame_is_the_one_that_was_sent() {
    let mut records = Records::new();
    let (frame, mut changed) = (udp(b"hello"), udp(b"hello"));
    changed[44] ^= 4;
    let sent = records.sent(0, A, &frame);
    records.decided(0, (A, Egress), &frame, &[(Changed, 0)], &[(Changed, Egress, &changed)]);
    let received = records.received(0, B, &changed);
    assert_eq!(records.sent_as()[received], Some(sent));
    assert_eq!(records.fates(sent), effect("changed"));
    assert_eq!(records.fates(received), effect("changed"));
}

#[test]
fn a_frame_that_a_fault_made_was_sent_by_no_node() {
    let mut records = Records::new();
    let sent = records.sent(0, A, &tcp(1, 100, 5));
    let (answer, onward) = (tcp(0, 900, 0), tcp(0, 901, 0));
    let effects = [(Dropped, 0), (Answered, 0)];
    let new = [(Made, Ingress, answer.as_slice()), (Made, Egress, &onward)];
    records.decided(0, (A, Egress), &tcp(1, 100, 5), &effects, &new);
    let answered = records.received(0, A, &answer);
    let reset = records.received(0, B, &onward);
    assert_eq!(records.fates(sent), [effect("dropped"), effect("answered")].concat());
    for made in [answered, reset] {
        assert_eq!(records.fates(made), effect("made"));
        assert_eq!(records.sent_as()[made], None);
    }
}

#[test]
fn equal_frames_on_two_networks_are_not_mixed() {
    let mut records = Records::default();
    records.network(1, &[A, B]);
    records.network(2, &[C, 4]);
    let here = records.sent(0, A, &arp());
    let there = records.sent(1, C, &arp());
    let received = [B, 4].map(|link_end| records.received(2, link_end, &arp()));
    let sent_as = records.sent_as();
    assert_eq!(received.map(|it| sent_as[it]), [Some(here), Some(there)]);
}

#[test]
fn a_verdict_without_a_record_changes_nothing() {
    let mut records = Records::new();
    records.decided(0, (A, Egress), &udp(b"old"), &[(Dropped, 0)], &[]);
    records.sent(5, A, &udp(b"old"));
    let received = records.received(6, B, &udp(b"old"));
    assert_eq!(records.sent_as()[received], Some(0));
    assert_eq!(records.fates(0), []);
}

#[test]
fn twenty_thousand_equal_frames_are_matched_soon() {
    let mut records = Records::new();
    for at in 0..10_000 {
        records.sent(at, A, &udp(b"hello"));
        records.decided(at, (A, Egress), &udp(b"hello"), &[(Delayed, 50)], &[]);
        if at >= 50 {
            records.received(at, B, &udp(b"hello"));
        }
    }
    records.frames.sort_by_key(|recorded| recorded.time);
    let start = std::time::Instant::now();
    let matched = records.matched();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let received = records.frames.iter().zip(&matched).filter(|(recorded, _)| recorded.to_node);
    for (recorded, matched) in received {
        let sent = &records.frames[matched.sent_as.unwrap()];
        assert_eq!(recorded.time - sent.time, Duration::from_millis(50));
    }
}
