//! The flight recorder: the newest packets of a test's network, held by the parent's process,
//! so that they outlive the test.
//!
//! In dependency order:
//!
//! - [`capture`]: the body's side: the socket that sees what all nodes send and receive;
//! - [`mod@channel`]: hands descriptors from the body to the parent;
//! - [`log`]: the body's side: the events of the test;
//! - [`fates`]: the body's side: what the wire did to frames;
//! - [`secrets`]: the body's side: TLS secrets, on request;
//! - [`loopback`]: has `lo` of the test's own node recorded;
//! - [`queues`]: the newest frames of each link end;
//! - [`early`], [`ring`]: the sockets, with one frame and with many at a time;
//! - [`recording`]: the parent's side: keeps the newest packets, and reads them.
//!
//! How it works and what it costs: docs/src/design/evidence.md.

mod capture;
mod channel;
mod early;
mod fates;
mod log;
mod loopback;
mod queues;
mod recording;
mod ring;
mod secrets;

pub(crate) use capture::start;
pub(crate) use channel::{channel, serve};
pub(crate) use fates::FateLog;
pub(crate) use log::{record, record_since};
pub(crate) use loopback::record_loopback;
pub(crate) use recording::{Recorder, RecorderOutput};
pub(crate) use secrets::keep_secrets;
