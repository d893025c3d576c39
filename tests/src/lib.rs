//! Helpers that the test targets share.
//!
//! - [`driver`]: runs tests that fail deliberately (fixtures) in a process of their
//!   own, and returns what a user would see;
//! - [`fixtures`]: runs fixtures below the calling test, in its namespaces;
//! - [`programs`]: finds programs that a machine may lack, such as redis-server;
//! - [`cargo`]: runs cargo and cargo-nextest;
//! - [`marks`]: lets a fixture and the test that started it wait for each other;
//! - [`directory`]: a directory that is removed when it is dropped;
//! - [`executable`]: makes programs, by copies and as scripts;
//! - [`terminal`]: runs a command on a terminal;
//! - [`survivors`]: finds what a run left behind;
//! - [`postgres`]: starts a PostgreSQL server in a node;
//! - [`floor`]: makes networks in the fewest netlink messages, for benchmarks;
//! - [`rounds`]: shuffles rounds and computes quantiles, for benchmarks;
//! - [`raw`]: what only `unsafe` code can do to a process, for fixtures.
#![deny(unsafe_code)]

pub mod cargo;
pub mod directory;
pub mod driver;
pub mod executable;
pub mod fixtures;
pub mod floor;
pub mod marks;
pub mod postgres;
pub mod programs;
#[allow(unsafe_code, reason = "fixtures do to their process what no safe call can do")]
pub mod raw;
pub mod rounds;
pub mod survivors;
pub mod terminal;

/// Whether this process is root of the machine, or of a test that root has started. An
/// ordinary user's namespace maps one user id only.
#[must_use]
pub fn machine_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let first = map.split_whitespace().take(2).collect::<Vec<_>>();
    nix::unistd::geteuid().is_root() && first == ["0", "0"]
}
