//! Failure on purpose: what is to go wrong, as data, and what follows for each
//! packet.
//!
//! - [`condition`] says what a direction of a link is like, [`packets`] and
//!   [`occurrence`] which packets a fault takes, [`action`] what becomes of them,
//!   [`model`] (a fault), [`plan`] where and when; `grammar` reads it all;
//! - [`pipeline`] decides about each frame at the end of a link, with [`random`] for
//!   chance and [`receipt`] for what was affected;
//! - [`point`] is a place in a test's traffic, for exploration; [`traffic`] tells when
//!   it has come to rest.
//!
//! No thread, no kernel, and but for the last one no clock: time comes in with the frame. The page
//! `docs/src/design/faults.md` has the order, the seeds and the grammar.

pub(crate) mod action;
pub(crate) mod burst_loss;
pub(crate) mod condition;
mod decimal;
mod explore_fault;
mod gauss;
mod grammar;
pub(crate) mod jitter;
pub(crate) mod model;
pub(crate) mod occurrence;
pub(crate) mod packets;
pub(crate) mod partition;
pub(crate) mod percent;
pub(crate) mod pipeline;
pub(crate) mod plan;
pub(crate) mod point;
mod presets;
pub(crate) mod random;
pub(crate) mod rate;
pub(crate) mod receipt;
pub(crate) mod rule;
pub(crate) mod schedule;
pub(crate) mod shape;
mod span;
#[cfg(test)]
mod tests;

pub use action::{Action, Unreachable};
pub use burst_loss::GilbertElliott;
pub use condition::Condition;
pub use explore_fault::ExploreFault;
pub use jitter::Jitter;
pub use model::{Fault, FaultEffect, FaultTarget};
pub use occurrence::Occurrence;
pub use packets::{AddrMatch, Packets};
pub use partition::Partition;
pub use percent::Percent;
pub use plan::Plan;
pub use point::InjectionPoint;
pub use rate::Rate;
pub(crate) use receipt::Receipt;
pub use schedule::FaultSchedule;
