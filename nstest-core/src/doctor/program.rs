//! The trials of `nstest run`: a program that does nothing, in a world with a node and a fault, or
//! else in a world alone.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::iter;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, exit};

use super::report::Problem;
use super::trial::{TrialResult, attempt, cut_short, errno_of};
use crate::fault::Condition;
use crate::preflight::Operation;
use crate::runner::{self, Program, ProgramEnd, run_program};

/// The network namespaces of a world with a node: the third is the fabric's.
const WITH_NODE: u64 = 3;

/// Makes the trials. The body of the program begins here as well, and ends here.
pub(super) fn all() {
    let start: Vec<OsString> = std::env::args_os().skip(1).collect();
    let start = &start[..start.len().saturating_sub(1)];
    let world = || attempt("world", || run("world", &alone(start)));
    // The kernel removes a namespace a moment after its last process, so the one that a world needs
    // could still be in use.
    let is_first = has_few_namespaces() && !runner::is_body();
    if is_first {
        world();
    }
    let ran = attempt("node", || run("node", &with_node(start)));
    if runner::is_body() {
        exit(i32::from(!ran));
    }
    if !ran && !is_first {
        world();
    }
}

fn has_few_namespaces() -> bool {
    let limit = fs::read_to_string("/proc/sys/user/max_net_namespaces").unwrap_or_default();
    limit.trim().parse().is_ok_and(|limit: u64| limit < WITH_NODE)
}

/// Whether a program runs in a world with a node and a fault. Made in this process: the body of the
/// program calls [`play`].
pub(super) fn runs_with_node(start: &[&str]) -> bool {
    run("node", &with_node(start)).is_ok()
}

/// The same, in a world without a node, where the program has no body.
pub(super) fn runs_alone(start: &[&str]) -> bool {
    run("world", &alone(start)).is_ok()
}

/// The body of [`runs_with_node`].
pub(super) fn play(start: &[&str]) -> ! {
    exit(i32::from(!runs_with_node(start)))
}

fn alone(start: &[impl AsRef<OsStr>]) -> Program {
    // This program, with the arguments by which it does nothing.
    let words = start.iter().map(|word| word.as_ref().to_owned());
    let command = iter::once("/proc/self/exe".into()).chain(words).chain(["nothing".into()]);
    Program { command: command.collect(), ..Program::default() }
}

fn with_node(start: &[impl AsRef<OsStr>]) -> Program {
    Program { peers: 1, condition: Some(Condition::LAN), ..alone(start) }
}

fn run(name: &str, program: &Program) -> TrialResult {
    match run_program(program) {
        Ok(ProgramEnd::Exited(0)) => Ok(None),
        // If the body could not make the network, it has written why, and that comes first.
        Ok(ProgramEnd::Exited(status)) => {
            Err(cut_short(name, Some(ExitStatus::from_raw(status << 8))))
        }
        Ok(ProgramEnd::NotPrepared(_)) => Err(cut_short(name, Some(ExitStatus::from_raw(1 << 8)))),
        Ok(ProgramEnd::TimedOut(_)) => Err(cut_short(name, None)),
        Ok(ProgramEnd::NotStarted(error)) => {
            let step = "execute a program in the namespaces";
            Err(Problem::of_refusal(step, "execve", errno_of(&error), Operation::Exec))
        }
        Err(error) => Err(Problem::of(&error, "")),
    }
}
