//! [`NodeExecutor`]: what runs code in one node.
//!
//! The other files of this directory add its methods: visits, threads, tasks, probes.

use std::sync::Arc;

use once_cell::sync::OnceCell;

use super::first_use::{FirstUse, UsedNodes};
use super::panics::Panics;
use super::programs::StartedPrograms;
use super::resident::Resident;
use super::returned::ReturnedTasks;
#[cfg(feature = "tokio")]
use super::runtime::NodeRuntime;
use super::view::View;
use crate::error::Result;
use crate::netns::Namespace;

/// Runs code in one node.
#[derive(Debug)]
pub(crate) struct NodeExecutor {
    namespace: Namespace,
    view: View,
    /// Started when the first thread, task or program of the node starts.
    resident: OnceCell<Resident>,
    /// Started for the first task of the node.
    #[cfg(feature = "tokio")]
    runtime: OnceCell<NodeRuntime>,
    panics: Arc<Panics>,
    returned: Arc<ReturnedTasks>,
    programs: StartedPrograms,
    first_use: FirstUse,
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
            returned: Arc::default(),
            programs: StartedPrograms::default(),
            first_use: FirstUse::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.namespace.name()
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Notes that code of the test may run in the node.
    pub(crate) fn mark_used(&self) {
        self.first_use.mark();
    }

    /// Reports there, under this number, when the node is used for the first time.
    pub(crate) fn report_use_to(&self, nodes: &UsedNodes, number: u16) {
        self.first_use.report_to(number, nodes);
    }

    pub(super) fn panics(&self) -> &Arc<Panics> {
        &self.panics
    }

    /// What is known about its threads and tasks that have returned.
    pub(crate) fn returned_tasks(&self) -> Option<String> {
        self.returned.describe()
    }

    pub(super) fn returned(&self) -> &Arc<ReturnedTasks> {
        &self.returned
    }

    pub(super) fn programs(&self) -> &StartedPrograms {
        &self.programs
    }

    /// The thread that lives in the node. The first call starts it.
    pub(super) fn resident(&self) -> Result<&Resident> {
        self.mark_used();
        self.resident.get_or_try_init(|| Resident::start(&self.namespace, &self.view))
    }

    /// The tokio runtime of the node. The first call starts it.
    #[cfg(feature = "tokio")]
    pub(super) fn runtime(&self) -> Result<&NodeRuntime> {
        self.runtime.get_or_try_init(|| NodeRuntime::start(self.resident()?, self.name()))
    }
}
