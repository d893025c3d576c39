//! What a network costs, compared with the minimum.
//!
//! `cargo bench -p nstest-tests --bench networks [-- --rounds N]`
//!
//! Each way makes a network, and exchanges one byte over TCP on IPv4 and on IPv6. It is
//! measured first as whole tests, one at a time: each pays for the kernel's removal of the
//! one before. Then as whole tests, two at a time. Then alone, from a thread's `unshare` to
//! the arrival of the byte, after all earlier namespaces are gone. The ways take turns in an
//! order shuffled for each round.
//!
//! Last, 500 nodes are added to one LAN, one by one (`--grow N` does only this, with N
//! nodes). The benchmark prints what the 50th costs and what the 500th costs.
//! It prints times and ratios, and asserts nothing about them.
//! `docs/src/design/networks-cost.md` has figures and reasons.

mod commands;

use std::net::IpAddr;
use std::process::Command;
use std::time::Instant;

use commands::Named;
use nstest_tests::cargo;
use nstest_tests::floor::{self, Wire, exchange, settle};
use nstest_tests::rounds::{Shuffled, is_benchmark, option, quantile_of, rounds};

/// How to make one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A direct veth pair, in the fewest messages.
    Direct,
    /// A LAN on a bridge, in the fewest messages.
    Bridge(usize),
    /// What a test with this many nodes gets, its own included.
    Nstest(usize),
    /// The two above by `ip -batch`.
    Commands(usize),
}

impl Way {
    fn name(self) -> String {
        match self {
            Way::Direct => "direct veth pair, fewest messages".to_owned(),
            Way::Bridge(nodes) => format!("bridge of {nodes}, fewest messages"),
            Way::Nstest(2) => "nstest, pair".to_owned(),
            Way::Nstest(nodes) => format!("nstest, LAN of {nodes}"),
            Way::Commands(2) => "ip -batch, pair".to_owned(),
            Way::Commands(nodes) => format!("ip -batch, LAN of {nodes}"),
        }
    }

    /// Once, in milliseconds, on a thread of its own: one that has been in no other
    /// namespace.
    fn run(self) -> f64 {
        std::thread::spawn(move || {
            let start = Instant::now();
            let took = || start.elapsed().as_secs_f64() * 1e3;
            let ips = [floor::ipv4(1), floor::ipv6(1)];
            match self {
                Way::Direct | Way::Bridge(_) => {
                    let wire = match self {
                        Way::Bridge(nodes) => Wire::bridge(nodes),
                        _ => Wire::pair(),
                    };
                    exchange(&ips, |ip| wire.listen(ip));
                    took()
                }
                Way::Commands(nodes) => {
                    let wire = if nodes == 2 { Named::pair() } else { Named::bridge(nodes) };
                    exchange(&ips, |ip| wire.listen(ip));
                    took()
                }
                Way::Nstest(nodes) => {
                    floor::own_namespace();
                    let names: Vec<String> = (1..nodes).map(|nth| format!("peer{nth}")).collect();
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let net = nstest::__private::network_of(&names).expect("a network");
                    let peer = net.node("peer1").expect("it is there");
                    exchange(&peer.ips(), |ip: IpAddr| {
                        peer.run(|| std::net::TcpListener::bind((ip, 7000))).expect("bind")
                    });
                    took()
                }
            }
        })
        .join()
        .expect("the network works")
    }
}

/// Says to the benchmark that whole tests have been measured: the rest is measured in
/// namespaces of its own, from which tests would be tests within a test.
const INSIDE: &str = "--inside";

