//! What runs behind `nstest`. Users depend on the facade, not on this crate.
#![deny(unsafe_code)]

mod capability;
mod error;
mod fabric;
mod fixture;
mod netlink;
mod netns;
mod node;
mod preflight;
mod record;
mod runner;
mod sys;
mod sysctl;
mod topology;
mod uplink;
mod world;

pub use error::{Code, Error, Result, TestError, TestResult};
pub use fixture::{Fixture, Param, Spec, World};
pub use node::command::Command;
pub use node::spawn::JoinHandle;
#[cfg(feature = "tokio")]
pub use node::task::Task;
pub use node::visit::Scope;
pub use runner::{TestContext, enter, net};
pub use topology::{Firewall, MacAddr, Nat, Nat6, NatFiltering, NatMapping, Protocol, Subnet};

#[cfg(test)]
mod testing;
pub use world::{
    Lan, LanBuilder, Link, Net, Node, NodeBuilder, Outcome, Router, RouterBuilder, eventually,
};

/// What the macros expand to; not for people.
#[doc(hidden)]
pub mod private {
    pub use crate::runner::{Fixtures, Options, Test, Timeout, run};
    #[cfg(feature = "tokio")]
    pub use crate::runner::{Runtime, run_async};
}
