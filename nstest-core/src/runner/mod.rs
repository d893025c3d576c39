//! One test, one process tree, one verdict.
//!
//! libtest calls the *wrapper* that the macro made, in the *parent* process;
//! [`run`] is that call. The parent starts the test binary again, in new
//! namespaces, for this one test; there the same wrapper finds itself chosen
//! and plays the *body*. `docs/src/design/runner.md` tells the whole course.
//!
//! - [`names`]: what libtest calls the test, and how libtest was called;
//! - [`settings`]: the environment variables;
//! - [`setup`], [`host`] and [`identity`]: what is done between clone and exec, as data;
//! - [`errands`]: what the parent does for the child meanwhile;
//! - [`joined`]: a namespace that somebody else made;
//! - [`parent`]: starting, watching, ending;
//! - [`output`]: what the body prints, on its way to libtest;
//! - [`verdict`]: from what was seen to what is said;
//! - [`body`]: the other side, and [`ambient`]: what it can be asked from anywhere;
//! - [`inline`] and [`enter`]: without a process of its own, and for a `main`.

mod alive;
mod ambient;
mod body;
mod context;
mod enter;
mod errands;
mod host;
mod identity;
mod inline;
mod joined;
mod names;
mod output;
mod parent;
mod settings;
mod setup;
mod verdict;

use std::process::Termination;
use std::sync::Mutex;
use std::time::Duration;

pub use ambient::net;
pub use body::Fixtures;
pub use context::TestContext;
pub use enter::enter;
pub(crate) use setup::{NODE, OWN_HOSTS};

/// What the macro knows of one test; one static for each.
#[derive(Debug)]
pub struct Test {
    module: &'static str,
    function: &'static str,
    options: Options,
    /// The names under which libtest called it, in this process.
    entered: Mutex<Vec<String>>,
}

impl Test {
    /// `module` is `module_path!()`, `function` the identifier with its `r#`.
    #[must_use]
    pub const fn new(module: &'static str, function: &'static str, options: Options) -> Self {
        Self { module, function, options, entered: Mutex::new(Vec::new()) }
    }
}

/// The arguments of the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `timeout = "…"`.
    pub timeout: Timeout,
    /// `root = …`.
    pub root: bool,
    /// `peers = N`.
    pub peers: u16,
    /// `subnet = "…"`, or a list of two.
    pub subnets: &'static [&'static str],
    /// `mtu = N`.
    pub mtu: Option<u32>,
    /// `ipv6 = …`.
    pub ipv6: bool,
    /// `uplink`.
    pub uplink: bool,
    /// `netns = "…"`.
    pub netns: Option<&'static str>,
    /// The text in `#[should_panic(expected = "…")]`, empty where there is none.
    pub should_panic: Option<&'static str>,
    /// Whether the attribute registers the function with libtest itself.
    pub registers: bool,
}

impl Options {
    /// What `#[netns_test]` without arguments means.
    pub const DEFAULT: Self = Self {
        timeout: Timeout::Default,
        root: true,
        peers: 0,
        subnets: &[],
        mtu: None,
        ipv6: true,
        uplink: false,
        netns: None,
        should_panic: None,
        registers: true,
    };
}

/// How long a test may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// Nothing was said: 60 s.
    Default,
    /// `timeout = "30s"`.
    After(Duration),
    /// `timeout = "none"`.
    Never,
}

/// The tokio runtime that an async body runs on.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy)]
pub enum Runtime {
    /// `flavor = "current_thread"`, the default.
    CurrentThread,
    /// `flavor = "multi_thread"`; without `worker_threads` as many as there are processors.
    MultiThread {
        /// `worker_threads = N`.
        workers: Option<usize>,
    },
}

/// Runs a test: here if this process is its body's, else in one of its own.
pub fn run<R: Termination>(test: &'static Test, body: impl FnOnce(&mut Fixtures) -> R) {
    if let Some(channel) = body::Channel::claim(test) {
        channel.play(test, body)
    } else if settings::inline() {
        inline::play(test, body);
    } else {
        parent::supervise(test);
    }
}

/// [`run`] for an `async fn`. The runtime is built in the body's process only.
#[cfg(feature = "tokio")]
pub fn run_async<R: Termination, F: Future<Output = R>>(
    test: &'static Test,
    runtime: Runtime,
    body: impl FnOnce(&mut Fixtures) -> F,
) {
    use tokio::runtime::Builder;
    run(test, |fixtures| {
        let mut builder = match runtime {
            Runtime::CurrentThread => Builder::new_current_thread(),
            Runtime::MultiThread { workers } => {
                let mut builder = Builder::new_multi_thread();
                if let Some(workers) = workers {
                    builder.worker_threads(workers);
                }
                builder
            }
        };
        let runtime = builder.enable_all().build().expect("tokio could not start its runtime");
        let future = body(fixtures);
        runtime.block_on(future)
    });
}
