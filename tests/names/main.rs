//! The DNS server of a test, as seen by glibc's resolver (resolver(3)) and by a client from
//! crates.io.

#![cfg_attr(not(target_env = "gnu"), allow(dead_code, reason = "glibc needs it"))]

mod client;
#[cfg(target_env = "gnu")]
mod glibc;
mod life;
#[cfg(target_env = "musl")]
mod musl;
mod network;

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use nstest::Node;
use nstest::dns::{Query, QueryType, Transport};

/// Looks up a name with getaddrinfo(3).
fn look_up(name: &str) -> Result<Vec<IpAddr>, String> {
    let found: io::Result<_> = (name, 0).to_socket_addrs();
    let mut addrs: Vec<IpAddr> =
        found.map_err(|error| error.to_string())?.map(|addr| addr.ip()).collect();
    addrs.sort();
    addrs.dedup();
    Ok(addrs)
}

/// Like [`look_up`], with the time that it took.
fn timed(name: &str) -> (Result<Vec<IpAddr>, String>, Duration) {
    let start = Instant::now();
    (look_up(name), start.elapsed())
}

/// The output of getent(1) in a node, and its exit status.
fn getent(node: &Node, name: &str) -> (String, Option<i32>) {
    let output = node.command("getent").args(["ahosts", name]).output().expect("run getent");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

/// The queries, sorted: the order of the two queries of one look-up varies.
fn asked(queries: &[Query]) -> Vec<(&str, QueryType, Transport)> {
    let mut asked: Vec<_> =
        queries.iter().map(|query| (query.name.as_str(), query.kind, query.transport)).collect();
    asked.sort_by_key(|(name, kind, transport)| (*name, *kind, *transport == Transport::Tcp));
    asked
}
