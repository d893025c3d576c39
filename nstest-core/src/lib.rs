//! What runs behind `nstest`. Users depend on the facade, not on this crate.
//!
//! Where to begin: `runner` makes a process of its own for each test and says
//! how it went; `topology` is what a test's network looks like, as data;
//! `fabric` makes the kernel look like that; `world` is what a test holds of
//! it; `node` runs code in a node. `docs/src/architecture.md` is the map.
//!
//! Where there are no network namespaces (other systems, Miri, or on Linux
//! `--cfg nstest_stub`), the files in `stub/` take the place of those that talk
//! to the kernel: everything compiles, and no test runs.
#![deny(unsafe_code)]
#![cfg_attr(
    any(not(target_os = "linux"), miri, nstest_stub),
    allow(dead_code, reason = "what only the runner and the fabric use")
)]

#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod capability;
mod context;
#[cfg(feature = "dns")]
pub mod dns;
mod error;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/fabric.rs")]
mod fabric;
mod fault;
mod fixture;
mod frame;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod ipc;
mod layout;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/netlink.rs")]
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "nouns are whole: what only tests read back, faults and receipts will"
    )
)]
mod netlink;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/netns.rs")]
mod netns;
mod node;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod preflight;
mod run_config;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/runner.rs")]
mod runner;
mod sync;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod sys;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod sysctl;
#[cfg(all(test, target_os = "linux", not(any(miri, nstest_stub))))]
mod testing;
mod topology;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod uplink;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod wire;
mod world;

pub use context::TestContext;
pub use error::{Error, ErrorCode, Result, TestError, TestResult};
pub use fault::{
    Action, AddrMatch, Condition, Fault, FaultEffect, FaultSchedule, FaultTarget, GilbertElliott,
    InjectionPoint, Jitter, Occurrence, Packets, Partition, Percent, Plan, Rate, Unreachable,
};
pub use fixture::{Fixture, FixtureContext, FixtureParam, NetworkSpec};
pub use frame::Direction;
pub use frame::kind::PacketKind;
pub use node::command::Command;
pub use node::spawn::JoinHandle;
#[cfg(feature = "tokio")]
pub use node::task::Task;
pub use node::visit::ScopedFuture;
pub use runner::{enter, net};
pub use topology::{Firewall, MacAddr, Nat, Nat6, NatFiltering, NatMapping, Protocol, Subnet};
#[cfg(feature = "dns")]
pub use world::Resolver;
#[cfg(feature = "tokio")]
pub use world::eventually_async;
pub use world::{
    Backend, Injection, Lan, LanBuilder, Link, LinkDirection, Net, Node, NodeBuilder, PollOutcome,
    Probe, ProbeOutcome, Router, RouterBuilder, eventually,
};

/// What the macros expand to; not for people.
#[doc(hidden)]
pub mod private {
    pub use crate::fixture::{network_of, unseen_failure};
    pub use crate::run_config::{Applied, Findings, FoundPoint, RunConfig};
    #[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
    pub use crate::runner::pretend;
    pub use crate::runner::{Explore, Fixtures, Options, Test, Timeout, run};
    #[cfg(feature = "tokio")]
    pub use crate::runner::{Runtime, run_async};
}
