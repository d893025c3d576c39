//! What faults do to packets is in the record, which the parent has.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use super::{Pair, network, pair, round_trip};
use crate::addr::MacAddr;
use crate::evidence::matching::{Networks, match_frames};
use crate::evidence::packets::{TracedPacket, trace};
use crate::evidence::timeline::{Fate, TimelineEvent};
use crate::fault::{Action, Condition, Packets, Percent};
use crate::frame::view::PacketView;
use crate::recorder::{self, Recorder, RecorderOutput};
use crate::testing::isolated;

/// Makes this process one that records, as the body of a test.
fn recorded() -> Recorder {
    let (receiver, end) = recorder::channel().unwrap();
    recorder::serve(end);
    Recorder::of(receiver)
}

fn packets(recorded: &mut RecorderOutput) -> Vec<TracedPacket> {
    let networks = Networks::of(&recorded.entries);
    let matched = match_frames(&recorded.frames, &recorded.verdicts, &networks);
    trace(std::mem::take(&mut recorded.frames), matched)
}

/// The packets that a test is about: IPv4, which is not the kernel's own.
fn of_test(packets: &[TracedPacket]) -> Vec<&TracedPacket> {
    let is_ours = |packet: &&TracedPacket| {
        let view = PacketView::parse(&packet.frame);
        view.ip.as_ref().is_some_and(|ip| ip.src.is_ipv4()) && view.ports().is_some()
    };
    packets.iter().filter(is_ours).collect()
}

fn fate(effect: &str, fault: u32, delay: Option<Duration>) -> Fate {
    let delay = delay.map(|delay| delay.as_nanos() as u64);
    Fate { effect: effect.to_owned(), fault: Some(fault), delay }
}

#[test]
fn each_datagram_has_what_was_done_to_it() {
    isolated(|| {
        let mut recorder = recorded();
        let Pair { net, local, ends, .. } = pair();
        let delay = Duration::from_millis(20);
        let slow = local.link().egress().condition(Condition::new().delay(delay)).unwrap();
        let third = local.link().fault().unwrap().packets(Packets::udp()).nth(3);
        let lost = net.inject(third.action(Action::Drop)).unwrap();
        round_trip(&ends); // the first and the second
        ends.0.send(b"third").unwrap();
        round_trip(&ends);
        let twice = local.link().ingress().condition(Condition::new().duplicate(Percent::ALL));
        twice.unwrap();
        round_trip(&ends);
        ends.0.recv(&mut [0; 16]).unwrap(); // the copy
        drop((slow, lost, net));
        let mut recorded = recorder.finish();
        assert_eq!(recorded.overwritten, 0);
        let packets = packets(&mut recorded);
        let packets = of_test(&packets);
        let sent: Vec<_> = packets.iter().filter(|packet| !packet.received).collect();
        let fates: Vec<_> = sent.iter().map(|packet| packet.fates.as_slice()).collect();
        let (slow, lost, twice) = (
            [fate("delayed", 0, Some(delay))],
            [fate("dropped", 1, None)],
            [fate("duplicated", 2, None)],
        );
        let none: &[Fate] = &[];
        assert_eq!(fates, [none, none, &slow, none, &lost, &slow, none, &slow, &twice]);
        for packet in sent {
            let received = packets.iter().filter(|it| it.sent_as == Some(packet.number));
            let expected = match packet.fates.as_slice() {
                [fate] if fate.effect == "dropped" => 0,
                [fate] if fate.effect == "duplicated" => 2,
                _ => 1,
            };
            let received: Vec<_> = received.collect();
            assert_eq!(received.len(), expected, "{packet:?}");
            if packet.fates == slow {
                let took = received[0].time - packet.time;
                assert!(took >= delay && took < 100 * delay, "{took:?}");
            }
        }
        // Every packet that was received has been sent.
        assert!(packets.iter().all(|packet| packet.received == packet.sent_as.is_some()));
        let injected: Vec<_> = recorded
            .entries
            .iter()
            .filter_map(|entry| match &entry.event {
                TimelineEvent::FaultInjected { fault, text, place } => {
                    assert!(place.contains("fates.rs:"), "{place}");
                    Some((*fault, text.as_str()))
                }
                _ => None,
            })
            .collect();
        let texts = [
            (0, "test egress: condition delay 20ms"),
            (1, "test udp nth 3: drop"),
            (2, "test ingress: condition duplicate 100%"),
        ];
        assert_eq!(injected, texts);
    });
}

#[test]
fn a_connection_that_is_reset_has_packets_that_the_fault_made() {
    isolated(|| {
        let mut recorder = recorded();
        let net = network(&["server", "client"]);
        let (server, client) = (net.node("server").unwrap(), net.node("client").unwrap());
        let listener = server.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 7000)).unwrap());
        let to = (server.ip(), 7000);
        let mut near = client.run(|| TcpStream::connect(to).unwrap());
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(&vec![7; 300_000]).unwrap();
        far.read_exact(&mut vec![0; 300_000]).unwrap();
        server.link().reset(Packets::tcp().port(7000)).unwrap();
        near.write_all(b"more").unwrap();
        near.read(&mut [0]).unwrap_err();
        far.read(&mut [0]).unwrap_err();
        drop(net);
        let mut recorded = recorder.finish();
        let packets = packets(&mut recorded);
        let packets = of_test(&packets);
        let made = |packet: &&&TracedPacket| packet.fates == [fate("made", 0, None)];
        let ends: Vec<u32> = packets.iter().filter(made).map(|packet| packet.link_end).collect();
        assert_eq!(ends.len(), 2);
        assert_ne!(ends[0], ends[1]);
        let reset = [fate("dropped", 0, None), fate("answered", 0, None)];
        assert!(packets.iter().any(|packet| !packet.received && packet.fates == reset));
        for packet in &packets {
            let is_known = packet.sent_as.is_some() || made(&packet);
            assert!(!packet.received || is_known, "{packet:?}");
        }
        let macs = recorded.entries.iter().filter_map(|entry| match &entry.event {
            TimelineEvent::InterfaceAdded { mac, .. } => mac.parse::<MacAddr>().ok(),
            _ => None,
        });
        assert_eq!(macs.count(), 3);
    });
}
