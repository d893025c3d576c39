//! The command line: `nstest` and `cargo nstest`.
//!
//! Each subcommand has a file: a struct, which clap fills from the arguments, and its
//! `execute`. What needs the kernel is in `nstest-core`, behind its feature `cli`.
//!
//! Standard output belongs to the program that a subcommand starts, or to what a subcommand
//! was asked for. Messages go to standard error, and begin with `nstest`.

mod cargo;
mod cargo_config;
mod cargo_runner;
mod clean;
mod doctor;
mod nextest;
mod open;
mod records;
mod run;
mod shell;
mod show;
mod wrap;

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use nstest_core::private::shown;

/// The arguments are wrong. clap uses the same number.
const USAGE: u8 = 2;
/// The program did not end within its time.
const TIMED_OUT: u8 = 124;
/// `nstest` could not do what it was asked for. docker, env(1) and timeout(1) use the same
/// number, and the next two.
const FAILED: u8 = 125;
/// The program to start exists and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// The program to start does not exist.
const NOT_FOUND: u8 = 127;

/// Network namespaces for programs and test suites.
#[derive(Debug, Parser)]
#[command(name = "nstest", bin_name = "nstest", version, arg_required_else_help = true)]
#[command(subcommand_required = true)]
struct Nstest {
    #[command(subcommand)]
    task: NstestTask,
}

#[derive(Debug, Subcommand)]
enum NstestTask {
    Doctor(doctor::Doctor),
    Run(run::Run),
    Show(show::Show),
    Open(open::Open),
    Shell(shell::Shell),
    Clean(clean::Clean),
    Wrap(wrap::Wrap),
}

/// Runs test suites in network namespaces.
#[derive(Debug, Parser)]
#[command(name = "cargo-nstest", bin_name = "cargo nstest", version)]
#[command(arg_required_else_help = true, subcommand_required = true)]
struct CargoNstest {
    #[command(subcommand)]
    task: CargoTask,
}

#[derive(Debug, Subcommand)]
enum CargoTask {
    Test(cargo::CargoTest),
    /// cargo and nextest start it, as the target runner.
    #[command(hide = true)]
    Wrap(wrap::Wrap),
}

/// The command `nstest`: what its `main` does.
pub fn nstest() -> ExitCode {
    let task = match parse::<Nstest>(std::env::args_os()) {
        Ok(nstest) => nstest.task,
        Err(ended) => return ended,
    };
    match task {
        NstestTask::Doctor(doctor) => doctor.execute(),
        NstestTask::Run(run) => run.execute(),
        NstestTask::Show(show) => show.execute(),
        NstestTask::Open(open) => open.execute(),
        NstestTask::Shell(shell) => shell.execute(),
        NstestTask::Clean(clean) => clean.execute(),
        NstestTask::Wrap(wrap) => wrap.execute(),
    }
}

/// The command `cargo nstest`: what its `main` does.
pub fn cargo_nstest() -> ExitCode {
    let task = match parse::<CargoNstest>(without_own_name(std::env::args_os())) {
        Ok(cargo_nstest) => cargo_nstest.task,
        Err(ended) => return ended,
    };
    match task {
        CargoTask::Test(test) => test.execute(),
        CargoTask::Wrap(wrap) => wrap.execute(),
    }
}

/// The arguments, or how the command ends that has printed its help or refused them.
fn parse<P: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<P, ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    P::try_parse_from(&arguments).map_err(|error| {
        // clap prints what is wrong as it is, and a terminal would obey control characters in it.
        let escaped = P::try_parse_from(arguments.iter().map(|argument| name(argument)));
        refuse(&escaped.err().unwrap_or(error))
    })
}

/// Prints what is wrong with the arguments, or the help that they ask for.
fn refuse(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match (error.exit_code(), printed) {
        (0, printed) => ended_print(printed.and_then(|()| std::io::stdout().flush())),
        // Without standard error, there is nowhere to print.
        (_, _) => ExitCode::from(USAGE),
    }
}

/// All that a command line can have: `nstest run --peers`, `nstest run CMD`. For tests.
#[must_use]
pub fn all_arguments() -> Vec<String> {
    let mut all = Vec::new();
    for command in [Nstest::command(), CargoNstest::command()] {
        for subcommand in command.get_subcommands() {
            let name = format!("{} {}", command.get_name(), subcommand.get_name());
            all.push(name.clone());
            all.extend(subcommand.get_arguments().map(|argument| {
                let option = argument.get_long().map(|long| format!("--{long}"));
                format!("{name} {}", option.unwrap_or_else(|| argument.get_id().to_string()))
            }));
        }
    }
    all
}

/// cargo passes the name of its subcommand as the first argument.
fn without_own_name(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.collect();
    if arguments.get(1).is_some_and(|first| first == "nstest") {
        arguments.remove(1);
    }
    arguments
}

/// Reports why the subcommand ends.
fn fail(status: u8, message: impl Display) -> ExitCode {
    say(format_args!("nstest: {message}"));
    ExitCode::from(status)
}

/// Prints a line on standard error. If that is closed, there is nowhere to print. What arguments and
/// tests name may have control characters, which a terminal would obey.
fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{}", shown::for_terminal(&line.to_string()));
}

/// A program or an argument, in a message.
fn name(word: &OsStr) -> String {
    shown::in_one_line(&word.to_string_lossy())
}

/// Prints what the subcommand was asked for. A reader that has seen enough, such as head(1), may
/// close the pipe.
fn print(text: &str) -> ExitCode {
    let mut output = std::io::stdout().lock();
    ended_print(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

fn ended_print(printed: std::io::Result<()>) -> ExitCode {
    match printed {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            fail(FAILED, format_args!("cannot write to standard output: {error}"))
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_are_consistent() {
        Nstest::command().debug_assert();
        CargoNstest::command().debug_assert();
    }
}
