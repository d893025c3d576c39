//! Code in a node: how a closure, a thread, a future or a program gets into the
//! network of another node than the test's own.
//!
//! A namespace belongs to a thread, so there are two ways in. A *visit*
//! ([`visit`]) takes the calling thread there and back: sockets that it makes
//! belong to the node for ever, whatever thread uses them. A *resident*
//! ([`resident`]) is a thread that lives in the node and never leaves; whatever
//! it starts is born there, with the whole view of the node, `/sys` and hostname
//! included. Threads ([`spawn`]), tasks
//! ([`task`]) and programs ([`command`]) are started by it.

pub(crate) mod command;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/connections.rs")]
mod connections;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/probe.rs")]
mod probe;
#[cfg(feature = "process")]
mod process;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/ready.rs")]
mod ready;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/resident.rs")]
mod resident;
pub(crate) mod spawn;
pub(crate) mod stray;
#[cfg(feature = "tokio")]
pub(crate) mod task;
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "../stub/view.rs")]
pub(crate) mod view;
pub(crate) mod visit;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use once_cell::sync::OnceCell;

use crate::error::Result;
use crate::netns::Namespace;
use resident::Resident;
use view::View;

/// Where code runs: the inside of one node.
#[derive(Debug)]
pub(crate) struct NodeExecutor {
    namespace: Namespace,
    view: View,
    /// Started when something is to be born in the node for the first time.
    resident: OnceCell<Resident>,
    /// Its threads live here; started by the resident for the first task.
    #[cfg(feature = "tokio")]
    runtime: OnceCell<task::NodeRuntime>,
    panics: Arc<Panics>,
}

impl NodeExecutor {
    pub(crate) fn new(namespace: Namespace, view: View, panics: Arc<Panics>) -> Self {
        Self {
            namespace,
            view,
            resident: OnceCell::new(),
            #[cfg(feature = "tokio")]
            runtime: OnceCell::new(),
            panics,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.namespace.name()
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The thread that lives here.
    fn resident(&self) -> Result<&Resident> {
        self.resident.get_or_try_init(|| Resident::start(&self.namespace, &self.view))
    }
}

/// How an attempt to reach somebody ended.
#[derive(Debug)]
pub(crate) enum ConnectOutcome {
    Connected,
    /// By an RST in answer to the SYN.
    Refused,
    /// By an RST later.
    Reset,
    /// By an ICMP message of this address.
    Rejected {
        by: IpAddr,
        errno: io::Error,
    },
    /// Nothing came back; `last` is the last router that packets came to.
    Silence {
        last: Option<IpAddr>,
    },
    NoRoute,
}

/// Panics in threads and tasks of nodes that nobody has heard of yet. A test
/// that leaves one unheard fails.
#[derive(Debug, Default)]
pub(crate) struct Panics {
    unheard: Mutex<Vec<Panicked>>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked {
    id: u64,
    pub(crate) node: String,
    pub(crate) message: String,
}

impl Panics {
    fn note(&self, panicked: Panicked) {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).push(panicked);
    }

    /// Somebody joined the thread or task, and got its panic.
    fn heard(&self, id: u64) {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).retain(|p| p.id != id);
    }

    /// What nobody has heard of.
    pub(crate) fn unheard(&self) -> Vec<Panicked> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
