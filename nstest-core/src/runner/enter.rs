//! Isolation for a `main`: benches, examples, tests with `harness = false`.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::Options;
use super::body::{Channel, is_body};
use super::parent::{Launch, Output, refuse_stale_environment};
use crate::error::Result;
use crate::run_config::RunConfig;

/// What stands for the name of a test; no function is called so.
const MAIN: &str = "main()";

/// Puts the rest of the program into namespaces of its own, with `lo` up.
///
/// Call it first in `main`. The program is started again in fresh namespaces,
/// with the same arguments, environment and standard streams; there `enter`
/// returns, and the first process ends with that one's exit status (128 and the
/// number of the signal that killed it). There is no timeout. Where the process is
/// in namespaces of its own already (a second call, a test), it does nothing.
///
/// ```no_run
/// fn main() -> nstest::Result<()> {
///     nstest::enter()?;
///     // From here on: a machine of our own, root on it, and no network but `lo`.
///     Ok(())
/// }
/// ```
///
/// # Errors
/// What the machine refuses, with the cause and the remedy; the program was not
/// started again then.
pub fn enter() -> Result<()> {
    if let Some(channel) = Channel::claim_named(MAIN) {
        channel.begin();
        return Ok(());
    }
    if is_body() {
        return Ok(());
    }
    refuse_stale_environment()?;
    let launch = Launch {
        test: MAIN.to_owned(),
        arguments: std::env::args_os().collect(),
        libtest_name: None,
        options: Options::DEFAULT,
        run_config: RunConfig::default(),
        timeout: None,
        output: Output::Inherited,
    };
    let course = launch.run()?;
    let status = ExitStatus::from_raw(course.into_status()?);
    std::process::exit(status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1))
}
