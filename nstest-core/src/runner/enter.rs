//! Isolation for a `main`: benchmarks, examples, tests with `harness = false`.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::body::channel::{Channel, is_body};
use super::body::restarted::Restarted;
use super::parent::environment::refuse_stale_environment;
use super::parent::launch::{BodyOutput, Launch};
use super::test::Options;
use crate::error::Result;
use crate::sys::process::exit_code;

/// Takes the place of a test's path. No function can have this name.
const MAIN: &str = "main()";

/// Puts the rest of the program into namespaces of its own, with `lo` up.
///
/// Call it first in `main`. It starts the program again in new namespaces, with the same
/// arguments, environment and standard streams. In the new process, `enter` returns. The
/// first process waits, and ends with the same exit status; if a signal killed the new
/// process, with 128 plus its number. The same holds for a program that takes the place of the
/// new process (`exec`). There is no timeout. In a process that nstest started
/// (a second call, a test), it does nothing; nor in one that this program starts from its
/// own binary later, which is in the same namespaces.
///
/// ```no_run
/// fn main() -> nstest::Result<()> {
///     nstest::enter()?;
///     // From here on, this process is root on a machine of its own, and its network is `lo`.
///     Ok(())
/// }
/// ```
///
/// # Errors
/// What the machine refuses, with the cause and the remedy. Then the program was not
/// started again.
pub fn enter() -> Result<()> {
    enter_as(MAIN, Options::DEFAULT)
}

/// [`enter`], for a part of a program that has a name of its own. Only the options that concern
/// start-up are used.
pub(crate) fn enter_as(name: &str, options: Options) -> Result<()> {
    if let Some(channel) = Channel::claim(name) {
        channel.begin();
        return Ok(());
    }
    if is_body() || Restarted::within(name).is_some() {
        return Ok(());
    }
    refuse_stale_environment()?;
    let launch = Launch::of_main(name, options, BodyOutput::Inherited)?;
    let status = ExitStatus::from_raw(launch.start()?.watch().into_status()?);
    std::process::exit(exit_code(status))
}
