//! What a condition does to a sequence of packets.

use super::*;
use crate::fault::condition::Condition;
use crate::frame::view::PacketView;

fn lost_of(bench: &mut Bench, packets: usize) -> usize {
    (0..packets).filter(|_| bench.egress(&udp(10)).is_lost()).count()
}

#[test]
fn without_faults_frames_pass_unchanged() {
    let mut bench = Bench::new(1);
    assert!(!bench.pipeline.needs_segments());
    assert!(bench.egress(&udp(10)).is_whole() && bench.ingress(&[1, 2, 3]).is_whole());
    let receipt = bench.condition("perfect");
    assert!(bench.egress(&udp(10)).is_whole());
    assert_eq!(receipt.affected(), 0);
}

#[test]
fn a_chance_of_0_never_happens_and_100_always() {
    let mut bench = Bench::new(1);
    let receipt = bench.condition("loss 100%");
    assert!(!bench.pipeline.needs_segments());
    assert_eq!(lost_of(&mut bench, 1000), 1000);
    assert_eq!(receipt.affected(), 1000);
    let receipt = bench.condition("rate 0bit");
    assert_eq!((lost_of(&mut bench, 1000), receipt.affected()), (1000, 1000));
    bench.condition("loss 0%");
    assert_eq!(lost_of(&mut bench, 1000), 0);
}

#[test]
fn a_receipt_counts_lost_packets() {
    let mut bench = Bench::new(1);
    let receipt = bench.condition("loss 20%");
    let lost = lost_of(&mut bench, 10_000);
    assert_eq!(receipt.affected(), lost as u64);
    assert!((1840..2160).contains(&lost), "{lost}");
}

#[test]
fn each_direction_has_its_own_condition() {
    let mut bench = Bench::new(1);
    let receipt = Receipt::new("server egress: condition delay 40ms");
    let condition = Condition::new().delay(ms(40));
    bench.pipeline.set_condition(Direction::Egress, Some((condition, receipt.clone())));
    assert_eq!(bench.egress(&udp(10)).forward, [ms(40)]);
    assert!(bench.ingress(&udp(10)).is_whole());
    assert_eq!(receipt.affected(), 1);
    bench.pipeline.set_condition(Direction::Egress, None);
    assert!(bench.egress(&udp(10)).is_whole());
}

/// At 1 Mbit/s 1000 bytes take 8 ms, one frame after the other.
#[test]
fn a_rate_is_kept() {
    let mut bench = Bench::new(1);
    let receipt = bench.condition("delay 5ms rate 1mbit");
    let frame = udp(1000 - 42);
    assert_eq!(frame.len(), 1000);
    for nth in 1..=10 {
        assert_eq!(bench.egress(&frame).forward, [ms(5 + 8 * nth)]);
    }
    // The link has been idle since 80 ms.
    assert_eq!(bench.pass(Direction::Egress, &frame, ms(100)).forward, [ms(13)]);
    assert_eq!(bench.ingress(&frame).forward, [ms(13)]);
    assert_eq!(receipt.affected(), 11);
}

#[test]
fn a_full_queue_drops_new_packets() {
    let mut bench = Bench::new(1);
    let receipt = bench.condition("rate 1mbit queue-limit 3");
    let frame = udp(1000 - 42);
    let passed: Vec<bool> = (0..5).map(|_| !bench.egress(&frame).is_lost()).collect();
    assert_eq!(passed, [true, true, true, false, false]);
    assert_eq!(receipt.affected(), 5);
    // After 8 ms one has gone, and there is room for one.
    assert_eq!(bench.pass(Direction::Egress, &frame, ms(8)).forward, [ms(24)]);
    assert!(bench.pass(Direction::Egress, &frame, ms(8)).is_lost());
}

#[test]
fn the_default_queue_limit_is_1000() {
    let mut bench = Bench::new(1);
    bench.condition("rate 1kbit");
    assert_eq!(lost_of(&mut bench, 1005), 5);
}

#[test]
fn a_duplicated_packet_arrives_twice() {
    let mut bench = Bench::new(1);
    let receipt = bench.condition("delay 10ms duplicate 100%");
    assert_eq!(bench.egress(&udp(10)).forward, [ms(10), ms(10)]);
    assert_eq!(receipt.affected(), 1);
}

#[test]
fn corruption_inverts_one_bit_of_the_packet() {
    let mut bench = Bench::new(1);
    bench.condition("delay 10ms duplicate 100% corrupt 100%");
    let frame = udp(10);
    let passed = bench.egress(&frame);
    assert_eq!(passed.forward, [ms(10)]);
    let [(at, direction, copy)] = &passed.emitted[..] else { panic!("{passed:?}") };
    assert_eq!((*at, *direction), (ms(10), Direction::Egress));
    let flipped: u32 = copy.iter().zip(&frame).map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(flipped, 1);
    assert_eq!(PacketView::parse(copy).ip, PacketView::parse(&frame).ip);
}

#[test]
fn a_reordered_packet_has_no_delay() {
    let mut bench = Bench::new(1);
    bench.condition("delay 10ms reorder 25%");
    let times: Vec<Duration> = (0..10_000).flat_map(|_| bench.egress(&udp(10)).forward).collect();
    let early = times.iter().filter(|time| time.is_zero()).count();
    assert!((2325..2675).contains(&early), "{early}");
    assert_eq!(times.iter().filter(|time| **time == ms(10)).count(), 10_000 - early);
}

