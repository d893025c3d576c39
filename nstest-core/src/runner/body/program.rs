//! Starts the program of `nstest run`, in the body.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use nix::libc;
use nix::sys::signal::SigSet;

use super::channel::Channel;
use super::current::{Current, Role};
use crate::error::{Error, ErrorCode, Result};
use crate::fixture::{Fixture, FixtureParam};
use crate::ipc::{Event, FAILED, Failure};
use crate::node::restore_open_files;
use crate::preflight;
use crate::runner::parent::refusal::no_program;
use crate::runner::program_options::{NAME, Program};
use crate::runner::test::Test;
use crate::sys::descriptors;
use crate::sys::early_signals::{self, NotSpawned};
use crate::sys::inherited_signals::{self, replace_process};
use crate::sys::process::{exit, exit_code, exit_now, next_change_of};
use crate::topology::DefaultRoute;
use crate::world::Node;

/// The default route leads to this node, where there are no peers.
const SILENT: &str = "silent";

/// Makes the network of the program, and starts it. Ends this process as the program ends. Reports
/// what fails before it has begun, and returns the error if the network cannot be made.
pub(crate) fn play(program: &Program, channel: &Channel) -> Error {
    match start(program, channel) {
        Ok(ProgramStart::Ended(status)) => exit(exit_code(status)),
        Ok(ProgramStart::Failed(error)) => {
            let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
            channel.send(&Event::NotExecuted(errno));
            exit_now(FAILED)
        }
        Err(error) => {
            let error = preflight::with_remedy(error);
            channel.send(&Event::Failed(Failure::Reported(format!("{error:?}"))));
            error
        }
    }
}

/// What became of a program that does not take the place of this process.
enum ProgramStart {
    Ended(ExitStatus),
    Failed(io::Error),
}

/// Returns only if the program had nodes, or could not be started.
///
/// # Errors
/// If the network, or a process for the program, cannot be made.
fn start(program: &Program, channel: &Channel) -> Result<ProgramStart> {
    if let Some(listeners) = channel.listeners() {
        listen(&program.host_ports, &listeners)?;
    }
    let (name, arguments) = program.command.split_first().ok_or_else(|| {
        Error::new(ErrorCode::Config, "start a program").source("no program was given")
    })?;
    let mut command = Command::new(name);
    command.args(arguments);
    if program.needs_nodes() {
        return in_network(program, &mut command, channel);
    }
    if program.uplink {
        network(program, channel)?;
    }
    early_signals::keep_those_of_init();
    Ok(ProgramStart::Failed(replace_process(&mut command)))
}

/// Listens at these ports of `localhost`, and hands the sockets to the parent.
fn listen(ports: &[u16], parent: &OwnedFd) -> Result<()> {
    for port in ports {
        let failed = |error: io::Error| {
            Error::new(ErrorCode::Setup, format!("let port {port} of the host in")).source(error)
        };
        let hand_over = |listener: TcpListener| {
            descriptors::send(parent.as_fd(), 0, &[listener.as_fd()]).map_err(io::Error::from)
        };
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, *port));
        v4.and_then(hand_over).map_err(failed)?;
        match TcpListener::bind((Ipv6Addr::LOCALHOST, *port)) {
            // The machine has no IPv6.
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {}
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            v6 => v6.and_then(hand_over).map_err(failed)?,
        }
    }
    // These are all: init keeps its copy of the socket, so the parent sees no end.
    descriptors::send(parent.as_fd(), 0, &[])
        .map_err(|errno| Error::new(ErrorCode::Setup, "let ports of the host in").source(errno))
}

/// Waits until the program has ended.
fn in_network(program: &Program, command: &mut Command, channel: &Channel) -> Result<ProgramStart> {
    // The terminal sends them to this process, too; they are for the program. The threads of
    // the nodes inherit the mask.
    block_signals()?;
    let current = network(program, channel)?;
    let net = current.world()?.net();
    if program.silent_peer {
        net.local().set_default_route(DefaultRoute::Blackhole)?;
    }
    if let Some(condition) = program.condition {
        // It stays in force.
        let _ = net.local().link().condition(condition)?;
    }
    restore_open_files(command);
    inherited_signals::pass_on(command);
    early_signals::note_those_of_init();
    let ended = match early_signals::spawn(command) {
        Ok(child) => attend(child.id() as i32, channel).map(ProgramStart::Ended),
        Err(NotSpawned::NotExecuted(error)) => Ok(ProgramStart::Failed(error)),
        Err(NotSpawned::Refused(error)) => Err(error),
    };
    // The kernel removes the network with this process, faster than handle by handle.
    std::mem::forget(current);
    ended.map_err(|error| no_program(&error))
}

/// Waits until a child has ended, and reports when it is stopped and continued.
fn attend(child: i32, channel: &Channel) -> io::Result<ExitStatus> {
    loop {
        match Event::of_change(next_change_of(child)?) {
            Event::Ended(status) => return Ok(ExitStatus::from_raw(status)),
            change => channel.send(&change),
        }
    }
}

fn block_signals() -> Result<()> {
    SigSet::all().thread_set_mask().map_err(|errno| {
        Error::new(ErrorCode::Setup, "block signals in the process of the nodes").source(errno)
    })
}

fn network(program: &Program, channel: &Channel) -> Result<Current> {
    let test = Test::new("", NAME, program.options());
    let current = Current::of(&test, Role::Body, channel.run_config(), None)?;
    if program.silent_peer && program.peers == 0 {
        current.plan(|spec| Node::plan(spec, FixtureParam::new(SILENT)))?;
    }
    Ok(current)
}
