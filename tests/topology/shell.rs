//! Runs in a node what a person would type.

use std::net::IpAddr;
use std::path::PathBuf;

use nstest::Node;
use nstest_tests::programs::{find, is_listed};

/// Runs a command line, with words separated by spaces, and returns what it printed.
#[track_caller]
pub(crate) fn shows(node: &Node, line: &str) -> String {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let path = if is_listed(program) { find(program) } else { program.into() };
    let output = node.command(path).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text + &String::from_utf8_lossy(&output.stderr)
}

/// What these command lines print, one after the other.
#[track_caller]
pub(crate) fn shows_all(node: &Node, lines: &[&str]) -> String {
    lines.iter().map(|line| shows(node, line)).collect()
}

/// The names of its interfaces.
#[track_caller]
pub(crate) fn interfaces(node: &Node) -> Vec<String> {
    let text = shows(node, "ip -oneline link");
    let name = |line: &str| Some(line.split(' ').nth(1)?.trim_end_matches(':').to_owned());
    let names = text.lines().filter_map(name);
    names.map(|name| name.split('@').next().unwrap_or_default().to_owned()).collect()
}

/// Whether `ping` (Debian's iputils) gets an answer.
#[track_caller]
pub(crate) fn pings(node: &Node, ip: impl Into<IpAddr>) -> bool {
    let ip = ip.into().to_string();
    shows(node, &format!("ping -c 1 -W 5 {ip}")).contains(" 0% packet loss")
}

/// Whether `ping` gets no reply within a second.
#[track_caller]
pub(crate) fn gets_no_reply(node: &Node, ip: impl Into<IpAddr>) -> bool {
    let ip = ip.into().to_string();
    shows(node, &format!("ping -c 1 -W 1 {ip}")).contains(" 100% packet loss")
}

/// The network namespace that the calling thread is in.
pub(crate) fn here() -> PathBuf {
    std::fs::read_link("/proc/thread-self/ns/net").expect("look at the own namespace")
}
