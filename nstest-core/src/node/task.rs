//! Tasks on the node's tokio runtime.
//!
//! All threads of that runtime live in the node. So the tasks that a task spawns, and the
//! closures that it gives to the blocking pool, run in the node too.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{JoinError, JoinHandle};

use super::executor::NodeExecutor;
use super::panics::Unfinished;
use super::spawn::PanicRecorder;
use crate::error::Result;

/// A task in a node. Dropping the handle detaches the task.
///
/// Awaiting it returns the output of the future, or tokio's error. A panic in the task fails
/// the test, unless the task is awaited. See [`Node::spawn`](crate::Node::spawn).
#[derive(Debug)]
pub struct Task<T> {
    inner: JoinHandle<Recorded<T>>,
    recorder: PanicRecorder,
}

impl<T> Task<T> {
    /// Ends the task, as [`tokio::task::JoinHandle::abort`] does: its future is dropped when it
    /// waits at an `.await`. Await the task to know that it has ended; it returns an error then.
    ///
    /// Of a server, this closes the listener and the connections that the future holds itself.
    /// Tasks that it has started with `tokio::spawn` go on, with their connections:
    /// [`Node::kill_connections`](crate::Node::kill_connections) ends those. The port is free
    /// again when the task has ended, so that the same server can be started once more.
    pub fn abort(&self) {
        self.inner.abort();
    }

    /// Whether the task has ended, as [`tokio::task::JoinHandle::is_finished`] says.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }
}

impl<T> Future for Task<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = Pin::new(&mut self.inner).poll(context);
        result.map(|result| {
            self.recorder.joined();
            result.map(Recorded::into_inner)
        })
    }
}

/// The future of a task, or its output. A panic of its destructor is recorded; tokio would catch
/// it. The task has ended when both are dropped or handed over.
#[derive(Debug)]
struct Recorded<T> {
    value: Option<T>,
    recorder: PanicRecorder,
    unfinished: Option<Unfinished>,
}

impl<T> Recorded<T> {
    fn into_inner(mut self) -> T {
        match self.value.take() {
            Some(value) => value,
            None => unreachable!("only this and `drop` take the value"),
        }
    }
}

impl<F: Future<Output: 'static>> Recorded<Pin<Box<F>>> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Recorded<F::Output>> {
        let Some(future) = &mut self.value else { return Poll::Pending };
        self.recorder.run(|| future.as_mut().poll(context)).map(|output| {
            self.recorder.returned(&output);
            Recorded {
                value: Some(output),
                recorder: self.recorder.clone(),
                unfinished: self.unfinished.take(),
            }
        })
    }
}

impl<T> Drop for Recorded<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.recorder.run(|| drop(value));
        }
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
        let mut task = Recorded {
            value: Some(Box::pin(future)),
            recorder: recorder.clone(),
            unfinished: Some(self.panics().start()),
        };
        let inner = runtime.handle().spawn(poll_fn(move |context| task.poll(context)));
        Ok(Task { inner, recorder })
    }
}
