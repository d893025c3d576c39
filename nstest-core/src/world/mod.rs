//! The handles that a test holds on its network: [`Net`], [`Node`], [`Lan`], [`Link`]
//! and [`Router`].
//!
//! A handle is a name, not an owner. The network lives until the test ends, so that
//! unwinding does not destroy the evidence. What a handle does is an edit of the
//! topology (data, checked); the fabric carries out the difference. All handles share
//! one [`SharedNetwork`](network::SharedNetwork), which has the topology, the fabric
//! and the faults behind one lock.
//!
//! In dependency order, each file uses only those before it:
//!
//! - [`faults`]: the register of faults, and where they are in force;
//! - `resolver`: the handle on a DNS resolver;
//! - [`network`]: what all handles share;
//! - [`injection`], [`link`], [`impair`], [`lan`], [`node`]: handles;
//! - [`addresses`], [`offloads`], [`ready`], [`probe`], `serve_dns`: more methods of nodes;
//! - [`router`], [`build`], [`net`], [`inject`]: routers, builders, the whole network;
//! - [`run_config`]: what the runner configures, and what it collects at the end.

mod addresses;
mod build;
mod faults;
mod impair;
mod inject;
mod injection;
mod lan;
mod link;
mod net;
mod network;
mod node;
mod offloads;
mod probe;
mod ready;
#[cfg(feature = "dns")]
mod resolver;
mod router;
mod run_config;
#[cfg(feature = "dns")]
mod serve_dns;

pub use build::{LanBuilder, NodeBuilder, RouterBuilder};
pub use faults::Backend;
pub use impair::LinkDirection;
pub use injection::Injection;
pub use lan::Lan;
pub use link::Link;
pub use net::Net;
pub use node::Node;
pub use probe::{Probe, ProbeOutcome};
#[cfg(feature = "tokio")]
pub use ready::eventually_async;
pub use ready::{PollOutcome, eventually};
#[cfg(feature = "dns")]
pub use resolver::Resolver;
pub use router::Router;
