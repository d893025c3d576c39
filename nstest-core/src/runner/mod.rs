//! Runs one test, from libtest's call to its verdict.
//!
//! libtest calls the *wrapper*, the function that the macro wrote in place of the test.
//! Two processes take part: the *parent*, in which libtest calls the wrapper, and the
//! *body*, in which the test function runs. The parent starts its own binary again, in
//! new namespaces, for this one test. There libtest calls the same wrapper, which finds
//! that this process was started for it. `docs/src/design/runner.md` describes the
//! design. In dependency order:
//!
//! - [`mod@test`]: a test and the arguments of its attribute;
//! - [`libtest`]: the names that libtest has for a test, and its command line;
//! - [`returned`]: what a test function returns, with the text of its error;
//! - [`pause_policy`]: which tests wait at their end, to be looked at;
//! - [`settings`]: the environment variables, read once for each test;
//! - [`record`]: what is recorded of a test while it runs;
//! - [`rerun`]: the command that runs a test again;
//! - [`verdict`]: from what the parent observed to the verdict, a pure function;
//! - [`announce`]: reports a verdict to libtest;
//! - [`parent`]: starts the body and watches it until all of its processes are dead;
//! - [`explore`]: runs the test again, once for each fault at each point;
//! - [`recorded_run`], [`keep`]: a run with its record; keeps those that failed;
//! - [`body`]: the other process: parameters, test function, result;
//! - [`inline`]: runs the body in the parent, for debuggers;
//! - [`mod@enter`]: a body without a test, for a `main`;
//! - `program`, `program_options`, `program_record`: a body that is a program, for `nstest run`;
//! - `entered`, `paused`: enters a test that is paused, for `nstest shell`;
//! - [`supervise`]: the parent's way through all of it;
//! - [`mod@run`]: what the macro calls.

mod announce;
mod body;
mod enter;
#[cfg(feature = "cli")]
mod entered;
mod explore;
mod inline;
mod keep;
mod libtest;
mod parent;
mod pause_policy;
#[cfg(feature = "cli")]
mod paused;
#[cfg(feature = "cli")]
mod program;
#[cfg(feature = "cli")]
mod program_options;
#[cfg(feature = "cli")]
mod program_record;
mod record;
mod recorded_run;
mod rerun;
mod returned;
mod run;
mod settings;
mod supervise;
mod test;
mod verdict;

#[cfg(feature = "cli")]
pub(crate) use body::channel::is_body;
pub use body::current::{net, pretend};
pub use body::fixtures::Fixtures;
pub use enter::enter;
#[cfg(feature = "cli")]
pub(crate) use enter::enter_as;
#[cfg(feature = "cli")]
pub use paused::PausedTest;
#[cfg(feature = "cli")]
pub use program::{replace_process, run_program, why_not_executed};
#[cfg(feature = "cli")]
pub use program_options::{Program, ProgramEnd};
pub use returned::Returned;
#[cfg(feature = "tokio")]
pub use run::run_async;
pub use run::{launch, run};
#[cfg(feature = "tokio")]
pub use test::Runtime;
pub use test::{Explore, Options, Test, Timeout};

/// Checks the environment variables of nstest, as each test does.
///
/// # Errors
/// For an invalid value, or an unknown name.
#[cfg(feature = "cli")]
pub(crate) fn check_settings() -> crate::error::Result<()> {
    settings::Settings::check()
}
