//! Fault injection: faults as data, and the decision about each packet.
//!
//! - A fault ([`model`]) has packets ([`packets`], [`occurrence`]), an [`action`] on them or
//!   a [`condition`] of the link, and a [`schedule`]. A [`plan`] is a list of faults, and
//!   `grammar` reads and prints it.
//! - [`pipeline`] decides about each frame at a link end. Its random numbers come from
//!   [`random`], and it counts affected packets in a [`receipt`].
//! - [`point`] identifies a packet of a test's traffic, for exploration.
//!
//! There is no thread, no kernel and no clock here: the time comes in with each frame.
//! `docs/src/design/faults.md` describes the order of decisions, the seeds and the grammar.

pub(crate) mod action;
pub(crate) mod burst_loss;
pub(crate) mod condition;
mod conversation;
mod decimal;
mod duration;
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
#[cfg(test)]
mod tests;

pub use action::{Action, Unreachable};
pub use burst_loss::GilbertElliott;
pub use condition::Condition;
#[cfg(feature = "cli")]
pub(crate) use duration::read as read_duration;
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
