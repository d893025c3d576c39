//! There and back: the calling thread in a node for the time of a closure, or of
//! one poll of a future.

use std::any::type_name;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::executor::NodeExecutor;
use crate::netns::Namespace;

impl NodeExecutor {
    /// Runs `body` here, on the calling thread.
    ///
    /// # Panics
    /// If `body` returns a future, which would run elsewhere; and if the thread
    /// cannot get here, which takes a shortage of file descriptors.
    #[track_caller]
    pub(crate) fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        assert!(
            !is_future::<R>(),
            "`run` on node {} was given a closure that returns a future (or a closure): it would run \
             in the network of whoever polls it. Use `scope(future).await`, or `spawn_async(future)`",
            self.name()
        );
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

/// What can be seen of it on a stable compiler: futures made by `async` and
/// closures share the form of their names, and nobody returns the latter.
fn is_future<R>() -> bool {
    let name = type_name::<R>();
    name.ends_with("{{closure}}")
        || name.starts_with("core::future::")
        || name.contains("dyn core::future::future::Future<")
}

/// A future that is polled, and dropped, in a node.
///
/// Its own input and output happen there, on any runtime. Threads that a poll
/// starts, such as those of a blocking pool, stay there.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct ScopedFuture<F> {
    namespace: Namespace,
    /// Boxed, so that it can be pinned without unsafe code; taken when it is dropped.
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> ScopedFuture<F> {
    pub(crate) fn new(executor: &NodeExecutor, future: F) -> Self {
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
        // Where the node cannot be entered, dropping it here is the better evil:
        // a panic in a drop would abort.
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
    fn futures_are_known_by_their_names() {
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