#[test]
fn jitter_stays_within_its_bounds() {
    let mut bench = Bench::new(1);
    bench.condition("delay 40ms jitter 10ms");
    let mut sum = Duration::ZERO;
    for _ in 0..10_000 {
        let [time] = bench.egress(&udp(10)).forward[..] else { panic!() };
        assert!((ms(30)..=ms(50)).contains(&time), "{time:?}");
        sum += time;
    }
    let mean = sum / 10_000;
    assert!(mean.abs_diff(ms(40)) < Duration::from_micros(250), "{mean:?}");
    // A delay is never below nothing.
    bench.condition("delay 1ms jitter 5ms normal");
    assert!((0..1000).all(|_| bench.egress(&udp(10)).forward.len() == 1));
}

/// The fate of a packet follows from its number in its own direction: neither the
/// other direction, nor control, nor another knob moves it.
#[test]
fn one_parameter_does_not_change_decisions_of_another() {
    let fates = |text: &str, disturb: bool| {
        let mut bench = Bench::new(5);
        bench.condition(text);
        let fate = |passed: &Passed| passed.is_lost();
        let each = |_| {
            if disturb {
                bench.ingress(&udp(10));
                bench.egress(&arp());
            }
            fate(&bench.egress(&udp(10)))
        };
        (0..2000).map(each).collect::<Vec<bool>>()
    };
    let plain = fates("loss 20%", false);
    assert_eq!(plain, fates("loss 20%", true));
    assert_eq!(
        plain,
        fates("delay 1ms jitter 1ms pareto loss 20% duplicate 50% reorder 9% corrupt 3%", true)
    );
    // Of those lost at 20 %, at 30 % all are lost as well.
    let more = fates("loss 30%", false);
    assert!(plain.iter().zip(&more).all(|(less, more)| !less || *more));
}

#[test]
fn decisions_do_not_depend_on_the_time() {
    let fates = |pace: u64| {
        let mut bench = Bench::new(5);
        bench.condition("loss 10% duplicate 10%");
        let pass = |n| bench.pass(Direction::Egress, &udp(10), ms(n * pace)).forward.len();
        (0..1000).map(pass).collect::<Vec<_>>()
    };
    assert_eq!(fates(0), fates(17));
}

#[test]
fn who_needs_segments() {
    for (text, needs) in [
        ("perfect", false),
        ("delay 40ms", false),
        ("rate 10mbit", true),
        ("delay 40ms rate 10mbit", true),
        ("loss 1%", true),
        ("burst-loss 1% 20%", true),
        ("duplicate 100%", true),
        ("corrupt 1%", true),
        ("delay 1ms jitter 1ms", true),
        ("delay 1ms reorder 1%", true),
        ("rate 1mbit queue-limit 9", true),
    ] {
        let mut bench = Bench::new(1);
        bench.condition(text);
        assert_eq!(bench.pipeline.needs_segments(), needs, "{text}");
    }
}

/// Group membership of IGMP.
fn igmp() -> Vec<u8> {
    let mut igmp = ipv4(CLIENT, [224, 0, 0, 22], 2, &[0x22, 0, 0, 0, 0, 0, 0, 0]);
    igmp[0] = 1;
    igmp
}

#[test]
fn unsolicited_control_traffic_is_not_counted() {
    let mut bench = Bench::new(1);
    let receipt = bench.fault("server: drop");
    assert!(bench.egress(&igmp()).is_lost());
    assert_eq!(receipt.affected(), 0);
    assert!(bench.egress(&arp()).is_lost());
    assert_eq!(receipt.affected(), 1);
}

#[test]
fn conditions_do_not_affect_control_traffic() {
    for text in [
        "loss 100%",
        "rate 0bit",
        "delay 1600ms jitter 100ms",
        "duplicate 100% corrupt 100%",
        "burst-loss 100% 0.0001%",
        "rate 1kbit queue-limit 1",
    ] {
        let mut bench = Bench::new(1);
        let receipt = bench.condition(text);
        bench.egress(&udp(1000));
        for _ in 0..10 {
            assert!(bench.egress(&arp()).is_whole() && bench.egress(&igmp()).is_whole(), "{text}");
        }
        assert_eq!(receipt.affected(), 1, "{text}");
    }
    // A rule for it delays it, and only it.
    let mut bench = Bench::new(1);
    bench.condition("delay 40ms");
    bench.fault("server control: delay 7ms");
    assert_eq!(bench.egress(&arp()).forward, [ms(7)]);
    assert_eq!(bench.egress(&udp(1)).forward, [ms(40)]);
}

/// A packet that a rule delays has left the queue before.
#[test]
fn a_delayed_packet_does_not_delay_others() {
    let mut bench = Bench::new(1);
    bench.condition("rate 1mbit");
    bench.fault("server egress udp nth 1: delay 500ms");
    let frame = udp(1000 - 42);
    for time in [ms(508), ms(16), ms(24)] {
        assert_eq!(bench.egress(&frame).forward, [time]);
    }
}

#[test]
fn which_neighbour_discovery_is_needed() {
    let arp = |text: &str| {
        let mut bench = Bench::new(1);
        bench.condition("loss 10%");
        bench.fault(text);
        bench.pipeline.discovery()
    };
    for all in ["", "ingress", "arp", "control", "kind control"] {
        assert_eq!(arp(&format!("server {all}: drop")), Discovery::All, "{all}");
    }
    for text in ["server tcp nth 3: cut", "server udp: then cut", "server arp nth 2: duplicate"] {
        assert_eq!(arp(text), Discovery::All, "{text}");
    }
    for text in ["server udp: drop", "server tcp nth 3: blackhole", "server: delay 1ms"] {
        assert_eq!(arp(text), Discovery::NONE, "{text}");
    }
}

#[test]
fn a_new_chain_starts_in_its_good_state() {
    let mut bench = Bench::new(1);
    bench.condition("burst-loss 100% 0.0001%");
    assert!(bench.egress(&udp(1)).is_lost());
    bench.condition("burst-loss 0.0001% 50%");
    assert!(!bench.egress(&udp(1)).is_lost());
}
