//! Why the machine refuses to set up a test: from a failed system call to its cause and a
//! remedy.
//!
//! Nothing here runs before a step of the set-up has failed, with one exception: a seccomp
//! filter that kills the process that makes a namespace would kill the whole test binary
//! without a message. Where there is a filter, [`survives_clone`] asks once, in a child.
//!
//! Otherwise nothing is checked before. Earlier checks would cost time
//! in every test, and their results could be out of date when the step runs. After a failure,
//! the state of the machine is read, the calls are tried again one by one in a child process,
//! and the first cause that fits is reported.
//!
//! In dependency order:
//!
//! - `refusal`: the operation that failed;
//! - `caller`: what the user has started;
//! - `facts`: what can be read about the machine;
//! - `probe`: what the machine answers when a child process tries the calls again;
//! - `remedy`: commands and settings that help, for each environment;
//! - `diagnose`: from all of these to a cause, by pure functions;
//! - `explain`: the error for the user;
//! - `policy`: whether such a test fails or is skipped (`NSTEST_UNSUPPORTED`).

pub(crate) mod caller;
mod diagnose;
mod explain;
pub(crate) mod facts;
pub(crate) mod policy;
pub(crate) mod probe;
#[cfg(test)]
mod real;
#[cfg(test)]
mod recorded;
mod refusal;
pub(crate) mod remedy;

#[cfg(feature = "cli")]
pub(crate) use explain::explained;
pub(crate) use explain::{
    explain, no_ipv6, no_socket, no_thread, paths_help, survives_clone, with_remedy,
};
pub(crate) use refusal::{Operation, Refusal};
