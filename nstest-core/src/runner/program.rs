//! A program in a world of its own: `nstest run`.
//!
//! As for a `main` that [enters](fn@super::enter) namespaces, the binary is started again there.
//! Unlike that, the program keeps the terminal, the process group and the signals that are
//! ignored: it is a job of the shell as if it had been started without nstest. A program that
//! needs no nodes takes the place of the body's process. Otherwise the nodes live in the
//! body's process, and the program is its child.

use super::body::channel::Channel;
use super::body::program::play;
use super::parent::environment::refuse_stale_environment;
use super::parent::foreground::Foreground;
use super::parent::launch::{BodyOutput, Launch};
use super::program_options::{Program, ProgramEnd};
use super::settings;
use super::test::Options;
use crate::error::Result;
use crate::run_config::RunConfig;

/// Takes the place of a test's path. No function can have this name.
const PROGRAM: &str = "program()";

/// Runs a program in a world of its own. Called first in `main`, in both processes with the
/// same arguments.
///
/// # Errors
/// What the machine refuses, with the cause and the remedy. Then the program was not started.
pub fn run_program(program: &Program) -> Result<ProgramEnd> {
    if let Some(channel) = Channel::claim(PROGRAM) {
        channel.begin();
        return play(program);
    }
    refuse_stale_environment()?;
    let options = Options { uplink: program.uplink, ..Options::DEFAULT };
    let launch = Launch {
        test: PROGRAM.to_owned(),
        arguments: std::env::args_os().collect(),
        libtest_name: None,
        options,
        run_config: RunConfig::default(),
        tmpfs_size: settings::tmpfs_size()?,
        timeout: program.timeout,
        output: BodyOutput::Foreground,
        record: settings::RecordOptions::OFF,
        pause: None,
    };
    let foreground = Foreground::begin(program.needs_nodes())?;
    launch.start()?.attend(&foreground)
}
