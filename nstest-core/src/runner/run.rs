//! What the macro calls. In the body's process, and in those that the body starts from its
//! own binary, it runs the test function; in the parent's it has the test run in a new
//! process, and reports the verdict to libtest.

use std::process::Termination;

use super::announce::announce;
use super::body::channel::Channel;
use super::body::fixtures::Fixtures;
use super::body::restarted::Restarted;
use super::settings::Settings;
#[cfg(feature = "tokio")]
use super::test::Runtime;
use super::test::Test;
use super::verdict::Verdict;
use super::{inline, supervise};
use crate::error::Result;
use crate::preflight::policy::Policy;

/// Runs a test: in this process if it is the test's body, or if the test started it,
/// otherwise in a new one. `error` has the text of the error in a returned value.
pub fn run<R: Termination>(
    test: &'static Test,
    error: fn(&R) -> Option<String>,
    function: impl FnOnce(&mut Fixtures) -> R,
) {
    let function = |fixtures: &mut Fixtures| {
        let returned = function(fixtures);
        (error(&returned), returned)
    };
    if let Some(channel) = Channel::claim(&test.path()) {
        channel.play(test, function)
    }
    if let Some(restarted) = Restarted::within(&test.path()) {
        return restarted.play(test, function);
    }
    match (Settings::read(&test.options), test.within) {
        (Ok(settings), _) if settings.inline => {
            announce(test, inline::play(test, &settings, function), settings.unsupported);
        }
        (_, Some(within)) => within(),
        (settings, None) => launch_with(test, settings),
    }
}

/// Runs a test in a new process, and reports the verdict to libtest.
pub fn launch(test: &'static Test) {
    launch_with(test, Settings::read(&test.options));
}

fn launch_with(test: &Test, settings: Result<Settings>) {
    match settings {
        Ok(settings) => {
            announce(test, supervise::supervise(test, &settings), settings.unsupported);
        }
        Err(error) => announce(test, Verdict::Broken(error).into(), Policy::default()),
    }
}

/// [`run`] for an `async fn`. The runtime is built in the body's process only.
#[cfg(feature = "tokio")]
pub fn run_async<R: Termination, F: Future<Output = R>>(
    test: &'static Test,
    error: fn(&R) -> Option<String>,
    runtime: Runtime,
    function: impl FnOnce(&mut Fixtures) -> F,
) {
    use tokio::runtime::Builder;
    run(test, error, |fixtures| {
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
        // A thread starts in the network namespace of the thread that starts it. That
        // is a node's, if the runtime starts it during a poll in a node.
        builder.enable_all().on_thread_start(crate::netns::return_home);
        let runtime = builder.build().expect("tokio could not start its runtime");
        let future = function(fixtures);
        runtime.block_on(future)
    });
}
