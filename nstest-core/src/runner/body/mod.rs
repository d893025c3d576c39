//! The body: the process in which the test function runs. In dependency order:
//!
//! - [`setup_failure`]: ends a test if its parameters or its network could not be made;
//! - [`current`]: the running test, for `nstest::net()`;
//! - [`fixtures`]: makes the parameters;
//! - [`pause`]: waits at the end of a test, so that its network can be looked at;
//! - [`play`]: calls the test function, and turns its end into a result;
//! - `program`: starts the program of `nstest run`;
//! - [`panic_output`]: has what a test has printed appear before the message of its panic;
//! - [`restarted`]: the test's binary, started again by the test function;
//! - [`channel`]: finds out that this process is a body, and reports to the parent.

pub(super) mod channel;
pub(super) mod current;
pub(super) mod fixtures;
mod panic_output;
mod pause;
pub(super) mod play;
#[cfg(feature = "cli")]
pub(super) mod program;
pub(super) mod restarted;
mod setup_failure;
