//! The only unsafe code: system calls that no safe wrapper offers in the form
//! that is needed here, and code that runs where Rust's rules are suspended.
//!
//! - [`step`]: one act of preparing a child, as data, and its execution between
//!   clone and exec, where nothing may allocate, lock or panic;
//! - [`spawn`]: the clone itself, on a stack of its own in the parent's memory;
//! - [`init`]: PID 1 of the new namespace, which starts before `main`;
//! - [`process`]: a process held by its pidfd, and what has no other home.

pub(crate) mod init;
pub(crate) mod process;
pub(crate) mod spawn;
pub(crate) mod step;
