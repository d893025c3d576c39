//! Starts the program of `nstest run`, in the body.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::SigSet;

use super::current::{Current, Role};
use crate::error::{Error, ErrorCode, Result};
use crate::fixture::{Fixture, FixtureParam};
use crate::node::restore_open_files;
use crate::run_config::RunConfig;
use crate::runner::program_options::{NAME, Program, ProgramEnd};
use crate::runner::test::{Options, Test};
use crate::sys::limits::without_blocked_signals;
use crate::sys::process::exit_code;
use crate::topology::DefaultRoute;
use crate::world::Node;

/// The default route leads to this node, where there are no peers.
const SILENT: &str = "silent";

/// Makes the network of the program, and starts it. Returns only if it had nodes, or could not
/// be started.
///
/// # Errors
/// If the network cannot be made.
pub(crate) fn play(program: &Program) -> Result<ProgramEnd> {
    let (name, arguments) = program.command.split_first().ok_or_else(|| {
        Error::new(ErrorCode::Config, "start a program").source("no program was given")
    })?;
    let mut command = Command::new(name);
    command.args(arguments);
    if program.needs_nodes() {
        return in_network(program, &mut command);
    }
    if program.uplink {
        network(program)?;
    }
    Ok(ProgramEnd::NotStarted(command.exec()))
}

/// Waits until the program has ended.
fn in_network(program: &Program, command: &mut Command) -> Result<ProgramEnd> {
    // The terminal sends them to this process, too; they are for the program. The threads of
    // the nodes inherit the mask.
    block_signals()?;
    let current = network(program)?;
    let net = current.world()?.net();
    if program.silent_peer {
        net.local().set_default_route(DefaultRoute::Blackhole)?;
    }
    if let Some(condition) = program.condition {
        // It stays in force.
        let _ = net.local().link().condition(condition)?;
    }
    restore_open_files(command);
    without_blocked_signals(command);
    let ended = command.spawn().and_then(|mut child| child.wait());
    // The kernel removes the network with this process, faster than handle by handle.
    std::mem::forget(current);
    Ok(match ended {
        Ok(status) => ProgramEnd::Exited(exit_code(status)),
        Err(error) => ProgramEnd::NotStarted(error),
    })
}

fn block_signals() -> Result<()> {
    SigSet::all().thread_set_mask().map_err(|errno| {
        Error::new(ErrorCode::Setup, "block signals in the process of the nodes").source(errno)
    })
}

fn network(program: &Program) -> Result<Current> {
    let options = Options { peers: program.peers, uplink: program.uplink, ..Options::DEFAULT };
    let test = Test::new("", NAME, options);
    let current = Current::of(&test, Role::Body, RunConfig::default(), None)?;
    if program.silent_peer && program.peers == 0 {
        current.plan(|spec| Node::plan(spec, FixtureParam::new(SILENT)))?;
    }
    Ok(current)
}
