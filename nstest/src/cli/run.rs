//! `nstest run`: a program in a world of its own.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use nstest_core::Condition;
use nstest_core::private::cli::{
    Program, ProgramEnd, read_duration, read_seed, run_program, why_not_executed,
};

use super::{FAILED, NOT_EXECUTABLE, NOT_FOUND, TIMED_OUT, fail, name};

/// Runs a program in network namespaces of its own.
///
/// The program is root there, and its network is `lo`. It has the terminal, the file descriptors,
/// the working directory and the environment of this command.
///
/// The exit status is that of the program; 128+N if signal N killed it; 124 at the timeout;
/// 125 if the namespaces could not be made; 126 if the program cannot be executed; 127 if it
/// does not exist.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nstest run -- ./server --port 80
  nstest run --peers 1 --condition 'delay 20ms loss 1%' -- ping -c3 peer1
  nstest run --timeout 1m --record /tmp/record -- make check")]
pub(super) struct Run {
    #[command(flatten)]
    world: World,

    /// The most that the program may take, such as `10s` or `1m30s`.
    ///
    /// Then it gets SIGTERM, also if it is stopped, and after 5 more seconds SIGKILL, with all that
    /// it has started.
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,

    /// Leave a record in this directory: packets, events, and a report of them.
    ///
    /// `nstest show PATH` and `nstest open PATH` show it. The directory must be empty, new, or have
    /// an earlier record, which is replaced.
    #[arg(long, value_name = "PATH")]
    record: Option<PathBuf>,

    /// The record has the TLS secrets of the program, which decrypt its packets.
    ///
    /// Many TLS libraries write them into the file that SSLKEYLOGFILE names, some only if the
    /// program asks for it.
    #[arg(long, requires = "record")]
    tls_secrets: bool,

    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// What the program has beside `lo`.
#[derive(Debug, Clone, Args)]
pub(super) struct World {
    /// Hosts beside the program's own: `peer1`, `peer2`, …, by name and address.
    ///
    /// `ip netns exec peer1 CMD` runs a program there.
    #[arg(long, value_name = "N", value_parser = peers, allow_negative_numbers = true)]
    peers: Option<u16>,

    /// A connection to the network of this machine.
    #[arg(long)]
    uplink: bool,

    /// What the link to the peers is like, in both directions: `delay 20ms loss 1%`.
    ///
    /// Times need a unit. The sign of a percentage may be left out: `loss 1`.
    #[arg(long, value_name = "CONDITION", value_parser = condition, requires = "peers")]
    condition: Option<Condition>,

    /// Which packets a condition with loss loses: another seed, other packets.
    ///
    /// Without it, NSTEST_SEED is the seed, or 1.
    #[arg(long, value_name = "SEED", value_parser = seed, allow_negative_numbers = true)]
    seed: Option<u64>,

    /// A default route on which nothing answers, for programs that expect timeouts.
    #[arg(long, conflicts_with = "uplink")]
    silent_peer: bool,

    /// A TCP port of this machine's `localhost` that the program reaches at its own `localhost`.
    ///
    /// Can be given several times.
    #[arg(long, value_name = "PORT", value_parser = port, allow_negative_numbers = true)]
    host_port: Vec<u16>,

    /// The program has no rights over its network, and is no root.
    ///
    /// It has the user id of the caller, or 65534 if that is root. Some test suites do more as root,
    /// and expect rights over the whole machine, which it does not have here.
    #[arg(long)]
    no_root: bool,
}

impl Run {
    pub(super) fn execute(self) -> ExitCode {
        let Self { world, timeout, record, tls_secrets, command } = self;
        execute(Program { timeout, record, tls_secrets, ..world.program(command) })
    }
}

impl World {
    /// The arguments that describe it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let Self { peers, uplink, condition, seed, silent_peer, host_port, no_root } = self;
        let peers = peers.map(|peers| format!("--peers={peers}"));
        let condition = condition
            .map(|condition| format!("--condition={}", condition.to_string().replace(' ', SPACE)));
        let seed = seed.map(|seed| format!("--seed={seed}"));
        let uplink = uplink.then(|| "--uplink".to_owned());
        let silent_peer = silent_peer.then(|| "--silent-peer".to_owned());
        let host_ports = host_port.iter().map(|port| format!("--host-port={port}"));
        let no_root = no_root.then(|| "--no-root".to_owned());
        let others = [peers, condition, seed, uplink, silent_peer, no_root].into_iter().flatten();
        others.chain(host_ports).collect()
    }

    /// A program there.
    pub(super) fn program(self, command: Vec<OsString>) -> Program {
        let Self { peers, uplink, condition, seed, silent_peer, host_port, no_root } = self;
        let mut host_ports = host_port;
        host_ports.sort_unstable();
        host_ports.dedup();
        let peers = peers.unwrap_or_default();
        let others = Program::default();
        Program {
            command,
            peers,
            uplink,
            condition,
            seed,
            silent_peer,
            host_ports,
            no_root,
            ..others
        }
    }
}

/// Runs a program in its world.
pub(super) fn execute(program: Program) -> ExitCode {
    report(&program.command[0], run_program(&program))
}

/// Reports how a program ended, and ends in the same way.
pub(super) fn report(program: &OsStr, ended: nstest_core::Result<ProgramEnd>) -> ExitCode {
    match ended {
        Ok(ProgramEnd::Exited(status)) => ExitCode::from(u8::try_from(status).unwrap_or(1)),
        Ok(ProgramEnd::TimedOut(timeout)) => {
            let name = name(program);
            fail(TIMED_OUT, format_args!("`{name}` did not end within {timeout:?}"))
        }
        Ok(ProgramEnd::NotStarted(error)) => not_started(program, &error),
        // The process in the namespaces has printed why.
        Ok(ProgramEnd::NotPrepared(_)) => ExitCode::from(FAILED),
        Err(error) => {
            super::say(format_args!("{error:?}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Reports a program that cannot be started.
pub(super) fn not_started(program: &OsStr, error: &io::Error) -> ExitCode {
    let status = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => NOT_EXECUTABLE,
    };
    let program = name(program);
    let why = why_not_executed(error).map(|why| format!("\n{why}")).unwrap_or_default();
    fail(status, format_args!("cannot execute `{program}`: {error}{why}"))
}

fn time(text: &str) -> Result<Duration, String> {
    const FORM: &str = "write a number and a unit: `10s`, `500ms`, `2m`";
    match read_duration(text).map_err(|why| format!("{why}; {FORM}"))? {
        Duration::ZERO => Err(format!("no program ends within no time; {FORM}")),
        time => Ok(time),
    }
}

fn seed(text: &str) -> Result<u64, String> {
    read_seed(text)
        .ok_or_else(|| "write a whole number below 2^64, such as `7` or `0xbeef`".to_owned())
}

fn peers(text: &str) -> Result<u16, String> {
    number_up_to(250, text)
}

fn port(text: &str) -> Result<u16, String> {
    number_up_to(u16::MAX, text)
}

/// A positive number. Unlike `parse`, it has no sign.
fn number_up_to(most: u16, text: &str) -> Result<u16, String> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    let number = number.filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("it is no number from 1 to {most}"))
}

/// A space in a word of a runner, which cargo may divide at white space.
const SPACE: &str = "␠";

fn condition(text: &str) -> Result<Condition, String> {
    text.replace(SPACE, " ").parse::<Condition>().map_err(|error| format!("{error:?}"))
}
