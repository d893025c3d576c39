//! The register of faults: which faults there are, where they are in force, and what
//! they have affected.
//!
//! A fault that was injected is data ([`Injected`](injected::Injected)) with a receipt,
//! which counts the packets that it affects. While it is *on*, it is in force at ends of
//! links ([`Applied`](injected::Applied)). An edit of the topology may move these, and
//! the faults follow.
//!
//! In dependency order, each file uses only those before it:
//!
//! - `id`, [`targets`]: numbers of faults; from names to ends of links;
//! - `logging`: what the test's log says of faults;
//! - [`pipelines`], [`backend`], [`conditions`], [`carriers`]: what a fault can be in
//!   force as;
//! - [`injected`], [`mechanisms`]: one fault; how it gets into force and out of it;
//! - [`census`], [`rivals`], [`scheduler`]: packets noted for exploration; faults that
//!   exclude each other; the thread for faults with a schedule;
//! - [`register`]: from injection to end;
//! - `follow`: faults follow an edit of the topology;
//! - [`report`]: what the runner configures, and what it collects.

mod backend;
mod carriers;
mod census;
mod conditions;
mod follow;
mod id;
mod injected;
mod logging;
mod mechanisms;
mod pipelines;
mod register;
mod report;
mod rivals;
mod scheduler;
mod targets;
mod traffic;

pub use backend::Backend;
pub(super) use id::FaultId;
pub(super) use register::{FaultRequest, Faults};
pub(super) use scheduler::{Scheduled, Scheduler};
pub(super) use targets::target_of;
