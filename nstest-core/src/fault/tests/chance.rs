//! Random decisions: their distributions, and that they follow from the seed.

use expect_test::expect;

use super::*;
use crate::fault::burst_loss::GilbertElliott;
use crate::fault::gauss::{ln, quantile};
use crate::fault::jitter::Jitter;
use crate::fault::percent::Percent;
use crate::fault::random::{Class, Draw, Stream, VERSION, normal, pareto, symmetric};

const MANY: usize = 100_000;

fn draws(draw: Draw) -> impl Iterator<Item = u64> {
    let mut stream = Stream::new(1, "server", Direction::Egress, Class::Payload);
    std::iter::repeat_with(move || stream.next().bits(draw)).take(MANY)
}

fn mean_and_variance(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n)
}

fn assert_near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value}, not {expected} ± {tolerance}");
}

/// Against SplitMix64 in its authors' C, with the seed 0.
#[test]
fn the_generator_is_splitmix64() {
    let mut stream = Stream::of_state(0);
    let first: Vec<u64> = {
        let draws = stream.next();
        [Draw::Loss, Draw::BurstState, Draw::BurstLoss].map(|draw| draws.bits(draw)).to_vec()
    };
    assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
}

/// Users rely on these numbers. A change needs a new version.
#[test]
fn random_numbers_are_the_same_in_every_release() {
    let mut text = format!("random v{VERSION}\n");
    for (seed, link, direction, class) in [
        (1, "server", Direction::Egress, Class::Payload),
        (1, "server", Direction::Ingress, Class::Payload),
        (1, "server", Direction::Egress, Class::Control),
        (1, "client", Direction::Egress, Class::Payload),
        (2, "server", Direction::Egress, Class::Payload),
    ] {
        let mut stream = Stream::new(seed, link, direction, class);
        let packets: Vec<_> = (0..3).map(|_| stream.next()).collect();
        let bits: Vec<_> =
            packets.iter().map(|draws| format!("{:016x}", draws.bits(Draw::Loss))).collect();
        text += &format!("{seed} {link} {direction} {class:?}: {}\n", bits.join(" "));
        let jitter = [Jitter::uniform(ms(10)), Jitter::normal(ms(10)), Jitter::pareto(ms(10))]
            .map(|jitter| format!("{:?}", jitter.vary(ms(100), packets[0].bits(Draw::Jitter))));
        text += &format!("  {}\n", jitter.join(" "));
    }
    expect![[r#"
        random v1
        1 server egress Payload: 97415d0664f83e3c 428c01b4269baf8d 365ea75c94960718
          101.59244ms 102.009266ms 100.787617ms
        1 server ingress Payload: ebd1fe290ae56137 a7be619b543e0d53 7b3cfe9c8f266260
          90.635336ms 81.445612ms 101.244248ms
        1 server egress Control: ced85e46749ce2ce ff035cef83a9ee43 beeee5092f28be74
          102.131136ms 102.70356ms 102.169264ms
        1 client egress Payload: 311292f57b15af6f 6c9a72ba34ec052a b0d1e639f54d6d60
          106.907761ms 110.16852ms 108.952941ms
        2 server egress Payload: 944ba3a2d6dc794b a369ef2e1211ae54 914247a6c2978e2d
          90.848694ms 82.768942ms 103.383029ms
    "#]]
    .assert_eq(&text);
}

/// The decisions about the first packets, as users see them.
#[test]
fn the_first_decisions_follow_from_the_seed() {
    let fates = |seed| {
        let mut bench = Bench::new(seed);
        bench.condition("delay 40ms jitter 5ms normal loss 20% duplicate 10% reorder 10%");
        let fate = |passed: &Passed| {
            let times: Vec<String> = passed.forward.iter().map(|t| format!("{t:?}")).collect();
            if times.is_empty() { "lost".to_owned() } else { times.join("+") }
        };
        (0..12).map(|_| fate(&bench.egress(&udp(10)))).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        0ns
        41.864233ms
        lost
        lost
        42.296999ms
        41.773782ms
        0ns
        35.516754ms
        44.285376ms
        40.503843ms
        47.0348ms
        41.025068ms"#]]
    .assert_eq(&fates(7));
    assert_eq!(fates(7), fates(7));
    assert_ne!(fates(7), fates(8));
}

#[test]
fn events_have_their_chance() {
    for value in [0.0, 0.1, 2.5, 20.0, 50.0, 99.0, 100.0] {
        let percent = Percent::new(value);
        let taken = draws(Draw::Loss).filter(|bits| percent.hits(*bits)).count() as f64;
        let part = value / 100.0;
        let deviation = (part * (1.0 - part) / MANY as f64).sqrt();
        assert_near(taken / MANY as f64, part, 4.0 * deviation);
    }
    assert!(Percent::ALL.hits(u64::MAX) && !Percent::ZERO.hits(0));
}

#[test]
fn distributions_have_their_means_and_variances() {
    let (mean, variance) = mean_and_variance(draws(Draw::Jitter).map(symmetric));
    assert_near(mean, 0.0, 0.01);
    assert_near(variance, 1.0 / 3.0, 0.005);
    let (mean, variance) = mean_and_variance(draws(Draw::Jitter).map(normal));
    assert_near(mean, 0.0, 0.012);
    assert_near(variance, 1.0, 0.02);
    // Lomax of shape 3 and scale 2: mean 1, variance 3, and half below 2 (2^(1/3) - 1).
    let (mean, variance) = mean_and_variance(draws(Draw::Jitter).map(pareto));
    assert_near(mean, 1.0, 0.025);
    assert!((2.0..4.0).contains(&variance), "{variance}");
    let below = draws(Draw::Jitter).map(pareto).filter(|x| *x < 0.519_842).count();
    assert_near(below as f64 / MANY as f64, 0.5, 0.007);
    assert!(draws(Draw::Jitter).map(pareto).all(|x| (0.0..=100.0).contains(&x)));
    assert_eq!((pareto(0), pareto(u64::MAX) < 1e-5), (100.0, true));
}

/// The delays that a pipeline gives to its packets, in milliseconds and ascending order.
fn delays(jitter: &str) -> Vec<f64> {
    let mut bench = Bench::new(1);
    bench.condition(&format!("delay 60ms jitter {jitter}"));
    let mut delay = || bench.egress(&udp(10)).forward[0].as_secs_f64() * 1e3;
    let mut delays: Vec<f64> = std::iter::repeat_with(&mut delay).take(10_000).collect();
    delays.sort_by(f64::total_cmp);
    delays
}

#[test]
fn the_delays_of_packets_have_the_distribution_of_their_jitter() {
    let moments = |delays: &[f64]| {
        let (mean, variance) = mean_and_variance(delays.iter().copied());
        (mean, variance.sqrt())
    };
    // Of 10,000 packets. From 50 to 70 ms, with a deviation of 20 / √12.
    let uniform = delays("10ms");
    let (mean, deviation) = moments(&uniform);
    assert_near(mean, 60.0, 0.2);
    assert_near(deviation, 20.0 / 12f64.sqrt(), 0.1);
    assert!(uniform[0] >= 50.0 && uniform[9_999] <= 70.0);
    for (index, expected) in [(1_000, 52.0), (5_000, 60.0), (9_000, 68.0)] {
        assert_near(uniform[index], expected, 0.4);
    }
    // Φ⁻¹: one deviation below, none, one above, two above.
    let normal = delays("10ms normal");
    let (mean, deviation) = moments(&normal);
    assert_near(mean, 60.0, 0.4);
    assert_near(deviation, 10.0, 0.3);
    for (index, expected) in [(1_587, 50.0), (5_000, 60.0), (8_413, 70.0), (9_772, 80.0)] {
        assert_near(normal[index], expected, 1.0);
    }
    // Lomax of shape 3 and scale 20: U^(-1/3) - 1 of it, with U the part that is above.
    let pareto = delays("10ms pareto");
    let (mean, _) = moments(&pareto);
    assert_near(mean, 70.0, 0.7);
    assert!(pareto[0] >= 60.0);
    for (index, above) in [(5_000, 0.5), (9_000, 0.1), (9_900, 0.01)] {
        let expected: f64 = 20.0 * (f64::powf(above, -1.0 / 3.0) - 1.0);
        assert_near(pareto[index], 60.0 + expected, 0.1 * expected);
    }
}

/// Against values of a table of the normal distribution.
#[test]
fn quantiles_are_those_of_the_normal_distribution() {
    for (p, x) in [
        (0.5, 0.0),
        (0.841_344_746_068_543, 1.0),
        (0.975, 1.959_963_984_540_054),
        (0.99, 2.326_347_874_040_841),
        (0.001, -3.090_232_306_167_813_5),
        (1e-9, -5.997_807_015_007_6),
    ] {
        assert_near(quantile(p), x, 1e-8);
    }
    for x in [1e-300, 0.001, 0.5, 0.999_999, 1.0, 1.5, 2.0, 1e10] {
        assert_near(ln(x), x.ln(), 1e-13 * x.ln().abs().max(1.0));
    }
    assert!(normal(0) < -8.0 && normal(u64::MAX) > 8.0);
}

#[test]
fn bursts_have_their_length_and_frequency() {
    let bursts = GilbertElliott::new(Percent::new(1.0), Percent::new(20.0));
    let mut stream = Stream::new(3, "server", Direction::Egress, Class::Payload);
    let (mut is_bad, mut lost, mut runs) = (false, 0, 0);
    for _ in 0..MANY {
        let draws = stream.next();
        let was_bad = is_bad;
        is_bad = bursts.step(is_bad, draws.bits(Draw::BurstState));
        lost += usize::from(bursts.loses(is_bad, draws.bits(Draw::BurstLoss)));
        runs += usize::from(is_bad && !was_bad);
    }
    // The stationary distribution: enter / (enter + leave), in runs of 1 / leave.
    assert_near(lost as f64 / MANY as f64, 1.0 / 21.0, 0.005);
    assert_near(lost as f64 / runs as f64, 5.0, 0.4);
}

#[test]
fn each_state_has_its_own_loss() {
    let bursts = GilbertElliott::new(Percent::ALL, Percent::ZERO).loss_in_bad(Percent::ZERO);
    assert!(bursts.step(false, u64::MAX) && bursts.step(true, 0));
    assert!(!bursts.loses(true, 0));
    assert!(bursts.loss_in_good(Percent::ALL).loses(false, u64::MAX));
}

/// Streams that differ in one part of their seed are independent.
#[test]
fn streams_are_independent() {
    let one = draws(Draw::Loss);
    let mut other = Stream::new(1, "server", Direction::Ingress, Class::Payload);
    let equal_bits: u32 =
        one.map(|bits| (!(bits ^ other.next().bits(Draw::Loss))).count_ones()).sum();
    assert_near(f64::from(equal_bits) / (64.0 * MANY as f64), 0.5, 0.001);
}
