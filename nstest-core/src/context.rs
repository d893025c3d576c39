//! The handle that a test has on its own circumstances.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a test can know of itself; a parameter of this type is that.
///
/// ```
/// # fn context() -> Option<nstest::TestContext> { None }
/// # let Some(cx) = context() else { return };
/// let socket = cx.tmp_dir().join("server.sock");
/// if cx.remaining().is_some_and(|left| left.as_secs() < 5) {
///     eprintln!("{}: hurry", cx.name());
/// }
/// # let _ = socket;
/// ```
#[derive(Debug, Clone)]
pub struct TestContext {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    tmp_dir: PathBuf,
    timeout: Option<Duration>,
    start: Instant,
}

impl TestContext {
    pub(crate) fn new(name: String, timeout: Option<Duration>) -> Self {
        let inner = Inner { name, tmp_dir: std::env::temp_dir(), timeout, start: Instant::now() };
        Self { inner: Arc::new(inner) }
    }

    /// The name of the test, as libtest prints it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// A directory that only this test sees, gone when it ends: `TMPDIR`, and so
    /// [`std::env::temp_dir`], are the same. It is kept in memory (tmpfs(5)). In
    /// inline mode it is the one that everybody has.
    #[must_use]
    pub fn tmp_dir(&self) -> &Path {
        &self.inner.tmp_dir
    }

    /// How long the test may take; `None` is for ever.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.inner.timeout
    }

    /// How much of that is left.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.inner.timeout?.saturating_sub(self.inner.start.elapsed()))
    }
}
