//! `nstest wrap`: the target runner of cargo, and the wrapper script of nextest.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

use clap::Args;
use nstest_core::private::cli::replace_process;

use super::run::{World, execute, not_started};

/// Runs a test binary in network namespaces of its own, for cargo and nextest.
///
/// cargo and nextest start test binaries by their target runner. With nextest, each test has
/// namespaces of its own; with `cargo test`, each test binary.
///
/// A binary that is to list its tests (`--list`) needs no namespaces, and gets none.
#[derive(Debug, Args)]
pub(super) struct Wrap {
    #[command(flatten)]
    world: World,

    /// The test binary and its arguments.
    #[arg(required = true, trailing_var_arg = true, value_name = "BINARY")]
    command: Vec<OsString>,
}

impl Wrap {
    pub(super) fn execute(self) -> ExitCode {
        if !lists(&self.command) {
            return execute(self.world.program(self.command));
        }
        let error = replace_process(Command::new(&self.command[0]).args(&self.command[1..]));
        not_started(&self.command[0], &error)
    }
}

/// Whether a test binary lists its tests with these arguments.
fn lists(command: &[OsString]) -> bool {
    let arguments = command.iter().skip(1).take_while(|argument| *argument != "--");
    arguments.map(OsString::as_os_str).any(|argument| argument == OsStr::new("--list"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_is_recognised() {
        let lists =
            |text: &str| lists(&text.split(' ').map(OsString::from).collect::<Vec<OsString>>());
        assert!(lists("bin --list"));
        assert!(lists("bin --list --format terse --ignored"));
        for runs in ["bin", "--list", "bin --exact list", "bin --skip x -- --list"] {
            assert!(!lists(runs), "{runs}");
        }
    }
}
