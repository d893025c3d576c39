//! Tasks on the node's tokio runtime.
//!
//! All threads of that runtime live in the node. So the tasks that a task spawns, and the
//! closures that it gives to the blocking pool, run in the node too.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{JoinError, JoinHandle};

use super::executor::NodeExecutor;
use super::spawn::PanicRecorder;
use crate::error::Result;

/// A task in a node. Dropping the handle detaches the task.
///
/// Awaiting it returns the output of the future, or tokio's error. A panic in the task fails
/// the test, unless the task is awaited. See [`Node::spawn`](crate::Node::spawn).
#[derive(Debug)]
pub struct Task<T> {
    inner: JoinHandle<T>,
    recorder: PanicRecorder,
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
            self.recorder.joined();
        }
        result
    }
}

impl NodeExecutor {
    /// Starts a task on the runtime of the node.
    pub(crate) fn spawn_async<F>(&self, future: F) -> Result<Task<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = self.runtime()?;
        let recorder = self.panic_recorder();
        let of_task = recorder.clone();
        let unfinished = self.panics().start();
        let inner = runtime.handle().spawn(async move {
            let _unfinished = unfinished;
            let mut future = Box::pin(future);
            poll_fn(|context| of_task.run(|| future.as_mut().poll(context))).await
        });
        Ok(Task { inner, recorder })
    }
}
