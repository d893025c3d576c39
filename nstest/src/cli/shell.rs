//! `nstest shell`: a shell in a test that is paused.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use clap::Args;
use nstest_core::private::cli::{PausedTest, ProgramEnd};

use super::run::report;
use super::{FAILED, fail};

/// The status of a program that was killed.
const KILLED: i32 = 128 + 9;

/// The node of a test that is entered if none is named.
const OWN: &str = "test";

/// Starts a shell in a node of a paused test.
///
/// With NSTEST_PAUSE=failed, a test that fails waits with its network. The shell is SHELL, or sh,
/// and is root there. Its network, `/sys` and hostname are those of the node. All that it has
/// started ends with it.
///
/// The exit status is that of the shell or program; 125 if the test cannot be entered; 126 or 127
/// if the program cannot be executed or does not exist.
#[derive(Debug, Args)]
pub(super) struct Shell {
    /// The test, or a part of its name; with several nodes, `TEST/NODE`.
    ///
    /// Without it, the test that is paused. `/NODE` is a node of that one.
    #[arg(value_name = "TEST[/NODE]")]
    target: Option<String>,

    /// A program to run instead of the shell, and its arguments.
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Shell {
    pub(super) fn execute(self) -> ExitCode {
        let target = self.target.as_deref().unwrap_or_default();
        let (test, node) = target.split_once('/').unwrap_or((target, OWN));
        let (paused, hidden) = match PausedTest::all() {
            Ok(all) => all,
            Err(error) => {
                super::say(format_args!("{error:?}"));
                return ExitCode::from(FAILED);
            }
        };
        let found = match choose(&paused, hidden, test) {
            Ok(found) => found,
            Err(message) => return fail(FAILED, message),
        };
        let nodes = found.nodes();
        if !nodes.contains(&node) {
            let (name, nodes) = (&found.name, nodes.join(", "));
            return fail(FAILED, format_args!("{name} has no node `{node}`; it has: {nodes}"));
        }
        let (program, arguments) = match self.command.split_first() {
            Some((program, arguments)) => (program.clone(), arguments),
            None => (shell(), &[][..]),
        };
        let mut command = Command::new(&program);
        command.args(arguments);
        if self.command.is_empty() {
            super::say(format_args!("nstest: in node {node} of {}; `exit` leaves it", found.name));
            command.env("PS1", format!("nstest:{node}# "));
        }
        match found.run(node, &mut command) {
            Ok(ProgramEnd::Exited(KILLED)) if !found.is_paused() => {
                fail(KILLED as u8, "the test went on, which ended the shell")
            }
            ended => report(&program, ended),
        }
    }
}

/// The user's shell.
fn shell() -> OsString {
    env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "sh".into())
}

/// The test that a name means: the PID of its init, its name, or a part of it. `hidden` is the number
/// of tests of which it is not known whether they are paused.
///
/// # Errors
/// A message for the user, with all that are paused.
fn choose<'a>(
    paused: &'a [PausedTest],
    hidden: usize,
    name: &str,
) -> Result<&'a PausedTest, String> {
    if paused.is_empty() {
        let hidden = match hidden {
            0 => String::new(),
            1 => " (1 test is of another user or user namespace)".to_owned(),
            _ => format!(" ({hidden} tests are of another user or user namespace)"),
        };
        return Err(format!(
            "no test of this user is paused{hidden}; run one with NSTEST_PAUSE=failed, and enter it \
             while it waits"
        ));
    }
    let by = |fits: &dyn Fn(&PausedTest) -> bool| -> Vec<&'a PausedTest> {
        paused.iter().filter(|test| fits(test)).collect()
    };
    let exact = by(&|test| test.name == name || test.pid().to_string() == name);
    let fitting = if exact.is_empty() { by(&|test| test.name.contains(name)) } else { exact };
    match fitting.as_slice() {
        [only] => Ok(only),
        [] => Err(format!("no paused test has `{name}` in its name; paused are:{}", list(paused))),
        several => Err(format!(
            "which one? Name it, or the PID of its init:{}",
            list(several.iter().copied())
        )),
    }
}

/// A line for each test.
fn list<'a>(tests: impl IntoIterator<Item = &'a PausedTest>) -> String {
    let line = |test: &PausedTest| {
        format!("\n  {}  {}  (nodes: {})", test.pid(), test.name, test.nodes().join(", "))
    };
    tests.into_iter().map(line).collect()
}
