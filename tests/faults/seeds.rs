//! The same seed and the same packets give the same decisions. Each exchange is a test in a
//! process and a network of its own.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use expect_test::expect;
use nstest::{
    Action, Condition, Fault, GilbertElliott, Net, Node, Packets, Percent, TestResult, netns_test,
};
use nstest_tests::driver::Run;

use crate::stream::{PATIENCE, Stream};

const COUNT: u32 = 1_000;

/// All random effects that can be seen from the arrivals.
const BAD: Condition = Condition::new()
    .loss(Percent::new(10.0))
    .burst_loss(GilbertElliott::new(Percent::new(2.0), Percent::new(30.0)))
    .duplicate(Percent::new(10.0))
    .corrupt(Percent::new(5.0));

/// Prints how often each datagram arrives, while control traffic passes the same link.
#[netns_test]
#[ignore = "fixture of another test"]
fn exchange(client: Node, server: Node, net: Net) -> TestResult {
    client.wait_reachable(server.ip())?;
    // Affects every datagram without an effect: one nanosecond is too short to matter.
    let seen = Fault::on("server").ingress().packets(Packets::udp());
    let seen = net.inject(seen.action(Action::Delay(Duration::from_nanos(1))))?;
    let bad = server.link().ingress().condition(BAD)?;
    let mut stream = Stream::open(&client, &server, server.ip(), 12)?;
    for chunk in 0..COUNT / 50 {
        for _ in 0..50 {
            stream.send()?;
        }
        who_has(&net.local(), chunk)?;
        let sent = u64::from(chunk + 1) * 50;
        nstest::eventually(PATIENCE, || seen.affected() == sent && waiting(&server) == 0)?;
    }
    // All decisions are made. The last datagram arrives after all others.
    bad.end()?;
    stream.send()?;
    let mut fate = BTreeMap::<u32, u8>::new();
    nstest::eventually(PATIENCE, || {
        for arrival in stream.take() {
            *fate.entry(arrival.number).or_default() += 1;
        }
        fate.contains_key(&COUNT)
    })?;
    let times = (0..COUNT).map(|number| fate.get(&number).copied().unwrap_or(0));
    let line: String = times.map(|times| char::from(b'0' + times)).collect();
    println!("\nfate {line}");
    Ok(())
}

/// Causes ARP requests for nodes that do not exist.
fn who_has(from: &Node, chunk: u32) -> TestResult {
    let socket = from.run(|| std::net::UdpSocket::bind("0.0.0.0:0"))?;
    for number in 0..2 {
        let host = u8::try_from(100 + 2 * chunk + number)?;
        let [a, b, c, _] = from.ipv4().octets();
        socket.send_to(b"x", (std::net::Ipv4Addr::new(a, b, c, host), 9))?;
    }
    Ok(())
}

/// The bytes in the receive buffers of a node's UDP sockets: proc_net_udp(5).
fn waiting(node: &Node) -> u64 {
    let text = node.run(|| std::fs::read_to_string("/proc/thread-self/net/udp")).expect("read it");
    let lines = text.lines().skip(1);
    let queue = |line: &str| {
        let drops = line.split_whitespace().last();
        assert_eq!(drops, Some("0"), "the socket dropped datagrams: {line}");
        let queues = line.split_whitespace().nth(4)?;
        u64::from_str_radix(queues.split_once(':')?.1, 16).ok()
    };
    lines.filter_map(queue).sum()
}

fn fate(seed: u32) -> String {
    let run =
        Run::of(&["seeds::exchange"]).args(["--nocapture"]).env("NSTEST_SEED", seed.to_string());
    let outcome = run.run();
    let text = outcome.text();
    let fate = text.lines().find_map(|line| line.strip_prefix("fate "));
    assert!(outcome.status.success(), "{text}");
    fate.unwrap_or_else(|| panic!("no decisions were printed: {text}")).to_owned()
}

/// A process that uses a processor.
struct Busy(Child);

impl Busy {
    fn start() -> Self {
        let mut command = Command::new("/bin/sh");
        Self(command.args(["-c", "while :; do :; done"]).spawn().expect("start a shell"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn fates(runs: usize) -> Vec<String> {
    let (left, fates) = (Mutex::new(runs), Mutex::new(Vec::new()));
    let next = || {
        let mut left = left.lock().expect("no panic");
        *left = left.checked_sub(1)?;
        Some(())
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while next().is_some() {
                    let fate = fate(7);
                    fates.lock().expect("no panic").push(fate);
                }
            });
        }
    });
    fates.into_inner().expect("no panic")
}

#[test]
fn a_hundred_runs_are_the_same() {
    let mut all = fates(60);
    {
        let _busy = [Busy::start(), Busy::start()];
        all.extend(fates(40));
    }
    assert_eq!(all.len(), 100);
    let first = &all[0];
    assert_eq!(first.len(), COUNT as usize);
    for (run, other) in all.iter().enumerate() {
        assert_eq!(other, first, "run {run} of 100 differs");
    }
    // The same on every machine and in every release.
    expect!["1002111010102111211111221111111110010111100000000010111110120111011111001101110121111111111111111110"].assert_eq(&first[..100]);
    let other = fate(8);
    assert_ne!(&other, first);
    let differing = other.bytes().zip(first.bytes()).filter(|(one, two)| one != two).count();
    assert!(differing > 200, "{differing} of 1000 differ with another seed");
}
