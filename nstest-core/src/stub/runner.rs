//! The runner where there are no network namespaces: on other systems than
//! Linux, under Miri, and with `--cfg nstest_stub`, which shows on Linux that
//! the rest compiles without it.
//!
//! The macro has libtest ignore the tests, and say why. What is called
//! nevertheless fails.

#[path = "../runner/returned.rs"]
mod returned;
#[path = "../runner/test.rs"]
mod test;

#[cfg(feature = "cli")]
#[path = "../runner/program_options.rs"]
mod program_options;

use std::process::Termination;

#[cfg(feature = "cli")]
pub use program_options::{Program, ProgramEnd};
pub use returned::Returned;
#[cfg(feature = "tokio")]
pub use test::Runtime;
pub use test::{Explore, Options, Test, Timeout};

use crate::error::{Error, ErrorCode, Result};
use crate::fixture::Fixture;
use crate::world::Net;

/// Makes the parameters of a test; there is none, since no test runs.
#[derive(Debug)]
pub enum Fixtures {}

impl Fixtures {
    /// First phase of one parameter.
    pub fn plan<F: Fixture>(&mut self, _: &str) -> F::Plan {
        match *self {}
    }

    /// Second phase of one parameter.
    pub fn setup<F: Fixture>(&mut self, _: F::Plan) -> F {
        match *self {}
    }
}

/// Fails; a test that should panic, too.
pub fn run<R: Termination>(
    test: &'static Test,
    _: fn(&R) -> Option<String>,
    _: impl FnOnce(&mut Fixtures) -> R,
) {
    let text = format!("{:?}", platform(&format!("run the test {}", test.function)));
    eprintln!("{text}");
    if test.options.should_panic.is_none() {
        std::panic::resume_unwind(Box::new(text));
    }
}

/// Never called, since [`run`] fails.
pub fn launch(_: &'static Test) {}

/// [`run`] for an `async fn`.
#[cfg(feature = "tokio")]
pub fn run_async<R: Termination, F: Future<Output = R>>(
    test: &'static Test,
    _: fn(&R) -> Option<String>,
    _: Runtime,
    _: impl FnOnce(&mut Fixtures) -> F,
) {
    run::<()>(test, |_| None, |_| ());
}

/// Would put the rest of the program into namespaces of its own.
///
/// # Errors
/// Always: there are none here.
pub fn enter() -> Result<()> {
    Err(platform("enter namespaces"))
}

/// Would run a program in a world of its own.
///
/// # Errors
/// Always: there are none here.
#[cfg(feature = "cli")]
pub fn run_program(_: &Program) -> Result<ProgramEnd> {
    Err(platform("run a program in namespaces of its own"))
}

/// Why a program was not executed: none is.
#[cfg(feature = "cli")]
#[must_use]
pub fn why_not_executed(_: &std::io::Error) -> Option<String> {
    None
}

/// Replaces this process by a program, where the platform can. Returns only if that fails.
#[cfg(feature = "cli")]
pub fn replace_process(command: &mut std::process::Command) -> std::io::Error {
    #[cfg(unix)]
    return std::os::unix::process::CommandExt::exec(command);
    #[cfg(not(unix))]
    {
        let _ = command;
        std::io::ErrorKind::Unsupported.into()
    }
}

/// A test that is paused: there is none here.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub struct PausedTest {
    /// As libtest names it.
    pub name: String,
}

#[cfg(feature = "cli")]
impl PausedTest {
    /// None.
    ///
    /// # Errors
    /// Never.
    pub fn all() -> Result<(Vec<Self>, usize)> {
        Ok((Vec::new(), 0))
    }

    /// The PID of its init.
    #[must_use]
    pub fn pid(&self) -> i32 {
        0
    }

    /// The names of its nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether it still is.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        false
    }

    /// Would run a program in a node.
    ///
    /// # Errors
    /// Always: there are none here.
    pub fn run(&self, _: &str, _: &mut std::process::Command) -> Result<ProgramEnd> {
        Err(platform("enter a test"))
    }
}

/// The network of the running test. There is none here.
///
/// # Panics
/// Always.
#[must_use]
#[track_caller]
pub fn net() -> Net {
    panic!("{:?}", platform("find the network of the running test"))
}

fn platform(what: &str) -> Error {
    Error::new(ErrorCode::Platform, what)
        .help("nstest needs the network namespaces of Linux: run the tests there, outside of Miri")
}
