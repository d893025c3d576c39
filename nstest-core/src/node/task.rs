//! Tasks on a tokio runtime whose threads live in the node.
//!
//! What a task spawns, and what it gives to the blocking pool, stays in the
//! node: all of the runtime's threads are started by threads that live there.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Builder;
use tokio::task::{JoinError, JoinHandle};

use super::NodeExecutor;
use super::spawn::Ticket;
use crate::error::{Error, ErrorCode, Result};

/// A task in a node. Dropping it detaches the task.
///
/// Awaited, it gives what the future gave, or tokio's error. A panic of the task
/// fails the test, unless it is awaited.
#[derive(Debug)]
#[must_use = "a panic of the task fails the test unless somebody awaits it"]
pub struct Task<T> {
    inner: JoinHandle<T>,
    ticket: Ticket,
}

impl<T> Task<T> {
    /// See [`tokio::task::JoinHandle::abort`].
    pub fn abort(&self) {
        self.inner.abort();
    }

    /// See [`tokio::task::JoinHandle::is_finished`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = Pin::new(&mut self.inner).poll(context);
        if result.is_ready() {
            self.ticket.heard();
        }
        result
    }
}

impl NodeExecutor {
    /// Starts a task here.
    pub(crate) fn spawn_async<F>(&self, future: F) -> Result<Task<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = self.runtime.get_or_try_init(|| self.start_runtime())?;
        let ticket = self.ticket();
        let witness = ticket.clone();
        let inner = runtime.get().spawn(async move {
            let mut future = Box::pin(future);
            poll_fn(|context| witness.witness(|| future.as_mut().poll(context))).await
        });
        Ok(Task { inner, ticket })
    }

    fn start_runtime(&self) -> Result<NodeRuntime> {
        let name = format!("tokio in {}", self.name());
        // One worker: a node is one machine, and a test has many.
        let build = move || {
            Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()
        };
        let runtime = self.resident()?.perform(build)?.map_err(|error| {
            Error::new(ErrorCode::Namespace, format!("start a runtime in node {}", self.name()))
                .source(error)
        })?;
        Ok(NodeRuntime(Some(runtime)))
    }
}

/// A runtime that may be dropped anywhere: tokio's own must not be dropped in a task.
#[derive(Debug)]
pub(super) struct NodeRuntime(Option<tokio::runtime::Runtime>);

impl NodeRuntime {
    fn get(&self) -> &tokio::runtime::Handle {
        match &self.0 {
            Some(runtime) => runtime.handle(),
            None => unreachable!("it is taken when dropped"),
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
