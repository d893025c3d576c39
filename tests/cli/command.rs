//! Starts the commands, and what they have in common: usage, help, version.

use std::borrow::BorrowMut;
use std::process::{Command, Output};

/// A command for `nstest`.
pub(crate) fn nstest(arguments: &[&str]) -> Command {
    command(env!("CARGO_BIN_EXE_nstest-command"), arguments)
}

/// A command for `cargo nstest`, as cargo starts it.
pub(crate) fn cargo_nstest(arguments: &[&str]) -> Command {
    command(env!("CARGO_BIN_EXE_cargo-nstest-command"), &[&["nstest"], arguments].concat())
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(mut command: impl BorrowMut<Command>) -> Self {
        let Output { status, stdout, stderr } =
            command.borrow_mut().output().expect("the command starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { status: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Checks that it refused its arguments, and printed nothing on standard output.
    pub(crate) fn is_refused(&self) {
        assert_eq!((self.status, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        let refers_to_help = self.stderr.contains("Usage: ") || self.stderr.contains("--help");
        assert!(refers_to_help, "{self:?}");
    }
}

#[test]
fn wrong_arguments_are_refused_with_the_usage() {
    for arguments in [&[][..], &["rum"], &["--rum"], &["run"], &["run", "--rum", "true"]] {
        Ended::of(nstest(arguments)).is_refused();
    }
    for arguments in [&[][..], &["tset"], &["--tset"]] {
        Ended::of(cargo_nstest(arguments)).is_refused();
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    for command in [nstest, cargo_nstest] {
        for argument in ["--help", "--version"] {
            let ended = Ended::of(command(&[argument]));
            assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
            assert!(ended.stdout.contains("nstest"), "{ended:?}");
        }
    }
}
