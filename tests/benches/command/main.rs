//! What `nstest run` costs, compared with unshare(1).
//!
//! `cargo bench -p nstest-tests --bench command [-- --rounds N] [--command PATH]`
//!
//! PATH is a command that `cargo install` has built, with other options of the compiler. Both start
//! `true` in new user, network, mount, PID, UTS and IPC namespaces with a new /proc, in an order
//! shuffled for each round. The benchmark prints the times and their ratio, and asserts nothing
//! about them. `docs/src/design/cost.md` has figures and reasons.

use std::process::Command;
use std::time::Instant;

use nstest_tests::rounds::{Shuffled, option, quantile_of, rounds};

const UNSHARE: [&str; 9] =
    ["unshare", "-r", "-n", "-m", "-p", "-u", "-i", "--fork", "--mount-proc"];

fn main() {
    let rounds = rounds(400, 2);
    let command = option("--command");
    let command = command.unwrap_or_else(|| env!("CARGO_BIN_EXE_nstest-command").to_owned());
    let nstest = [command.as_str(), "run", "--"];
    // The command lines, each without the program.
    let ways: [(&str, &[&str]); 3] =
        [("true, no namespaces", &[]), ("floor: unshare(1)", &UNSHARE), ("nstest run", &nstest)];
    let mut order = Shuffled::new(ways.len());
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for &way in order.next() {
            times[way].push(run(ways[way].1));
        }
    }
    println!("{rounds} rounds, milliseconds{:>20}{:>10}", "p10", "median");
    for ((what, _), times) in ways.iter().zip(&times) {
        let at = |quantile| quantile_of(times, quantile);
        println!("  {what:<33}{:>9.2}{:>10.2}", at(0.1), at(0.5));
    }
    let ratio = |quantile| quantile_of(&times[2], quantile) / quantile_of(&times[1], quantile);
    println!("  {:<33}{:>9.2}{:>10.2}   goal 1.3", "ratio", ratio(0.1), ratio(0.5));
}

/// How long a command line with `true` takes, in milliseconds.
fn run(command: &[&str]) -> f64 {
    let line: Vec<&str> = command.iter().copied().chain(["true"]).collect();
    let start = Instant::now();
    let status = Command::new(line[0]).args(&line[1..]).status().expect("it starts");
    let took = start.elapsed().as_secs_f64() * 1e3;
    assert!(status.success(), "{line:?}: {status}");
    took
}
