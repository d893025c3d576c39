//! What a test can find out about itself.

use std::path::Path;
use std::sync::Arc;
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
