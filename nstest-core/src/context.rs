//! What a test can find out about itself.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The running test: its name, temporary directory and time limit. A parameter of a test.
///
/// ```no_run
/// use nstest::{TestContext, TestResult, netns_test};
/// use std::os::unix::net::UnixListener;
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test(timeout = "10s")]
/// fn listens_in_a_directory_of_its_own(context: TestContext) -> TestResult {
///     let _listener = UnixListener::bind(context.tmp_dir().join("server.sock"))?;
///     assert!(context.remaining().is_some());
///     Ok(())
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TestContext {
    name: Arc<str>,
    tmp_dir: Arc<Path>,
    timeout: Option<Duration>,
    start: Instant,
}

impl TestContext {
    pub(crate) fn new(name: String, timeout: Option<Duration>) -> Self {
        let tmp_dir = std::env::temp_dir().into();
        Self { name: name.into(), tmp_dir, timeout, start: Instant::now() }
    }

    /// The name of the test, as libtest prints it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A directory that only this test sees, and that is removed when the test ends. It
    /// is in memory (tmpfs(5)), and holds 256 MiB, or what `NSTEST_TMPFS_SIZE` says. `TMPDIR`, and
    /// so [`std::env::temp_dir`], is the same directory. In inline mode it is the directory of the
    /// machine.
    #[must_use]
    pub fn tmp_dir(&self) -> &Path {
        &self.tmp_dir
    }

    /// The time limit of the test; `None` if it has none.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The time until the time limit; `None` if the test has none.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.timeout?.saturating_sub(self.start.elapsed()))
    }
}

/// The time limit of the test that this process plays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    start: Instant,
    pub(crate) timeout: Duration,
}

static LIMIT: OnceLock<TimeLimit> = OnceLock::new();

impl TimeLimit {
    /// To be called when the body of a test begins, if the parent ends it at its timeout. In inline
    /// mode it does not.
    pub(crate) fn begin(timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            // A test that is called within a test is the parent of another process.
            let _ = LIMIT.set(Self::from_now(timeout));
        }
    }

    pub(crate) fn from_now(timeout: Duration) -> Self {
        Self { start: Instant::now(), timeout }
    }

    pub(crate) fn of_this_process() -> Option<Self> {
        LIMIT.get().copied()
    }

    /// How long a wait can take so that its error is still reported.
    pub(crate) fn left(self) -> Duration {
        let report = (self.timeout / 5).min(Duration::from_secs(1));
        self.timeout.saturating_sub(report).saturating_sub(self.start.elapsed())
    }
}
