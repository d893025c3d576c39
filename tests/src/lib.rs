//! Helpers that the test targets share.
//!
//! - [`driver`]: runs fixtures that fail on purpose, in a process of their own,
//!   and gives what a user would see;
//! - [`fixtures`]: the same in the case's own process tree and namespaces;
//! - [`cargo`]: cargo and cargo-nextest;
//! - [`marks`]: how a fixture and its driver wait for each other;
//! - [`survivors`]: what a run left behind;
//! - [`floor`]: networks in the fewest netlink messages, for benchmarks;
//! - [`postgres`]: a server that two targets start;
//! - [`rounds`]: orders and quantiles, for benchmarks;
//! - [`raw`]: what only `unsafe` can do to a process, for fixtures.
#![deny(unsafe_code)]

pub mod cargo;
pub mod driver;
pub mod fixtures;
pub mod floor;
pub mod marks;
pub mod postgres;
#[allow(unsafe_code, reason = "fixtures do to their process what no safe call does")]
pub mod raw;
pub mod rounds;
pub mod survivors;

/// Whether the ids of this process are the machine's: it is root, or in a test
/// that root has started. An ordinary user maps one id only.
#[must_use]
pub fn machine_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let first = map.split_whitespace().take(2).collect::<Vec<_>>();
    nix::unistd::geteuid().is_root() && first == ["0", "0"]
}
