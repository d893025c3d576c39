//! Running code in a node: closures, futures, threads, tasks and programs.
//!
//! A network namespace belongs to a thread, so there are two ways to run code in a node. A
//! *visit* moves the calling thread into the node for the time of a closure, and back. Sockets
//! that it opens stay in the node, whichever thread uses them later. A *resident* is a thread
//! that lives in the node. Threads, tasks and programs are started by it and inherit all that
//! belongs to the node: the network, `/sys` and the hostname.
//!
//! In dependency order:
//!
//! - `panic_hook`: whether a panic is being printed;
//! - `panics`: the panics of a node's threads and tasks;
//! - `thread_name`: the names of threads in messages;
//! - `softnet`, `quiescence`: waiting until everything in the test sleeps;
//! - `view`: the mounts and the hostname of a node;
//! - `resident`: the thread that lives in a node;
//! - `runtime`: the tokio runtime of a node;
//! - `first_use`: in which nodes code of the test has run;
//! - `programs`, `returned`: the programs that were started in a node, and the threads and tasks
//!   that have returned;
//! - `executor`: [`NodeExecutor`], to which the files below add methods;
//! - `visit`: closures, and futures that any runtime polls;
//! - `stray`: finds threads that a visit left in a node;
//! - `spawn`, `task`: threads and tokio tasks;
//! - `command`, `process`: programs, and programs that can be awaited;
//! - `connect_outcome`, `probe`: attempts to connect, and what became of them;
//! - `ready`, `connections`: listening ports, ICMP echo, and killing TCP connections;
//! - `transport`: what a node has sent and received;
//! - `rtnetlink`: a handle of the crate rtnetlink.

pub(crate) mod command;
mod connect_outcome;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/connections.rs")]
mod connections;
mod executor;
mod first_use;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/open_files.rs")]
pub(crate) mod open_files;
mod panic_hook;
mod panics;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/probe.rs")]
mod probe;
#[cfg(feature = "process")]
mod process;
mod programs;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/quiescence.rs")]
pub(crate) mod quiescence;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/ready.rs")]
mod ready;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/resident.rs")]
mod resident;
mod returned;
#[cfg(all(feature = "rtnetlink", target_os = "linux"))]
mod rtnetlink;
#[cfg(feature = "tokio")]
mod runtime;
#[cfg(not(any(not(target_os = "linux"), miri, nstest_stub)))]
pub(crate) mod softnet;
pub(crate) mod spawn;
pub(crate) mod stray;
#[cfg(feature = "tokio")]
pub(crate) mod task;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/thread_name.rs")]
mod thread_name;
#[cfg(not(any(not(target_os = "linux"), miri, nstest_stub)))]
pub(crate) mod transport;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/view.rs")]
pub(crate) mod view;
pub(crate) mod visit;

pub(crate) use connect_outcome::ConnectOutcome;
pub(crate) use executor::NodeExecutor;
#[cfg(not(any(not(target_os = "linux"), miri, nstest_stub)))]
pub(crate) use first_use::UsedNodes;
#[cfg(not(any(not(target_os = "linux"), miri, nstest_stub)))]
pub(crate) use open_files::reserve as reserve_open_files;
#[cfg(all(feature = "cli", not(any(not(target_os = "linux"), miri, nstest_stub))))]
pub(crate) use open_files::restore as restore_open_files;
pub(crate) use panics::{Panicked, Panics};
