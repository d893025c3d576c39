//! Visits: the calling thread enters a node for the time of a closure or of one poll of a
//! future, and returns.

use std::any::type_name;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::executor::NodeExecutor;
use crate::netns::Namespace;

impl NodeExecutor {
    /// Runs `body` in the node, on the calling thread.
    ///
    /// # Panics
    /// If `body` returns a future, because that would run outside of the node. Also if the
    /// thread cannot enter the node, for example because no file descriptor is left.
    #[track_caller]
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        assert!(
            !is_future::<R>(),
            "the closure given to `run` on node {} returns a future (or a closure), which would run \
             outside of the node. Use `scope(future).await` or `spawn_async(future)`",
            self.name()
        );
        self.mark_used();
        visit(self.namespace(), body)
    }
}

#[track_caller]
fn visit<R>(namespace: &Namespace, body: impl FnOnce() -> R) -> R {
    match namespace.enter(body) {
        Ok(result) => result,
        Err(error) => panic!("{error:?}"),
    }
}

/// Recognises futures by the names of their types, since a stable compiler offers no better
/// way. Closures look like `async` blocks, but it is unusual to return one.
fn is_future<R>() -> bool {
    let name = type_name::<R>();
    name.ends_with("{{closure}}")
        || name.starts_with("core::future::")
        || name.contains("dyn core::future::future::Future<")
}

/// A future that is polled and dropped in a node.
///
/// It works on any runtime. Sockets that it opens belong to the node. Threads that a poll
/// starts, such as those of a blocking pool, stay in the node.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct ScopedFuture<F> {
    namespace: Namespace,
    /// Boxed, so that it can be pinned without unsafe code. `drop` takes it.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> ScopedFuture<F> {
    pub(crate) fn new(executor: &NodeExecutor, future: F) -> Self {
        executor.mark_used();
        Self { future: Some(Box::pin(future)), namespace: executor.namespace().clone() }
    }
}

impl<F: Future> Future for ScopedFuture<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { namespace, future } = &mut *self;
        let Some(future) = future else { return Poll::Pending };
        visit(namespace, || future.as_mut().poll(context))
    }
}

impl<F> Drop for ScopedFuture<F> {
    fn drop(&mut self) {
        let future = self.future.take();
        // If the node cannot be entered, the future is dropped here. A panic in `drop` could
        // abort the process.
        let _ = self.namespace.enter(|| drop(future));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<T>(_: &T) -> bool {
        is_future::<T>()
    }

    #[test]
    fn futures_are_recognised() {
        async fn named() {}
        assert!(of(&async {}));
        assert!(of(&named()));
        assert!(of(&std::future::ready(())));
        let boxed: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {});
        assert!(of(&boxed));
        assert!(!of(&1));
        assert!(!of(&std::io::Result::Ok(())));
    }
}
