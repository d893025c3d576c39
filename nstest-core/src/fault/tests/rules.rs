//! What rules do to packets.

use std::sync::{Arc, Mutex};

use super::*;
use crate::addr::MacAddr;
use crate::fault::action::Action;
use crate::fault::occurrence::Occurrence;
use crate::fault::packets::Packets;
use crate::fault::partition::Partition;
use crate::fault::rule::{RemoteAddrs, RuleAction};
use crate::frame::view::{PacketView, TransportHeader, flag};

/// The numbers, from 1, of those that are lost of ten datagrams.
fn lost_of_ten(fault: &str) -> Vec<usize> {
    let mut bench = Bench::new(1);
    bench.fault(fault);
    (1..=10).filter(|_| bench.egress(&udp(10)).is_lost()).collect()
}

#[test]
fn occurrences() {
    assert_eq!(lost_of_ten("server udp nth 3: drop"), [3]);
    assert_eq!(lost_of_ten("server udp every-nth 3: drop"), [3, 6, 9]);
    assert_eq!(lost_of_ten("server udp first 3: drop"), [1, 2, 3]);
    assert_eq!(lost_of_ten("server udp after 7: drop"), [8, 9, 10]);
    assert_eq!(lost_of_ten("server udp: drop").len(), 10);
    assert_eq!(lost_of_ten("server tcp: drop").len(), 0);
    assert_eq!(lost_of_ten("server ingress udp: drop").len(), 0);
    assert_eq!(Occurrence::default(), Occurrence::Every);
}

#[test]
fn packets_match_by_their_headers() {
    let data = tcp(false, 40000, 1, 1, flag::ACK | flag::PSH, 5);
    let view = PacketView::parse(&data);
    for (text, takes) in [
        ("", true),
        ("tcp", true),
        ("udp", false),
        ("ip4", true),
        ("ip6", false),
        ("icmp", false),
        ("arp", false),
        ("control", false),
        ("port 7000", true),
        ("port 40000", true),
        ("dport 7000", true),
        ("sport 7000", false),
        ("sport 40000 dport 7000", true),
        ("from 10.0.2.1", true),
        ("to 10.0.2.1", false),
        ("host 10.0.2.2", true),
        ("from 10.0.2.0/24", true),
        ("from fd00::/8", false),
        ("from 02:6e:73:00:01:00", true),
        ("to 02:6e:73:00:01:00", false),
        ("data", true),
        ("syn", false),
        ("flags ack,!syn", true),
        ("flags ack,psh,!syn", true),
        ("flags fin", false),
        ("flags !ack", false),
    ] {
        let packets: Packets = text.parse().unwrap();
        assert_eq!(packets.matches(&view, view.ports(), view.control()), takes, "{text}");
    }
    let arp = arp();
    let view = PacketView::parse(&arp);
    for (text, takes) in [("", false), ("arp", true), ("control", true), ("kind control", true)] {
        let packets: Packets = text.parse().unwrap();
        assert_eq!(packets.matches(&view, view.ports(), view.control()), takes, "{text}");
    }
    let packets: Packets = "arp from 10.0.2.1".parse().unwrap();
    assert!(packets.matches(&view, view.ports(), view.control()));
}

/// ARP is never counted, and only what lets nothing pass stops it.
#[test]
fn control_traffic_is_not_affected() {
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server nth 2: drop");
    assert!(bench.egress(&arp()).is_whole() && bench.egress(&udp(1)).is_whole());
    assert!(bench.egress(&arp()).is_whole() && bench.egress(&udp(1)).is_lost());
    assert_eq!(receipt.affected(), 1);
    let wall = bench.fault("server: drop");
    assert!(bench.egress(&arp()).is_lost());
    assert_eq!(wall.affected(), 1);
}

#[test]
fn each_rule_counts_the_packets_that_reach_it() {
    let mut bench = Bench::new(1);
    let first = bench.fault("server udp nth 1: drop");
    let second = bench.fault("server udp nth 1: delay 5ms");
    assert!(bench.egress(&udp(1)).is_lost());
    assert_eq!(bench.egress(&udp(1)).forward, [ms(5)]);
    assert!(bench.egress(&udp(1)).is_whole());
    assert_eq!((first.affected(), second.affected()), (1, 1));
    let third = bench.fault("server tcp: drop optional");
    let fourth = bench.fault("server tcp: drop");
    assert!(!first.is_optional() && third.is_optional() && !fourth.is_optional());
    assert_eq!(fourth.affected(), 0);
}

