//! The trials of `nstest run`: a program that does nothing, in a world with a node and a fault, or
//! else with a node, or else in a world alone.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::iter;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, exit};

use super::report::{CheckStatus, Problem};
use super::trial::{TrialResult, attempt, cut_short, errno_of, record};
use super::trials::Trials;
use crate::fault::Condition;
use crate::preflight::Operation;
use crate::runner::{Program, ProgramEnd, run_program};

/// The network namespaces of a world with a node: the third is the fabric's.
const WITH_NODE: u64 = 3;

/// The first of the trials that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum First {
    Fault,
    Node,
    World,
}

/// Makes the trials from this one on. One that is not root comes last.
pub(super) fn all(from: First) {
    let start = &own_arguments();
    let world = || attempt("world", || run("world", &alone(start)));
    let no_root = || Program { no_root: true, ..alone(start) };
    // The kernel removes a namespace a moment after its last process, so the one that a world needs
    // could still be in use.
    let is_first = has_few_namespaces();
    let mut works = is_first && world();
    if from <= First::Fault && attempt("fault", || run("fault", &with_fault(start))) {
        record("node", CheckStatus::Works, "", None);
    } else if from <= First::Node {
        attempt("node", || run("node", &with_node(start)));
    }
    // A program without a node is started in another way.
    works = works || !is_first && world();
    if works {
        attempt("no-root", || run("no-root", &no_root()));
    }
}

/// Those of this process, without the last one, which says what it does.
fn own_arguments() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    arguments.pop();
    arguments
}

/// The body of a program with a node, which makes the network.
pub(super) fn body_with_node() -> ! {
    body(&with_node(&own_arguments()))
}

/// The body of a program with a node and a fault.
pub(super) fn body_with_fault() -> ! {
    body(&with_fault(&own_arguments()))
}

fn has_few_namespaces() -> bool {
    let limit = fs::read_to_string("/proc/sys/user/max_net_namespaces").unwrap_or_default();
    limit.trim().parse().is_ok_and(|limit: u64| limit < WITH_NODE)
}

/// Whether a program runs in a world with a node and a fault. Made in this process.
pub(super) fn runs_with_fault(start: &[&str]) -> bool {
    run("fault", &with_fault(start)).is_ok()
}

/// The same, in a world with a node.
pub(super) fn runs_with_node(start: &[&str]) -> bool {
    run("node", &with_node(start)).is_ok()
}

/// The same, in a world without a node.
pub(super) fn runs_alone(start: &[&str]) -> bool {
    run("world", &alone(start)).is_ok()
}

fn alone(start: &[impl AsRef<OsStr>]) -> Program {
    // This program, with the arguments by which it does nothing.
    Program { command: this_program(start, Trials::Nothing), ..Program::default() }
}

fn with_node(start: &[impl AsRef<OsStr>]) -> Program {
    let body = Some(this_program(start, Trials::Node));
    Program { peers: 1, body, ..alone(start) }
}

fn with_fault(start: &[impl AsRef<OsStr>]) -> Program {
    let body = Some(this_program(start, Trials::Fault));
    Program { condition: Some(Condition::LAN), body, ..with_node(start) }
}

fn this_program(start: &[impl AsRef<OsStr>], trials: Trials) -> Vec<OsString> {
    let words = start.iter().map(|word| word.as_ref().to_owned());
    iter::once("/proc/self/exe".into()).chain(words).chain([trials.as_str().into()]).collect()
}

/// The parent has the reason if the network cannot be made.
fn body(program: &Program) -> ! {
    exit(i32::from(run_program(program).is_err()))
}

fn run(name: &str, program: &Program) -> TrialResult {
    match run_program(program) {
        Ok(ProgramEnd::Exited(0)) => Ok(None),
        Ok(ProgramEnd::Exited(status)) => {
            Err(cut_short(name, Some(ExitStatus::from_raw(status << 8))))
        }
        Ok(ProgramEnd::NotPrepared(report)) => Err(Problem::reported(&report)
            .unwrap_or_else(|| cut_short(name, Some(ExitStatus::from_raw(1 << 8))))),
        Ok(ProgramEnd::TimedOut(_)) => Err(cut_short(name, None)),
        Ok(ProgramEnd::NotStarted(error)) => {
            let step = "execute a program in the namespaces";
            Err(Problem::of_refusal(step, "execve", errno_of(&error), Operation::Exec))
        }
        Err(error) => Err(Problem::of(&error, "")),
    }
}
