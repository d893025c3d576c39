//! Networks by the hundred, built back to back and several at a time: the first
//! connection is never slow, and nothing is left behind.
//!
//! `NSTESTS_STRESS=full` makes as many as the comments say. The default, also in CI, is fewer.
#![deny(unsafe_code)]

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nstest::{Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;

/// A packet that is lost is sent again after a second (RFC 6298 section 2). This
/// limit is far below that, and far above what a busy machine takes.
const SLOW: Duration = Duration::from_millis(500);

/// Runs tests, and then waits until a network namespace can be made where one is
/// allowed (namespaces(7)): when none that they made is left. They end a little later
/// than their last process, in the kernel's own time.
const AND_NOTHING_LEFT: &str = r#"
    "$0" "$@"
    echo 1 > /proc/sys/user/max_net_namespaces
    tries=0
    until unshare --net true 2> /dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 10000 ] || { echo "network namespaces are left"; exit 1; }
    done
"#;

/// How many networks one process makes of each kind.
const AT_ONCE: usize = 25;

fn full() -> bool {
    std::env::var_os("NSTESTS_STRESS").is_some_and(|value| value == "full")
}

/// The first packets between these two, over IPv4 and over IPv6.
fn connects(client: &Node, server: &Node) -> TestResult {
    let addrs: [IpAddr; 2] = [server.ip(), server.ipv6().into()];
    for ip in addrs {
        let listener = server.run(|| TcpListener::bind((ip, 80)))?;
        let start = Instant::now();
        client.run(|| {
            TcpStream::connect_timeout(&SocketAddr::new(ip, 80), Duration::from_secs(10))
        })?;
        let took = start.elapsed();
        // The test that runs this reads the figure.
        println!("connected {}", took.as_micros());
        drop(listener);
    }
    Ok(())
}

macro_rules! networks {
    ($($name:ident)*) => { $(
        mod $name {
            use super::*;

            #[netns_test]
            #[ignore = "fixture of another test"]
            fn pair(peer: Node, net: Net) -> TestResult {
                connects(&net.local(), &peer)
            }

            #[netns_test]
            #[ignore = "fixture of another test"]
            fn lan(a: Node, b: Node) -> TestResult {
                connects(&b, &a)
            }
        }
    )* };
}

networks!(n01 n02 n03 n04 n05 n06 n07 n08 n09 n10 n11 n12 n13 n14 n15 n16 n17 n18 n19 n20 n21 n22 n23 n24 n25);

fn available() -> i64 {
    let text = fs::read_to_string("/proc/meminfo").expect("read /proc/meminfo");
    let line = text.lines().find(|line| line.starts_with("MemAvailable:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Makes `rounds` times 25 networks of a kind, and looks at every connection.
fn many(kind: &str, threads: usize) {
    let rounds = if full() { 1000 / AT_ONCE } else { 2 };
    let (memory, start) = (available(), Instant::now());
    let mut took = Vec::new();
    for round in 0..rounds {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-e", "-c", AND_NOTHING_LEFT]);
        command.arg(std::env::current_exe().expect("this program"));
        command.args(["--ignored", "--show-output", &format!("::{kind}")]);
        command.arg(format!("--test-threads={threads}"));
        let text = Run::in_front(command).run().text();
        assert!(text.contains("test result: ok. 25 passed; 0 failed;"), "round {round}: {text}");
        assert!(!text.contains("are left"), "round {round}: {text}");
        let times = text.lines().filter_map(|line| line.strip_prefix("connected ")?.parse().ok());
        took.extend(times.map(Duration::from_micros));
    }
    assert_eq!(took.len(), rounds * AT_ONCE * 2);
    took.sort();
    let slow = took.iter().filter(|took| **took > SLOW).count();
    let (median, most) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "{} of {kind}, {threads} at a time: {:?} each; a first connection {median:?}, at most {most:?}; \
         {:+} kB of memory",
        rounds * AT_ONCE,
        start.elapsed() / (rounds * AT_ONCE) as u32,
        available() - memory,
    );
    assert_eq!(slow, 0, "of {} connections, the slowest in {most:?}", took.len());
}

#[test]
fn pairs_back_to_back() {
    many("pair", 1);
}

#[test]
fn pairs_four_at_a_time() {
    many("pair", 4);
}

#[test]
fn lans_back_to_back() {
    many("lan", 1);
}

#[test]
fn lans_four_at_a_time() {
    many("lan", 4);
}

/// The kernel's memory that cannot be taken back, and this process's own, in kB.
fn memory_in_use() -> i64 {
    let of = |path: &str, wanted: &[&str]| -> i64 {
        let text = fs::read_to_string(path).expect(path);
        let number = |line: &str| line.split_whitespace().nth(1)?.parse::<i64>().ok();
        let lines = text.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
        lines.filter_map(number).sum()
    };
    of("/proc/meminfo", &["SUnreclaim:", "Percpu:", "KernelStack:"])
        + of("/proc/self/status", &["RssAnon:"])
}

#[netns_test(timeout = "5m")]
fn hundreds_of_nodes_in_one_test(net: Net) -> TestResult {
    let count = if full() { 500 } else { 60 };
    let (before, start) = (memory_in_use(), Instant::now());
    let lan = net.add_lan("lan").subnet("10.1.0.0/16").build()?;
    net.local().join(&lan)?;
    let mut nodes = Vec::new();
    for nth in 0..count {
        nodes.push(net.add_node(&format!("n{nth}")).join(&lan).build()?);
    }
    println!(
        "{count} nodes in {:?}, {} kB each",
        start.elapsed(),
        (memory_in_use() - before) / i64::from(count),
    );
    for node in [&nodes[0], &nodes[nodes.len() / 2], &nodes[nodes.len() - 1]] {
        connects(&net.local(), node)?;
        connects(node, &nodes[1])?;
    }
    assert!(Path::new("/run/netns/n0").exists());
    Ok(())
}
