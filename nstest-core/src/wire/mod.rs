//! The wire: takes frames out of the kernel, shows each to a [`Stage`](crate::frame::Stage),
//! and sends on what the stage lets through.
//!
//! The wire is spliced in at one end of a link. It has two hidden devices there, a veth
//! pair ([`HiddenPair`]). Filters of the link end's device redirect frames into the pair.
//! What the wire sends has a mark that these filters let pass, so the filters and bridges
//! that forward frames from one link end to another stay as they are.
//!
//! In dependency order, each file uses only those before it:
//!
//! - `hidden_pair`, [`ringless`], [`rings`], [`backlog`]: where frames arrive, and where
//!   they wait for the thread;
//! - [`timer_queue`]: frames that are delayed;
//! - [`checksum`], [`describable`], [`busy_poll`], [`cpu_affinity`], [`lateness`]: parts of the
//!   thread's work, each with one reason to exist;
//! - [`spliced`]: what the thread and the test's threads share;
//! - [`long_ring`]: the ring for superframes, which is made when there is much traffic;
//! - [`thread`]: the one thread that moves frames;
//! - [`control`]: what the fabric calls.
//!
//! The fabric creates the devices and filters (`fabric::splicing`). How it works and what
//! it costs: docs/src/design/wire.md.

mod backlog;
mod busy_poll;
mod checksum;
mod control;
mod cpu_affinity;
mod describable;
mod hidden_pair;
mod lateness;
mod long_ring;
mod ringless;
mod rings;
mod spliced;
#[cfg(test)]
mod tests;
mod thread;
mod timer_queue;

pub(crate) use control::Wire;
pub(crate) use hidden_pair::{FIRST as FIRST_HIDDEN, HiddenPair};
pub(crate) use rings::MAX_SHORT;
pub(crate) use spliced::{FastPaths, SharedStage};