#[test]
fn a_removed_rule_has_no_effect() {
    let mut bench = Bench::new(1);
    let fault: Fault = "server: drop".parse().unwrap();
    let id = bench.add(fault.rule(0, fault.receipt()).unwrap());
    assert!(bench.egress(&udp(1)).is_lost());
    assert!(bench.pipeline.remove(id) && !bench.pipeline.remove(id));
    assert!(bench.egress(&udp(1)).is_whole());
}

#[test]
fn a_rule_duplicates_delays_and_corrupts() {
    let mut bench = Bench::new(1);
    bench.fault("server udp: duplicate 2");
    bench.fault("server udp: delay 5ms");
    assert_eq!(bench.egress(&udp(1)).forward, [ms(5); 3]);
    bench.condition("delay 40ms");
    assert_eq!(bench.egress(&udp(1)).forward, [ms(45); 3]);
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server udp nth 1: corrupt");
    let passed = bench.egress(&udp(9));
    assert_eq!((passed.forward.len(), passed.emitted.len()), (0, 1));
    assert_ne!(passed.emitted[0].2, udp(9));
    assert_eq!(receipt.affected(), 1);
}

#[test]
fn a_rejected_packet_is_answered_to_its_sender() {
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server ingress udp port 7000: reject admin-prohibited");
    let passed = bench.ingress(&udp(9));
    let [(at, direction, frame)] = &passed.emitted[..] else { panic!("{passed:?}") };
    assert_eq!((*at, *direction), (ms(0), Direction::Egress));
    let view = PacketView::parse(frame);
    assert!(matches!(view.transport, TransportHeader::Icmp { version: 4, kind: 3, code: 13, .. }));
    assert_eq!(view.addresses().unwrap().1.to_string(), "10.0.2.1");
    assert!(passed.forward.is_empty());
    assert_eq!(receipt.affected(), 1);
}

#[test]
fn an_mtu_black_hole_lets_short_packets_pass() {
    let mut bench = Bench::new(1);
    let silent = bench.fault("server: mtu 1280");
    assert!(bench.egress(&udp(1252)).is_whole());
    assert!(bench.egress(&udp(1253)).is_lost());
    // A router would cut it into fragments.
    let mut may_be_cut = udp(1253);
    may_be_cut[20] = 0;
    assert!(bench.egress(&may_be_cut).is_whole());
    assert_eq!(silent.affected(), 1);
    let mut bench = Bench::new(1);
    bench.fault("server: mtu 1280 notify");
    let passed = bench.egress(&udp(1400));
    let [(_, Direction::Ingress, frame)] = &passed.emitted[..] else { panic!("{passed:?}") };
    assert_eq!(
        PacketView::parse(frame).to_string(),
        "ICMP 10.0.2.2 > 10.0.2.1 fragmentation needed"
    );
}

#[test]
fn a_blackhole_drops_one_direction_from_then_on() {
    let mut bench = Bench::new(1);
    let fault: Fault = "server egress udp nth 2: blackhole".parse().unwrap();
    let receipt = fault.receipt();
    let id = bench.add(fault.rule(0, receipt.clone()).unwrap());
    assert!(bench.egress(&udp(1)).is_whole());
    assert!(bench.egress(&udp(1)).is_lost() && bench.egress(&udp(1)).is_lost());
    assert!(bench.egress(&tcp(false, 1, 1, 1, flag::ACK, 1)).is_lost());
    assert!(bench.ingress(&udp(1)).is_whole() && bench.egress(&arp()).is_whole());
    assert_eq!(receipt.affected(), 3);
    bench.pipeline.remove(id);
    assert!(bench.egress(&udp(1)).is_whole());
}

#[test]
fn a_cut_drops_both_directions_and_control_traffic() {
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server egress udp nth 2: cut");
    assert!(bench.egress(&udp(1)).is_whole() && bench.egress(&udp(1)).is_lost());
    assert!(bench.ingress(&udp(1)).is_lost() && bench.ingress(&arp()).is_lost());
    assert_eq!(receipt.affected(), 3);
}

