//! The only unsafe code: system calls that no safe wrapper offers in the form
//! that is needed here, and code that runs where Rust's rules are suspended.
//!
//! - [`step`]: one act of preparing a child, as data, and its execution between
//!   clone and exec, where nothing may allocate, lock or panic;
//! - [`spawn`]: the clone itself, on a stack of its own in the parent's memory;
//! - [`init`]: PID 1 of the new namespace, which starts before `main`;
//! - [`lend`]: a child in the memory of a parent that sleeps;
//! - [`process`]: a process held by its pidfd, and what has no other home;
//! - [`capset`]: rights that survive `execve`;
//! - [`tap`]: an interface whose other end is a file;
//! - [`netlink`]: options of netlink sockets;
//! - [`packet`]: frames of other devices, in memory shared with the kernel;
//! - [`mod@slice`]: how long a thread runs at a time;
//! - [`trial`]: system calls tried in a child, to learn which are refused;
//! - [`namespaces`]: sets of namespaces.
#![allow(
    unsafe_code,
    reason = "the rest of the crate denies it; each block here says why it holds"
)]

pub(crate) mod call;
mod capset;
pub(crate) mod init;
mod lend;
pub(crate) mod namespaces;
pub(crate) mod netlink;
pub(crate) mod packet;
pub(crate) mod process;
#[cfg(test)]
pub(crate) mod seccomp_filter;
pub(crate) mod slice;
pub(crate) mod spawn;
pub(crate) mod step;
pub(crate) mod tap;
pub(crate) mod trial;
