//! System calls: all unsafe code of the crate is here.
//!
//! The module has the calls for which no safe wrapper exists in the form that is needed,
//! and the code that runs between clone and exec or before `main`.
//!
//! - [`call`]: results of system calls, open(2) and close(2), calls without the C library;
//! - [`namespaces`]: sets of namespaces;
//! - [`process`]: a process held by its pidfd, and calls without another module;
//! - `copy`: a copy of this process, for work in other namespaces;
//! - `inherited_signals`: the signals that this process was started with;
//! - [`descriptors`]: descriptors handed to another process;
//! - [`capset`]: the capability sets of a thread;
//! - [`tap`]: tap interfaces;
//! - [`step`]: one step of preparing a child, as data, and its execution between clone and
//!   exec, where nothing may allocate, lock or panic;
//! - [`spawn`]: the clone, on a stack of its own in the parent's memory;
//! - [`elsewhere`]: sockets in the namespaces of another process;
//! - [`rseq`]: the restartable sequence of a thread;
//! - [`lend`]: a child that takes over its parent's memory;
//! - [`init`]: PID 1 of the new namespace, which starts before `main`;
//! - [`init_copy`]: the same as a copy of the parent, for a program of its own;
//! - [`signal_event`]: a descriptor that a signal handler makes readable;
//! - [`interrupt`]: SIGINT and SIGTERM as a descriptor, for a while;
//! - `job_control`: stops this process as a job of a shell;
//! - [`early_signals`]: signals of the terminal before a program has been executed;
//! - [`termination`]: SIGINT, SIGTERM and SIGHUP during work that is to end properly;
//! - [`limits`]: limits of resources in programs;
//! - [`proc_mount`]: a mount of proc that no path leads to;
//! - [`netlink`]: options of netlink sockets;
//! - [`ethtool`]: offloads of network devices;
//! - [`packet`]: packet sockets, with memory shared with the kernel;
//! - [`regular_file`]: files of the configuration;
//! - [`mod@slice`]: the time slice of a thread;
//! - [`thread`]: threads without signals;
//! - [`trial`]: system calls tried in a child, to learn which are refused;
//! - `unwinder`: how the commands are linked.
#![allow(
    unsafe_code,
    reason = "the rest of the crate denies it; each block here says why it is sound"
)]

pub(crate) mod call;
pub(crate) mod capset;
#[cfg(feature = "cli")]
pub(crate) mod copy;
pub(crate) mod descriptors;
#[cfg(feature = "cli")]
pub(crate) mod early_signals;
pub(crate) mod elsewhere;
pub(crate) mod ethtool;
#[cfg(feature = "cli")]
pub(crate) mod inherited_signals;
pub(crate) mod init;
#[cfg(feature = "cli")]
pub(crate) mod init_copy;
pub(crate) mod interrupt;
#[cfg(feature = "cli")]
pub(crate) mod job_control;
mod lend;
pub(crate) mod limits;
pub(crate) mod namespaces;
pub(crate) mod netlink;
pub(crate) mod packet;
pub(crate) mod proc_mount;
pub(crate) mod process;
pub(crate) mod regular_file;
mod rseq;
#[cfg(test)]
pub(crate) mod seccomp_filter;
mod signal_event;
pub(crate) mod slice;
pub(crate) mod spawn;
pub(crate) mod step;
pub(crate) mod tap;
pub(crate) mod termination;
pub(crate) mod thread;
pub(crate) mod trial;
#[cfg(all(feature = "cli", target_env = "gnu"))]
mod unwinder;
