//! `nstest run`: a program in namespaces of its own.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use clap::Args;

use super::{FAILED, NOT_EXECUTABLE, NOT_FOUND, fail};

/// Runs a program in network namespaces of its own.
///
/// The program is root there, and its network is `lo`. It has the terminal, the standard
/// streams, the working directory and the environment of this command.
///
/// The exit status is that of the program; 128+N if signal N killed it; 125 if the
/// namespaces could not be made; 126 if the program cannot be executed; 127 if it does not
/// exist.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true)]
    #[arg(value_name = "CMD")]
    command: Vec<OsString>,
}

impl Run {
    pub(super) fn execute(self) -> ExitCode {
        if let Err(error) = nstest_core::enter() {
            anstream::eprintln!("{error:?}");
            return ExitCode::from(FAILED);
        }
        let (program, arguments) = self.command.split_first().expect("clap requires one");
        let mut command = Command::new(program);
        command.args(arguments);
        let error = replace(&mut command);
        let status = match error.kind() {
            std::io::ErrorKind::NotFound => NOT_FOUND,
            _ => NOT_EXECUTABLE,
        };
        fail(status, format_args!("cannot execute `{}`: {error}", program.to_string_lossy()))
    }
}

/// Replaces this process by `command`. Returns only if that fails.
#[cfg(unix)]
fn replace(command: &mut Command) -> std::io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

#[cfg(not(unix))]
fn replace(_: &mut Command) -> std::io::Error {
    std::io::ErrorKind::Unsupported.into()
}
