//! What a run of an exploration costs, compared with a plain test.
//!
//! `cargo bench -p nstest-tests --bench exploration [-- --rounds N]`
//!
//! One libtest binary (`subject.rs`) explores a test of 60 packets with `drop`, `duplicate`
//! and `reset`, which is 180 runs, or runs 180 plain tests of the same exchange. Both take
//! turns, in an order shuffled for each round. It prints times and their ratio, and asserts
//! nothing about them. `docs/src/design/exploration.md` has figures.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nstest_tests::cargo;
use nstest_tests::rounds::{Shuffled, quantile_of, rounds};

/// The runs of the exploration, and the plain tests.
const RUNS: usize = 180;

const WAYS: [(&str, &str); 2] =
    [("explored: 60 points x 3 faults", "explored"), ("plain tests", "plain")];

fn main() {
    let rounds = rounds(10, 1);
    let subject = cargo::bench("exploration-subject");
    let mut order = Shuffled::new(WAYS.len());
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        for &way in order.next() {
            times[way].push(run(&subject, WAYS[way].1) / RUNS as f64);
        }
    }
    println!("{RUNS} runs, {rounds} rounds, milliseconds a run{:>17}{:>10}", "p10", "median");
    for ((what, _), times) in WAYS.iter().zip(&times) {
        let at = |quantile| quantile_of(times, quantile);
        println!("  {what:<46}{:>9.2}{:>10.2}", at(0.1), at(0.5));
    }
    let at = |quantile| quantile_of(&times[0], quantile) / quantile_of(&times[1], quantile);
    println!("  {:<46}{:>9.2}{:>10.2}   goal 20 ms a run on two cores", "ratio", at(0.1), at(0.5));
}

/// The tests with this in their name, in milliseconds.
fn run(subject: &Path, filter: &str) -> f64 {
    let start = Instant::now();
    let output = Command::new(subject).args([filter, "--show-output"]).output().expect("it starts");
    let took = start.elapsed().as_secs_f64() * 1e3;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let ran =
        ["passed 180 runs (60 points x 3 faults)", "180 passed"].iter().any(|it| text.contains(it));
    assert!(ran, "{text}");
    took
}
