//! The cost of setting up networks, as ratios: `cargo test --release -p nstest-core -- --ignored
//! --nocapture set_up`.

use std::time::{Duration, Instant};

use super::networks::{Join, TestNode, direct_pair, exchange_all, lan};
use crate::netns::Namespace;
use crate::testing::isolated;

const ROUNDS: usize = 24;

type Build = fn() -> Vec<TestNode>;

#[test]
#[ignore = "measures"]
fn set_up() {
    isolated(|| {
        namespaces();
        let pair: [(&str, usize, Build); 2] = [
            ("pair, direct veth", 2, || direct_pair().unwrap()),
            ("pair, fabric", 2, || lan(2, Join::Hub).unwrap()),
        ];
        compare(&pair);
        compare(&[
            ("3, bridge", 3, || lan(3, Join::Bridge).unwrap()),
            ("3, hub", 3, || lan(3, Join::Hub).unwrap()),
        ]);
        compare(&[
            ("5, bridge", 5, || lan(5, Join::Bridge).unwrap()),
            ("5, hub", 5, || lan(5, Join::Hub).unwrap()),
        ]);
        compare(&[
            ("10, bridge", 10, || lan(10, Join::Bridge).unwrap()),
            ("10, hub", 10, || lan(10, Join::Hub).unwrap()),
        ]);
        compare(&[
            ("20, bridge", 20, || lan(20, Join::Bridge).unwrap()),
            ("20, hub", 20, || lan(20, Join::Hub).unwrap()),
        ]);
    });
}

/// Measures the time until the first exchange, with IPv4 and IPv6. The networks are built in
/// turns, and kept until all are built, so that the times contain no teardown.
fn compare(networks: &[(&str, usize, Build)]) {
    let mut kept = settle();
    let mut times = vec![Vec::new(); networks.len()];
    for _ in 0..ROUNDS {
        for ((_, nodes, build), times) in networks.iter().zip(&mut times) {
            let start = Instant::now();
            let network = build();
            let built = start.elapsed();
            exchange_all(&network[..2.min(*nodes)]);
            times.push((start.elapsed(), built));
            kept.push(network);
        }
    }
    let mut floor = None;
    for ((name, ..), times) in networks.iter().zip(&mut times) {
        times.sort_unstable();
        let (median, built) = times[ROUNDS / 2];
        let (quick, _) = times[ROUNDS / 10];
        let floor = *floor.get_or_insert((median, quick));
        println!(
            "{name:20} {:6.2} ms ({:6.2} built)  × {:.2}   p10 {:6.2} ms  × {:.2}",
            ms(median),
            ms(built),
            median.as_secs_f64() / floor.0.as_secs_f64(),
            ms(quick),
            quick.as_secs_f64() / floor.1.as_secs_f64()
        );
    }
}

/// Waits until the kernel has removed the earlier networks: until building a pair takes as long
/// as on an idle machine.
fn settle() -> Vec<Vec<TestNode>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut quick = 0;
    let mut kept = Vec::new(); // the caller drops them, so that their teardown is not measured
    while quick < 5 && Instant::now() < deadline {
        let start = Instant::now();
        kept.push(direct_pair().unwrap());
        let idle = start.elapsed() < Duration::from_millis(4);
        quick = if idle { quick + 1 } else { 0 };
    }
    kept
}

fn namespaces() {
    let mut kept = Vec::new();
    let mut time = |name: &str, mut make: Box<dyn FnMut() -> Namespace>| {
        let mut times: Vec<_> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                kept.push(make());
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        println!("{name:20} {:6.3} ms", ms(times[ROUNDS / 2]));
    };
    let create = || Namespace::create("x", || Ok(())).unwrap().0;
    time("namespace, in thread", Box::new(create));
    time("namespace, by thread", Box::new(move || std::thread::spawn(create).join().unwrap()));
    let ns = create();
    let start = Instant::now();
    let times = 10_000;
    for _ in 0..times {
        ns.enter(|| ()).unwrap();
    }
    println!("in and out           {:6.4} ms", ms(start.elapsed()) / f64::from(times));
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
