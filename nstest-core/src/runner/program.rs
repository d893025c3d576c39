//! A program in a world of its own: `nstest run`.
//!
//! The program keeps the terminal, the process group and the signals that are ignored: it is a
//! job of the shell as if it had been started without nstest.
//!
//! A program that has nothing but `lo`, no record and no host ports, is started by init: this
//! binary is not started again. Otherwise it is, as for a `main` that
//! [enters](fn@super::enter) namespaces: the body makes the network. Nodes live in its process,
//! so the program is then its child. Without nodes, the program takes its place.

use std::error::Error as _;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use nix::libc;

use super::body::channel::Channel;
use super::body::program::play;
use super::parent::environment::refuse_stale_environment;
use super::parent::foreground::Foreground;
use super::parent::host_ports::HostPorts;
use super::parent::launch::{Binary, BodyOutput, Launch};
use super::parent::refusal::{self, descriptor_error};
use super::program_options::{NAME, Program, ProgramEnd};
use super::program_record::ProgramRecord;
use super::settings::{self, RecordOptions, RecordPolicy};
use super::test::Options;
use crate::error::Result;
use crate::preflight::caller;
use crate::run_config::{DEFAULT_SEED, RunConfig};
use crate::sys::{descriptors, inherited_signals};

/// Runs a program in a world of its own. Called first in `main`, in both processes with the
/// same options.
///
/// # Errors
/// What the machine refuses, with the cause and the remedy. Then the program was not started.
pub fn run_program(program: &Program) -> Result<ProgramEnd> {
    caller::set_command();
    if let Some(channel) = Channel::claim(NAME) {
        channel.begin();
        return Err(play(program, &channel));
    }
    refuse_stale_environment()?;
    let launch = Launch::of_main(NAME, program.options(), BodyOutput::Foreground)?;
    let kept = program.record.as_deref().map(ProgramRecord::begin).transpose()?;
    let record = if kept.is_some() { recorded(program) } else { RecordOptions::OFF };
    let (ours, listeners) = listener_sockets(program)?.unzip();
    let given = program.seed.map_or_else(settings::seed_given, |seed| Ok(Some(seed)))?;
    let seed = given.unwrap_or(DEFAULT_SEED);
    let run_config = RunConfig { seed, ..RunConfig::default() };
    let mut launch = Launch { timeout: program.timeout, record, listeners, run_config, ..launch };
    if !program.needs_body() {
        (launch.binary, launch.arguments) = (Binary::Named, program.command.clone());
    } else if let Some(arguments) = &program.body {
        launch.arguments.clone_from(arguments);
    }
    let foreground = Foreground::begin(program.needs_nodes())?;
    // Before there is a body, which would report that it was left.
    let host_ports = ours.map(HostPorts::serve).transpose()?;
    let running = launch.start()?;
    let (end, record) = running.attend(foreground);
    if let Some(host_ports) = host_ports {
        host_ports.finish();
    }
    if let Some(kept) = kept {
        kept.finish(program, seed, &end, record);
    }
    end
}

/// Replaces this process by a program, with the signals ignored that this one was started with.
/// Returns only if that fails.
pub fn replace_process(command: &mut Command) -> io::Error {
    inherited_signals::replace_process(command)
}

/// Why a program was not executed, and what helps, in lines for a message: for limits of the
/// machine. Of others, the error itself says what is wrong with the program.
#[must_use]
pub fn why_not_executed(error: &io::Error) -> Option<String> {
    let errno = error.raw_os_error().filter(|it| [libc::EAGAIN, libc::E2BIG].contains(it))?;
    let error = &refusal::exec_error("execute the program", errno);
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let help = error.next_step().unwrap_or_default().replace('\n', "\n    ");
    Some(format!("  cause: {cause}\n  help: {help}"))
}

impl Program {
    /// The same as options of a test.
    pub(super) fn options(&self) -> Options {
        let Self { peers, uplink, no_root, .. } = *self;
        Options { peers, uplink, root: !no_root, ..Options::DEFAULT }
    }
}

/// The parent's and the body's end of the socket for listeners, if the program has host ports.
fn listener_sockets(program: &Program) -> Result<Option<(OwnedFd, OwnedFd)>> {
    let is_needed = !program.host_ports.is_empty();
    let made = is_needed.then(descriptors::socket_pair).transpose();
    made.map_err(descriptor_error("make the socket for host ports", "socketpair"))
}

/// Without peers, `lo` is all of the network.
fn recorded(program: &Program) -> RecordOptions {
    let Program { tls_secrets, .. } = *program;
    RecordOptions { policy: RecordPolicy::All, tls_secrets, loopback: true }
}
