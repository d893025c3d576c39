//! The runtime of `nstest`. Users depend on the facade `nstest`, not on this crate.
//!
//! Start here: `runner` runs each test in a process of its own and decides whether it
//! passed. `topology` describes a test's network as data, and `fabric` makes the kernel's
//! network match it. `world` has the handles that a test uses. `fault` decides what happens
//! to each packet, and `wire` does it. `docs/src/architecture.md` is the map.
//!
//! On platforms without network namespaces (other systems, Miri, or Linux with
//! `--cfg nstest_stub`), the files in `stub/` replace the modules that talk to the kernel.
//! Everything compiles, and tests are reported as ignored.
#![deny(unsafe_code)]
#![cfg_attr(
    any(not(target_os = "linux"), miri, nstest_stub),
    allow(dead_code, reason = "what only the runner and the fabric use")
)]

mod addr;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod capability;
mod context;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "cli")]
mod doctor;
mod error;
mod evidence;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/fabric.rs")]
mod fabric;
mod fault;
mod fixture;
mod frame;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod ipc;
mod layout;
#[cfg(feature = "tracing")]
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/log_layer.rs")]
mod log_layer;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/netlink.rs")]
mod netlink;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/netns.rs")]
mod netns;
mod node;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod own_pid;
mod panics;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod preflight;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/recorder.rs")]
mod recorder;
mod run_config;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/runner.rs")]
mod runner;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod snapshot;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub/step.rs")]
mod step;
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

pub use addr::{MacAddr, Subnet};
pub use context::TestContext;
pub use error::{Error, ErrorCode, Result, TestError, TestResult};
pub use fault::{
    Action, AddrMatch, Condition, Fault, FaultEffect, FaultSchedule, FaultTarget, GilbertElliott,
    InjectionPoint, Jitter, Occurrence, Packets, Partition, Percent, Plan, Rate, Unreachable,
};
pub use fixture::{Fixture, FixtureContext, FixtureParam, NetworkSpec};
pub use frame::Direction;
pub use frame::kind::PacketKind;
#[cfg(feature = "tracing")]
pub use log_layer::tracing_layer;
pub use node::command::Command;
pub use node::spawn::JoinHandle;
#[cfg(feature = "tokio")]
pub use node::task::Task;
pub use node::visit::ScopedFuture;
#[cfg(all(feature = "rtnetlink", target_os = "linux"))]
pub use rtnetlink;
pub use runner::{enter, net};
pub use step::step;
pub use topology::{DefaultRoute, Firewall, Nat, Nat6, NatFiltering, NatMapping, Protocol};
#[cfg(feature = "dns")]
pub use world::Resolver;
#[cfg(feature = "tokio")]
pub use world::eventually_async;
pub use world::{
    Backend, Injection, Lan, LanBuilder, Link, LinkDirection, Net, Node, NodeBuilder, PollOutcome,
    Probe, ProbeOutcome, Router, RouterBuilder, eventually,
};

/// For the code that the macros generate, and for the command line.
#[doc(hidden)]
pub mod private {
    /// For the command line.
    #[cfg(feature = "cli")]
    pub mod cli {
        use std::time::Duration;

        pub mod doctor {
            pub use crate::doctor::*;
        }
        pub use crate::runner::{
            PausedTest, Program, ProgramEnd, replace_process, run_program, why_not_executed,
        };

        /// A duration as fault plans have it: `40ms`, `1m30s`.
        ///
        /// # Errors
        /// If the text is none.
        pub fn read_duration(text: &str) -> Result<Duration, String> {
            crate::fault::read_duration(text)
        }

        /// A seed, decimal or hexadecimal.
        #[must_use]
        pub fn read_seed(text: &str) -> Option<u64> {
            crate::run_config::read_seed(text)
        }
    }

    pub mod files {
        pub use crate::evidence::files::*;
    }
    pub mod shown {
        pub use crate::evidence::shown::*;
    }
    pub use crate::fault::{Action, ExploreFault};
    pub use crate::fixture::{network_of, unseen_failure};
    pub use crate::run_config::{Findings, FoundPoint, PlanOutcome, RunConfig};
    #[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
    pub use crate::runner::pretend;
    pub use crate::runner::{Explore, Fixtures, Options, Returned, Test, Timeout, launch, run};
    #[cfg(feature = "tokio")]
    pub use crate::runner::{Runtime, run_async};
}
