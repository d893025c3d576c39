//! One test, one process tree, one verdict.
//!
//! libtest calls the *wrapper* that the macro made, in the *parent* process;
//! [`run`] is that call. The parent starts the test binary again, in new
//! namespaces, for this one test; there the same wrapper finds itself chosen
//! and plays the *body*. `docs/src/design/runner.md` tells the whole course.
//!
//! - [`mod@test`]: what the macro knows of a test;
//! - [`names`]: what libtest calls the test, and how libtest was called;
//! - [`settings`]: the environment variables;
//! - [`setup`], [`host`] and [`identity`]: what is done between clone and exec, as data;
//! - [`errands`]: what the parent does for the child meanwhile;
//! - [`joined`]: a namespace that somebody else made;
//! - [`parent`]: starting, watching, ending;
//! - [`watch`] and [`output`]: its end, and what it prints, on its way to libtest;
//! - [`explore`]: the same test again, with a fault at each point of it;
//! - [`verdict`]: from what was seen to what is said;
//! - [`body`]: the other side, and [`ambient`]: what it can be asked from anywhere;
//! - [`inline`] and [`mod@enter`]: without a process of its own, and for a `main`.

mod alive;
mod ambient;
mod body;
mod enter;
mod errands;
mod explore;
mod host;
mod identity;
mod inline;
mod joined;
mod names;
mod output;
mod parent;
mod settings;
mod setup;
mod test;
mod verdict;
mod watch;

use std::process::Termination;

pub use ambient::{net, pretend};
pub use body::Fixtures;
pub use enter::enter;
#[cfg(feature = "tokio")]
pub use test::Runtime;
pub use test::{Explore, Options, Test, Timeout};

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
        // A thread that a poll in a node starts would be born there, and stay.
        builder.enable_all().on_thread_start(crate::netns::return_home);
        let runtime = builder.build().expect("tokio could not start its runtime");
        let future = body(fixtures);
        runtime.block_on(future)
    });
}