fn main() -> nstest::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = rounds(100, 2);
    let (grown, sizes) = (option::<usize>("--grow"), option::<String>("--alone"));
    if !arguments.iter().any(|argument| argument == INSIDE) {
        if sizes.is_none() && grown.is_none() {
            back_to_back(rounds.div_ceil(5));
        }
        let mut rest = Command::new(std::env::current_exe().expect("it has a path"));
        let status = rest.args(&arguments).arg(INSIDE).status().expect("it starts again");
        assert!(status.success(), "{status}");
        return Ok(());
    }
    nstest::enter()?;
    if let Some(nodes) = grown {
        return growth(nodes);
    }
    if let Some(sizes) = sizes {
        for nodes in sizes.split(',') {
            let nodes = nodes.parse().expect("a number");
            let floor = if nodes == 2 { Way::Direct } else { Way::Bridge(nodes) };
            alone(rounds, &[floor, Way::Nstest(nodes)], None);
        }
        return Ok(());
    }
    println!("from nothing to the first exchange, milliseconds{:>11}{:>10}", "p10", "median");
    alone(rounds, &[Way::Direct, Way::Nstest(2), Way::Commands(2)], Some(1.6));
    alone(rounds, &[Way::Bridge(3), Way::Nstest(3), Way::Commands(3)], Some(1.15));
    alone(rounds, &[Way::Bridge(10), Way::Nstest(10)], Some(1.15));
    alone(rounds.div_ceil(4), &[Way::Bridge(50), Way::Nstest(50)], None);
    alone(rounds.div_ceil(8), &[Way::Bridge(100), Way::Nstest(100)], None);
    growth(if is_benchmark() { 500 } else { 30 })
}

/// Ratios are to the first way.
fn alone(rounds: usize, ways: &[Way], goal: Option<f64>) {
    let mut order = Shuffled::new(ways.len());
    let mut times = vec![Vec::new(); ways.len()];
    let warm_up = rounds.min(3);
    for round in 0..warm_up + rounds {
        for &way in order.next() {
            settle();
            let time = ways[way].run();
            if round >= warm_up {
                times[way].push(time);
            }
        }
    }
    for (way, own) in ways.iter().zip(&times) {
        let at = |quantile| quantile_of(own, quantile);
        let to = |quantile| at(quantile) / quantile_of(&times[0], quantile);
        print!("  {:<46}{:>9.3}{:>10.3}", way.name(), at(0.1), at(0.5));
        print!("   × {:.2}{:>6.2}", to(0.1), to(0.5));
        match goal {
            Some(goal) if matches!(way, Way::Nstest(_)) => println!("   goal {goal:.2}"),
            _ => println!(),
        }
    }
}

/// Whole tests, each a process in namespaces of its own that makes a network and one
/// exchange on it; only the making differs. The next begins when one has ended, and
/// the kernel is taking its namespaces down.
fn back_to_back(rounds: usize) {
    const TESTS: usize = 25;
    const WAYS: [(&str, &str, Option<f64>); 4] = [
        ("direct", "direct veth pair, fewest messages", None),
        ("pair", "nstest, pair", Some(1.25)),
        ("lan", "nstest, LAN of 3", Some(1.7)),
        ("bridge", "bridge of 3, fewest messages", None),
    ];
    let subject = cargo::bench("networks-subject");
    for threads in [1, 2] {
        let mut order = Shuffled::new(WAYS.len());
        let mut means = vec![Vec::new(); WAYS.len()];
        for _ in 0..rounds {
            for &way in order.next() {
                let start = Instant::now();
                let output = Command::new(&subject)
                    .args(["--ignored", &format!("::{}", WAYS[way].0)])
                    .arg(format!("--test-threads={threads}"))
                    .output()
                    .expect("the subject starts");
                means[way].push(start.elapsed().as_secs_f64() * 1e3 / TESTS as f64);
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(text.contains(&format!("{TESTS} passed")), "{text}");
            }
        }
        println!(
            "a whole test, mean of {TESTS} back to back, {threads} at a time{:>10}{:>10}",
            "p10", "median"
        );
        for ((_, name, goal), own) in WAYS.iter().zip(&means) {
            let at = |quantile| quantile_of(own, quantile);
            let to = |quantile| at(quantile) / quantile_of(&means[0], quantile);
            print!("  {name:<46}{:>9.3}{:>10.3}", at(0.1), at(0.5));
            print!("   × {:.2}{:>6.2}", to(0.1), to(0.5));
            println!("{}", goal.map_or_else(String::new, |goal| format!("   goal {goal:.2}")));
        }
    }
}

