//! The runner: tests that pass, fail, crash, hang, or damage their environment.
//!
//! A fixture is an ignored test, since most fixtures fail. The test below it runs it in a
//! process of its own, and asserts what a user would see.
#![deny(unsafe_code)]

mod crashes;
mod environment;
mod exploration;
mod isolation;
mod limits;
mod names;
mod output;
mod processes;
mod refusals;
mod restarts;
mod seeds;
mod should_panic;
mod siblings;
mod signals;
mod timeouts;
mod verdict;
