//! A test and the arguments of its attribute, as the macro writes them.

use std::sync::Mutex;
use std::time::Duration;

use crate::fault::ExploreFault;

/// What the macro knows of one test; one static for each.
#[derive(Debug)]
pub struct Test {
    pub(super) module: &'static str,
    pub(super) function: &'static str,
    pub(super) options: Options,
    /// Calls [`launch`](super::launch), and does around it what attributes do only in the
    /// parent's process.
    pub(super) within: Option<fn()>,
    /// The names under which libtest called it in this process.
    pub(super) called: Mutex<Vec<String>>,
}

impl Test {
    /// `module` is `module_path!()`, `function` the identifier with its `r#`.
    #[must_use]
    pub const fn new(module: &'static str, function: &'static str, options: Options) -> Self {
        Self { module, function, options, within: None, called: Mutex::new(Vec::new()) }
    }

    /// In the parent's process, the test runs within `function`, which calls
    /// [`launch`](super::launch).
    #[must_use]
    pub const fn within(mut self, function: fn()) -> Self {
        self.within = Some(function);
        self
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
    /// `offloads = …`.
    pub offloads: bool,
    /// `uplink`.
    pub uplink: bool,
    /// `netns = "…"`.
    pub netns: Option<&'static str>,
    /// `seed = N`.
    pub seed: Option<u64>,
    /// `explore(…)`.
    pub explore: Option<Explore>,
    /// The text of `#[should_panic(expected = "…")]`; empty without `expected`.
    pub should_panic: Option<&'static str>,
    /// Whether the attribute registers the function with libtest itself.
    pub registers: bool,
}

impl Options {
    /// The options of `#[netns_test]` without arguments.
    pub const DEFAULT: Self = Self {
        timeout: Timeout::Default,
        root: true,
        peers: 0,
        subnets: &[],
        mtu: None,
        ipv6: true,
        offloads: true,
        uplink: false,
        netns: None,
        seed: None,
        explore: None,
        should_panic: None,
        registers: true,
    };
}

/// The faults that are injected at every point of a test, one in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explore {
    /// The faults, in the order of the attribute.
    pub faults: &'static [ExploreFault],
    /// `max = N`: the largest number of runs.
    pub max: Option<u32>,
}

/// How long a test may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeout {
    /// No argument: 60 s, or 15 s for each run of an exploration.
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
    /// `flavor = "multi_thread"`; without `worker_threads`, one worker for each processor.
    MultiThread {
        /// `worker_threads = N`.
        workers: Option<usize>,
    },
}
