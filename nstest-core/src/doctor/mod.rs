//! `nstest doctor`: what this machine lets nstest do, found out by doing it.
//!
//! [`examine`] starts children, which try what nstest needs: a program in a world of its own, as
//! `nstest run` starts it; then each capability, on the machine, in a world as a test has it, and
//! in one with an uplink. They write a record for each capability, and end. So nothing
//! changes on the machine, and a filter that kills a process kills a child only. What was
//! refused is explained by `preflight`, with the texts that a test would print.
//!
//! In dependency order:
//!
//! - `capability`: what is tried, and what is missing without it;
//! - `report`: the results, as data;
//! - `trials`: which trials a child makes;
//! - `trial`: one trial, and its record, which a child writes and the parent reads;
//! - `distribution`: the command that installs a package;
//! - `network`, `inside`: trials in a world;
//! - `outside`: trials on the machine;
//! - `program`: trials of `nstest run`;
//! - `children`: starts them, with a time limit.

mod capability;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/doctor.rs")]
mod children;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod distribution;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod inside;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod network;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod outside;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod program;
mod report;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod trial;
mod trials;

pub use capability::{Capability, Need};
pub use children::{examine, run_trials};
pub use report::{Check, CheckStatus, Examination, Problem, Runs};
pub use trials::Trials;