/// Adds nodes to one LAN, one by one: what each holds, ours and the kernel's, and what
/// adding one costs when there are few and when there are many. The same then in the fewest
/// messages, which shows what of it is the kernel's.
fn growth(nodes: usize) -> nstest::Result<()> {
    // The means are those of as many nodes on both sides.
    let (few, around) = (nodes / 10, nodes / 25);
    let count = nodes + around;
    settle();
    let memory = || (field("/proc/self/status", "VmRSS:"), field("/proc/meminfo", "MemAvailable:"));
    let before = memory();
    let net = nstest::__private::network_of(&[])?;
    let lan = net.add_lan("lan").subnet("10.1.0.0/16").build()?;
    let ours = Costs::of(count, |nth| {
        net.add_node(&format!("node{nth}")).join(&lan).build().expect("a node");
    });
    let after = memory();
    drop((lan, net));
    settle();
    let minimum = std::thread::spawn(move || {
        let mut wire = Wire::empty_bridge();
        Costs::of(count, |_| wire.add_node())
    });
    let minimum = minimum.join().expect("the nodes are added");
    let mean = ours.elapsed.iter().sum::<f64>() / count as f64;
    println!("{count} nodes on one LAN, added one by one: {mean:.2} ms a node");
    println!(
        "  ms a node, of the {} nodes around{:>15}{:>10}",
        2 * around,
        format!("{few}th"),
        format!("{nodes}th")
    );
    let rows: [(&str, &[f64], f64, &str); 4] = [
        ("nstest, until it is added, median", &ours.elapsed, 0.5, "   goal 1.50"),
        ("  the same, p10", &ours.elapsed, 0.1, ""),
        ("fewest messages, median", &minimum.elapsed, 0.5, ""),
        ("  the same, p10", &minimum.elapsed, 0.1, ""),
    ];
    let span = |nth: usize| nth - around..nth + around;
    let row = |name: &str, early: f64, late: f64, goal: &str| {
        println!("    {name:<36}{early:>8.3}{late:>10.3}   × {:.2}{goal}", late / early);
    };
    for (name, times, quantile, goal) in rows {
        let of = |nth: usize| quantile_of(&times[span(nth)], quantile);
        row(name, of(few), of(nodes), goal);
    }
    for (name, costs) in [("nstest", &ours), ("fewest messages", &minimum)] {
        let of = |nth: usize| costs.used[span(nth)].iter().sum::<f64>() / (2 * around) as f64;
        row(&format!("{name}, on a processor, mean"), of(few), of(nodes), "");
    }
    let each = |kilobytes: f64| kilobytes / count as f64;
    println!("  kB a node: VmRSS {:.0}", each(after.0 - before.0));
    println!(
        "  kB a node: MemAvailable, which that is part of: {:.0}   goal 400",
        each(before.1 - after.1)
    );
    Ok(())
}

/// What each of many nodes costs, in milliseconds.
struct Costs {
    /// Until it is added.
    elapsed: Vec<f64>,
    /// For how long of this the thread runs on a processor.
    used: Vec<f64>,
}

impl Costs {
    fn of(count: usize, mut add: impl FnMut(usize)) -> Self {
        let mut costs = Self { elapsed: Vec::new(), used: Vec::new() };
        for nth in 0..count {
            let (start, used) = (Instant::now(), processor_time());
            add(nth);
            costs.used.push(processor_time() - used);
            costs.elapsed.push(start.elapsed().as_secs_f64() * 1e3);
        }
        costs
    }
}

/// How long this thread has run on a processor, in milliseconds (proc_pid_schedstat, first
/// field).
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e6
}

fn field(path: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(path).expect("proc is mounted");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the field is there");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