#[test]
fn the_listener_is_notified() {
    let mut bench = Bench::new(1);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (into, start) = (heard.clone(), bench.start);
    bench.pipeline.set_listener(Some(Box::new(move |number, at| {
        into.lock().unwrap().push((number, at.duration_since(start)));
    })));
    let (fault, receipt) = ("server udp nth 2: down".parse::<Fault>().unwrap(), Receipt::new(""));
    assert!(fault.is_triggered());
    bench.pipeline.add(fault.trigger(7, receipt.clone()), Default::default());
    for n in 0..4 {
        bench.pass(Direction::Egress, &udp(1), ms(n));
    }
    assert_eq!(*heard.lock().unwrap(), [(7, ms(1))]);
    assert_eq!(receipt.affected(), 1);
}

#[test]
fn a_partition_matches_mac_and_ip_addresses() {
    let partition = Partition::new([vec!["server"], vec!["client", "third"]]).unwrap();
    assert_eq!(Vec::from_iter(partition.cut_off_from("server")), ["client", "third"]);
    let others = RemoteAddrs {
        macs: [MacAddr::of_interface(1, 0)].into(),
        ips: ["10.0.2.1".parse().unwrap()].into(),
    };
    let mut bench = Bench::new(1);
    let receipt = Receipt::new(partition.to_string());
    for direction in Direction::BOTH {
        bench.add(Rule::partition(direction, others.clone(), receipt.clone()));
    }
    assert!(!bench.pipeline.needs_segments());
    assert!(bench.ingress(&udp(1)).is_lost() && bench.ingress(&arp()).is_lost());
    let mut multicast = udp(1);
    multicast[..6].copy_from_slice(&[1, 0, 0x5e, 0, 0, 1]);
    assert!(bench.ingress(&multicast).is_lost());
    let answer = tcp(true, 40000, 1, 1, flag::ACK, 1);
    assert!(bench.egress(&answer).is_lost());
    // Behind a router it is its MAC, and still the address of the client.
    let mut routed = udp(1);
    routed[10] = 9;
    assert!(bench.ingress(&routed).is_lost());
    routed[29] = 9;
    assert!(bench.ingress(&routed).is_whole());
    assert_eq!(receipt.affected(), 5);
}

#[test]
fn a_node_in_two_groups_reaches_both() {
    let ring = Partition::new([["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"]]).unwrap();
    assert!(ring.lets("a", "b") && ring.lets("a", "d") && !ring.lets("b", "d"));
    assert!(ring.lets("a", "elsewhere") && ring.lets("elsewhere", "a"));
    let one_way = Partition::one_way(["a"], ["b"]).unwrap();
    assert_eq!(one_way.out_of_reach_of("a").len() + one_way.cut_off_from("b").len(), 2);
    assert!(one_way.out_of_reach_of("b").is_empty() && one_way.cut_off_from("a").is_empty());
}

#[test]
fn who_needs_segments() {
    for (fault, needs) in [
        ("server: drop", false),
        ("server tcp port 80: drop", false),
        ("server from 10.0.2.1: delay 5ms", false),
        ("server tcp nth 2: drop", true),
        ("server tcp data: drop", true),
        ("server tcp flags psh: drop", true),
        ("server tcp: reset", true),
        ("server: mtu 1280", true),
        ("server: corrupt", true),
        ("server: cut", true),
    ] {
        let mut bench = Bench::new(1);
        bench.fault(fault);
        assert_eq!(bench.pipeline.needs_segments(), needs, "{fault}");
    }
    let action = Action::Drop;
    let counted = Rule::new(Packets::all(), RuleAction::Action(action), Receipt::new(""));
    assert!(!counted.is_per_packet());
}

/// What a link is like right after a packet.
#[test]
fn a_link_is_cut_after_a_packet() {
    for (action, back) in [("cut", false), ("blackhole", true)] {
        let mut bench = Bench::new(1);
        let receipt = bench.fault(&format!("server ingress udp nth 2: then {action}"));
        assert!(bench.ingress(&udp(1)).is_whole());
        assert!(bench.ingress(&udp(2)).is_whole(), "{action}");
        assert_eq!(receipt.affected(), 1, "it is there, though nothing was lost yet");
        assert!(bench.ingress(&udp(3)).is_lost(), "{action}");
        assert_eq!(bench.egress(&udp(4)).is_whole(), back, "{action}");
    }
}
