//! The parent's process: starts a test's body, and watches it until all of its processes
//! are dead. In dependency order:
//!
//! - [`refusal`]: turns a refused system call into an error with its cause;
//! - [`named_netns`]: checks a network namespace that exists already;
//! - [`setup`]: the steps between clone and exec, as data;
//! - [`helper`]: does for the child, between clone and exec, what the child may not do;
//! - [`environment`]: the body's environment variables;
//! - [`process_tree`]: lists the processes that are alive at a timeout;
//! - [`output`]: reads the pipes from the body;
//! - [`terminal`]: the terminal, also where libtest captures output;
//! - [`way_in`]: the commands that enter the nodes of a test;
//! - [`pause`]: keeps a test at its end, to be looked at;
//! - [`watch`]: waits for the end, and collects what the verdict needs;
//! - `relay`: copies the bytes of one connection to another;
//! - `host_ports`: ports of the host that a program can connect to;
//! - `foreground`: waits for the end of a program that has the terminal;
//! - [`launch`]: starts the body.

pub(super) mod environment;
#[cfg(feature = "cli")]
pub(super) mod foreground;
mod helper;
#[cfg(feature = "cli")]
pub(super) mod host_ports;
pub(super) mod launch;
mod named_netns;
mod output;
mod pause;
pub(super) mod process_tree;
pub(super) mod refusal;
#[cfg(feature = "cli")]
mod relay;
mod setup;
mod terminal;
pub(super) mod watch;
pub(super) mod way_in;
