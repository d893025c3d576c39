//! The acceptance cases of the runner: what it makes of tests that pass, fail,
//! crash, hang, and damage what they can reach.
//!
//! A fixture is ignored, because it fails on purpose; the case below it runs it
//! in a process of its own, and asserts what a user would see.
#![deny(unsafe_code)]

mod crashes;
mod environment;
mod exploration;
mod isolation;
mod limits;
mod names;
mod output;
mod processes;
mod seeds;
mod should_panic;
mod siblings;
mod signals;
mod timeouts;
mod verdict;
