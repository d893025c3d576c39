//! Isolation for a `main`: benchmarks, examples, tests with `harness = false`.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::body::channel::{Channel, is_body};
use super::body::current::{Role, play_main};
use super::body::restarted::Restarted;
use super::parent::environment::refuse_stale_environment;
use super::parent::launch::{BodyOutput, Launch};
use super::settings::Settings;
use super::test::Options;
use crate::error::Result;
use crate::run_config::RunConfig;
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
/// [`net()`](crate::net) returns the network of the new process: its own node, to which the program
/// adds nodes and LANs, and in which it injects faults. It lasts as long as the process. Here no
/// fault has to affect a packet: look at [`affected`](crate::Injection::affected).
///
/// ```no_run
/// # fn measure(_: std::net::IpAddr) {}
/// fn main() -> nstest::Result<()> {
///     nstest::enter()?;
///     let net = nstest::net();
///     let server = net.add_node("server").build()?;
///     net.connect(&net.local(), &server)?.condition(nstest::Condition::LTE)?;
///     measure(server.ip());
///     Ok(())
/// }
/// ```
///
/// `NSTEST_SEED` is the seed of this network, and `NSTEST_PLAN` is injected into it.
///
/// # Errors
/// What the machine refuses, with the cause and the remedy; a variable `NSTEST_…` with an invalid
/// value. Then the program was not started again.
pub fn enter() -> Result<()> {
    if let Some((role, run_config)) = begun(MAIN) {
        return play_main(MAIN, role, run_config);
    }
    if is_body() {
        return Ok(());
    }
    refuse_stale_environment()?;
    start(MAIN, Options::DEFAULT, Settings::read(&Options::DEFAULT)?.run_config)
}

/// [`enter`], for a part of a program that has a name of its own and no network. Only the options
/// that concern start-up are used.
#[cfg(feature = "cli")]
pub(crate) fn enter_as(name: &str, options: Options) -> Result<()> {
    if begun(name).is_some() || is_body() {
        return Ok(());
    }
    refuse_stale_environment()?;
    start(name, options, RunConfig::default())
}

/// What this process is, if it was started for `name`, or by a process that was. The first call
/// begins.
fn begun(name: &str) -> Option<(Role, RunConfig)> {
    if let Some(channel) = Channel::claim(name) {
        channel.begin();
        return Some((Role::Body, channel.run_config()));
    }
    Restarted::within(name).map(|restarted| (Role::Restarted, restarted.run_config()))
}

/// Starts this program again in new namespaces, and ends as it ends.
fn start(name: &str, options: Options, run_config: RunConfig) -> Result<()> {
    let launch = Launch::of_main(name, options, BodyOutput::Inherited)?;
    let launch = Launch { run_config, ..launch };
    let status = ExitStatus::from_raw(launch.start()?.watch().into_status("the program")?);
    std::process::exit(exit_code(status))
}
