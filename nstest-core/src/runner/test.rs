//! What the macro knows of a test: the arguments of [`run`](super::run).

use std::sync::Mutex;
use std::time::Duration;

/// What the macro knows of one test; one static for each.
#[derive(Debug)]
pub struct Test {
    pub(super) module: &'static str,
    pub(super) function: &'static str,
    pub(super) options: Options,
    /// The names under which libtest called it, in this process.
    pub(super) entered: Mutex<Vec<String>>,
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
    /// `seed = N`.
    pub seed: Option<u64>,
    /// `explore(…)`.
    pub explore: Option<Explore>,
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
        seed: None,
        explore: None,
        should_panic: None,
        registers: true,
    };
}

/// What is injected at every point of a test, one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explore {
    /// The faults, by the names that plans have for them, in the order written.
    pub faults: &'static [&'static str],
    /// `max = N`: how many runs there are at most.
    pub max: Option<u32>,
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
