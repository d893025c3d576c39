//! The tokio runtime of a node, on which its tasks run.

use tokio::runtime::Builder;

use super::resident::Resident;
use crate::error::{Error, ErrorCode, Result};

/// A runtime that may be dropped anywhere. Dropping tokio's own in a task panics.
#[derive(Debug)]
pub(super) struct NodeRuntime(Option<tokio::runtime::Runtime>);

impl NodeRuntime {
    /// Has the resident thread build the runtime, so that all threads of the runtime live in
    /// the node.
    pub(super) fn start(resident: &Resident, node: &str) -> Result<Self> {
        let name = format!("tokio in {node}");
        // One worker is enough for one node, and a test has many nodes.
        let build = move || {
            Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()
        };
        let runtime = resident.perform(build)?.map_err(|error| {
            Error::new(ErrorCode::Namespace, format!("start a tokio runtime in node {node}"))
                .source(error)
        })?;
        Ok(Self(Some(runtime)))
    }

    pub(super) fn handle(&self) -> &tokio::runtime::Handle {
        match &self.0 {
            Some(runtime) => runtime.handle(),
            None => unreachable!("only `drop` takes the runtime"),
        }
    }
}

impl Drop for NodeRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
