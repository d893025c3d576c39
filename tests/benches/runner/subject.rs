//! The libtest binary that the benchmark starts in five ways, and also the process that
//! starts it, since `#[netns_test]` starts its own binary.
//!
//! The starting process runs one test, [`worker`]. Its standard input is a socket to the
//! benchmark. It reads a command from each line, and answers with a line. (libtest captures
//! standard output.)

mod floor;

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Instant;

use nstest::__private::{Options, Test, run};

use floor::{Floor, Kind};

static ISOLATED: Test = Test::new(module_path!(), "isolated", Options::DEFAULT);
static ISOLATED_PORT: Test = Test::new(module_path!(), "isolated_port", Options::DEFAULT);

/// The body of the tests that measure the cost of a start.
fn idle() {
    black_box(());
}

/// The body of the tests that would conflict without isolation.
fn bind() {
    TcpListener::bind("127.0.0.1:8080").unwrap();
}

#[test]
fn plain() {
    idle();
}

#[test]
#[ignore = "collides with whatever has the port; the floor isolates it"]
fn plain_port() {
    bind();
}

/// The expansion of `#[netns_test]` for `idle`.
#[test]
fn isolated() {
    run(&ISOLATED, |()| None, |_| idle());
}

#[test]
fn isolated_port() {
    run(&ISOLATED_PORT, |()| None, |_| bind());
}

/// The arguments with which nstest starts a test, for the minimum.
fn arguments(name: &str) -> [&str; 7] {
    ["subject", "--exact", name, "--include-ignored", "--nocapture", "--test-threads=1", "-q"]
}

/// Tests of `function`, one for each expansion, since a test runs only once.
fn tests(function: &'static str, count: usize) -> &'static [Test] {
    let test = |_| Test::new(module_path!(), function, Options::DEFAULT);
    (0..count).map(test).collect::<Vec<_>>().leak()
}

#[test]
#[ignore = "fixture of a benchmark"]
fn worker() {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut answers = UnixStream::from(socket);
    let commands = BufReader::new(answers.try_clone().unwrap());
    let mut worker = Worker::new();
    for command in commands.lines() {
        let answer = worker.obey(&command.unwrap());
        answers.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
}

struct Worker {
    network: Floor,
    machine: Floor,
    ballast: Vec<u8>,
}

impl Worker {
    fn new() -> Self {
        Self {
            network: Floor::new(Kind::Network, &arguments("plain")),
            machine: Floor::new(Kind::Machine, &arguments("plain")),
            ballast: Vec::new(),
        }
    }

    fn obey(&mut self, command: &str) -> String {
        let (verb, number) = command.split_once(' ').unwrap_or((command, "1"));
        let number: usize = number.parse().unwrap();
        match verb {
            "network" => nanoseconds(|| self.network.run()),
            "machine" => nanoseconds(|| self.machine.run()),
            "command" => nanoseconds(by_command),
            "nstest" => {
                let test = &tests("isolated", 1)[0];
                nanoseconds(|| run(test, |()| None, |_| idle()))
            }
            // Written, so that each page is resident.
            "ballast" => {
                self.ballast = vec![1; number << 20];
                black_box(&self.ballast).len().to_string()
            }
            "port-nstest" => {
                let (first, second) = tests("isolated_port", number).split_at(number / 2);
                let half = |half: &'static [Test]| {
                    half.iter().for_each(|test| run(test, |()| None, |_| bind()));
                };
                two_at_a_time(|| half(first), || half(second))
            }
            "port-machine" => {
                let floor = || Floor::new(Kind::Machine, &arguments("plain_port"));
                let (mut first, mut second) = (floor(), floor());
                let half = |floor: &mut Floor| (0..number / 2).for_each(|_| floor.run());
                two_at_a_time(|| half(&mut first), || half(&mut second))
            }
            "memory" => {
                let (few, many) = tests("isolated", number).split_at(10);
                let run_all = |tests: &'static [Test]| {
                    tests.iter().for_each(|t| run(t, |()| None, |_| idle()));
                };
                run_all(few);
                let before = memory();
                run_all(many);
                format!("{before} {}", memory())
            }
            unknown => panic!("unknown command {unknown}"),
        }
    }
}

fn by_command() {
    let [_, arguments @ ..] = arguments("plain");
    let status = Command::new("/proc/self/exe").args(arguments).status().unwrap();
    assert!(status.success(), "{status}");
}

fn nanoseconds(work: impl FnOnce()) -> String {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos().to_string()
}

fn two_at_a_time(first: impl FnOnce() + Send, second: impl FnOnce()) -> String {
    nanoseconds(|| {
        std::thread::scope(|scope| {
            scope.spawn(first);
            second();
        });
    })
}

/// VmSize and VmRSS of this process, in kB: proc_pid_status(5).
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_end_matches("kB").trim().to_owned()
    };
    format!("{} {}", field("VmSize:"), field("VmRSS:"))
}
