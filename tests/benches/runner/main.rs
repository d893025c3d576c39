//! What one `#[netns_test]` costs, compared with the minimum.
//!
//! `cargo bench -p nstest-tests --bench runner [-- --rounds N]`
//!
//! The same libtest binary (`subject.rs`) with the same empty test is started in five ways,
//! one after the other. The kernel removes a process's namespaces after the process has
//! ended, so each start pays for the one before. Therefore the order is shuffled for each
//! round. The process that starts the test measures the time. The benchmark prints the
//! times and their ratios, and asserts nothing. `docs/src/design/cost.md` has figures and
//! reasons.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nstest_tests::cargo;
use nstest_tests::rounds::{Shuffled, is_benchmark, quantile_of, rounds};

/// The ways, with the worker and the command for each.
const WAYS: [(char, &str, Who, &str); 5] = [
    ('a', "floor: user and network namespace", Who::Small, "network"),
    ('b', "std::process::Command, no namespaces", Who::Small, "command"),
    ('c', "#[netns_test]", Who::Small, "nstest"),
    ('d', "#[netns_test], 200 MB parent", Who::Large, "nstest"),
    ('e', "floor: six namespaces, /proc, /sys", Who::Small, "machine"),
];

/// Two ways, and the goal for the ratio of their times.
const RATIOS: [(char, char, f64); 3] = [('c', 'e', 1.25), ('c', 'a', 1.45), ('d', 'c', 1.15)];

#[derive(Clone, Copy)]
enum Who {
    Small,
    Large,
}

fn main() {
    let rounds = rounds(800, 5);
    let subject = cargo::bench("runner-subject");

    one_test(&subject, rounds);
    one_port(&subject, rounds.div_ceil(40));
    memory(&subject, if is_benchmark() { 1000 } else { 20 });
}

fn one_test(subject: &Path, rounds: usize) {
    let mut small = Worker::start(subject);
    let mut large = Worker::start(subject);
    large.ask("ballast 200");
    let mut order = Shuffled::new(WAYS.len());
    let mut times = vec![Vec::new(); WAYS.len()];
    let warm_up = rounds.min(10);
    for round in 0..warm_up + rounds {
        for &way in order.next() {
            let (_, _, who, command) = WAYS[way];
            let worker = match who {
                Who::Small => &mut small,
                Who::Large => &mut large,
            };
            let time = worker.ask(command)[0];
            if round >= warm_up {
                times[way].push(time);
            }
        }
    }
    println!("one test, {rounds} rounds, milliseconds{:>17}{:>10}", "p10", "median");
    for ((letter, what, ..), times) in WAYS.iter().zip(&times) {
        let at = |quantile| quantile_of(times, quantile) / 1e6;
        println!("  {letter}  {what:<40}{:>9.3}{:>10.3}", at(0.1), at(0.5));
    }
    println!("{:<45}{:>9}{:>10}{:>20}", "ratios", "p10", "median", "p10 of each fifth");
    for (numerator, denominator, goal) in RATIOS {
        let of = |letter| WAYS.iter().position(|way| way.0 == letter).map(|at| &times[at]);
        let (Some(over), Some(under)) = (of(numerator), of(denominator)) else { continue };
        let at = |quantile| quantile_of(over, quantile) / quantile_of(under, quantile);
        let fifth = rounds.div_ceil(5);
        let parts = over.chunks(fifth).zip(under.chunks(fifth));
        let parts = parts.map(|(o, u)| quantile_of(o, 0.1) / quantile_of(u, 0.1));
        let (low, high) = extremes(parts);
        println!(
            "  {numerator}/{denominator}  goal {goal:.2}{:>32.3}{:>10.3}{low:>13.3} –{high:>6.3}",
            at(0.1),
            at(0.5)
        );
    }
}

fn one_port(subject: &Path, rounds: usize) {
    const WAYS: [(&str, &str); 2] =
        [("#[netns_test]", "port-nstest 100"), ("floor e", "port-machine 100")];
    let mut worker = Worker::start(subject);
    let mut order = Shuffled::new(2);
    let mut times = [const { Vec::new() }; 2];
    for _ in 0..rounds {
        for &way in order.next() {
            times[way].push(worker.ask(WAYS[way].1)[0]);
        }
    }
    println!("100 tests on one port, two at a time, {rounds} rounds, milliseconds");
    for ((what, _), times) in WAYS.iter().zip(&times) {
        let at = |quantile| quantile_of(times, quantile) / 1e6;
        println!("     {what:<40}{:>9.1}{:>10.1}", at(0.1), at(0.5));
    }
    let at = |quantile| quantile_of(&times[0], quantile) / quantile_of(&times[1], quantile);
    println!("  ratio  goal 1.25{:>37.3}{:>10.3}", at(0.1), at(0.5));
}

fn memory(subject: &Path, tests: usize) {
    let kilobytes = Worker::start(subject).ask(&format!("memory {tests}"));
    let [size_10, rss_10, size, rss] = kilobytes[..] else { panic!("{kilobytes:?}") };
    println!("memory of the parent, kB{:>25}{:>10}", "VmSize", "VmRSS");
    println!("     after 10 tests{size_10:>30.0}{rss_10:>10.0}");
    println!("     after {tests:<4} tests{size:>28.0}{rss:>10.0}");
}

/// A process that starts tests, and the socket for the commands to it.
struct Worker {
    process: Child,
    commands: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Worker {
    fn start(subject: &Path) -> Self {
        let (ours, theirs) = UnixStream::pair().expect("socketpair");
        let process = Command::new(subject)
            // With two threads libtest runs the test on a thread of its own, as usual.
            .args(["--exact", "worker", "--ignored", "--test-threads=2"])
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .spawn()
            .expect("the subject starts");
        let answers = BufReader::new(ours.try_clone().expect("dup"));
        Self { process, commands: ours, answers }
    }

    fn ask(&mut self, command: &str) -> Vec<f64> {
        let asked = self.commands.write_all(format!("{command}\n").as_bytes());
        let mut answer = String::new();
        let length = self.answers.read_line(&mut answer).unwrap_or(0);
        assert!(
            asked.is_ok() && length > 0,
            "the worker failed at `{command}`; by itself: <subject> --exact worker --ignored --nocapture <<< '{command}'"
        );
        answer.split_whitespace().map(|number| number.parse().expect("a number")).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.commands.shutdown(std::net::Shutdown::Both);
        let _ = self.process.wait();
    }
}

fn extremes(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    numbers.fold((f64::INFINITY, 0.0), |(low, high), n| (n.min(low), n.max(high)))
}
