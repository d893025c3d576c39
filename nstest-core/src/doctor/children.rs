//! The children that make the trials, and the time that they have.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::pipe2;

use super::capability::{ALL, Capability, MANY_NODES, Need};
use super::outside::further_nodes;
use super::program::First;
use super::report::{Check, CheckStatus, Examination, Problem, Runs};
use super::trial::{self, LIMIT, cut_short, errno_of};
use super::trials::Trials;
use super::{inside, outside, program};
use crate::preflight::facts::Facts;
use crate::preflight::{Operation, caller};
use crate::runner;
use crate::sys::process::executed_path;

impl Trials {
    /// The capability that is reported as missing if the child cannot be started.
    fn needed(self) -> &'static str {
        if RUNS.contains(&self) { "world" } else { self.first() }
    }

    /// The capability that is reported as missing if the child says nothing.
    fn first(self) -> &'static str {
        match self {
            Trials::Run | Trials::Fault => "fault",
            Trials::RunNode | Trials::Node => "node",
            Trials::RunWorld => "world",
            Trials::Outside => "user-namespace",
            Trials::Inside | Trials::Nothing => "world",
            Trials::Uplink => "uplink",
        }
    }
}

/// Makes trials, and writes the results to standard output.
pub fn run_trials(trials: Trials) {
    // What a filter kills leaves no core file, and starts no program that keeps one (core(5)).
    let _ = setrlimit(Resource::RLIMIT_CORE, 1, 1);
    caller::set_command();
    match trials {
        Trials::Run => program::all(First::Fault),
        Trials::RunNode => program::all(First::Node),
        Trials::RunWorld => program::all(First::World),
        Trials::Node => program::body_with_node(),
        Trials::Fault => program::body_with_fault(),
        Trials::Nothing => {}
        Trials::Outside => outside::all(),
        Trials::Inside => inside::all(),
        Trials::Uplink => outside::uplink(),
    }
}

/// The trials of `nstest run`, and from the later ones on.
const RUNS: [Trials; 3] = [Trials::Run, Trials::RunNode, Trials::RunWorld];

/// Finds out what this machine lets nstest do. `start` are the arguments with which this program
/// calls [`run_trials`]; those that are asked for follow them: [`Trials::as_str`].
#[must_use]
pub fn examine(start: &[&str]) -> Examination {
    let begin = Instant::now();
    let deadline = begin + LIMIT;
    caller::set_command();
    let facts = outside::facts();
    let (mut checks, ran) = match outside::no_init(&facts) {
        // Nothing can be tried.
        Some(problem) => (missing("pid-namespace", problem).into_iter().collect(), Ran::default()),
        None => tried(&facts, start, deadline),
    };
    checks.extend(settings());
    let of = |capability: &Capability| {
        let untried = Check {
            capability: *capability,
            status: CheckStatus::Untried,
            detail: None,
            problem: None,
        };
        // Several children make a world.
        let found = || checks.iter().filter(|check| check.capability == *capability);
        let missing = found().find(|check| check.status != CheckStatus::Works);
        missing.or_else(|| found().next()).cloned().unwrap_or(untried)
    };
    let mut checks: Vec<Check> = ALL.iter().map(of).collect();
    checks.iter_mut().for_each(|check| ran.correct(check));
    if !ran.nodes {
        // Without nodes there is no link for a fault.
        let fault = checks.iter_mut().find(|check| check.capability.name == "fault");
        fault.into_iter().for_each(|fault| fault.problem = None);
    }
    unite(&mut checks);
    let nodes = outside::nodes(&facts);
    let of_many = checks.iter_mut().filter(|check| check.capability.need == MANY_NODES);
    of_many.for_each(|check| check.capability.need = nodes.map_or(MANY_NODES, further_nodes));
    Examination {
        checks,
        programs: ran.runs(),
        container: outside::container(&facts),
        nodes,
        kernel: facts.kernel,
        took: begin.elapsed(),
    }
}

/// The capabilities that are limits.
const LIMITS: &[&str] = &["open-files", "file-size", "processes", "namespaces", "node-namespaces"];

/// What has met a limit is one problem with that limit, which was read as well.
fn unite(checks: &mut [Check]) {
    let is_limit = |check: &&Check| LIMITS.contains(&check.capability.name);
    let limits = checks.iter().filter(is_limit).filter_map(|check| check.problem.clone());
    let limits: Vec<Problem> = limits.collect();
    for check in checks.iter_mut().filter(|check| !is_limit(&&**check)) {
        let Some(problem) = &mut check.problem else { continue };
        if let Some(limit) = limits.iter().find(|limit| limit.code == problem.code) {
            (problem.cause, problem.fix) = (limit.cause.clone(), limit.fix.clone());
        }
    }
}

/// The environment variables. With a wrong one, each test fails.
fn settings() -> Option<Check> {
    let problem = runner::check_settings().err().map(|error| Problem::of(&error, ""));
    let status = if problem.is_some() { CheckStatus::Missing } else { CheckStatus::Works };
    check("settings", status, problem)
}

/// What the children have found, and what ran.
fn tried(facts: &Facts, start: &[&str], deadline: Instant) -> (Vec<Check>, Ran) {
    let mut checks = Vec::new();
    let mut has_child = true;
    for trials in RUNS {
        let child = TrialChild::start(start, trials);
        has_child = has_child && child.is_ok();
        checks.extend(TrialChild::checks(child, trials, deadline));
        // A trial that killed the child has kept it from those that need less.
        if checks.iter().any(|check| check.capability.name == "world") {
            break;
        }
    }
    let ran = Ran::of(&checks, has_child, start);
    let others = [Trials::Inside, Trials::Outside, Trials::Uplink];
    if outside::is_limited(facts) {
        checks.extend(others.into_iter().flat_map(|it| TrialChild::result(start, it, deadline)));
    } else {
        let children = others.map(|trials| (trials, TrialChild::start(start, trials)));
        for (trials, child) in children {
            checks.extend(TrialChild::checks(child, trials, deadline));
        }
    }
    (checks, ran)
}

fn missing(name: &str, problem: Problem) -> Option<Check> {
    check(name, CheckStatus::Missing, Some(problem))
}

fn check(name: &str, status: CheckStatus, problem: Option<Problem>) -> Option<Check> {
    let capability = *ALL.iter().find(|it| it.name == name)?;
    Some(Check { capability, status, detail: None, problem })
}

/// A child, and the pipe that it writes to.
struct TrialChild {
    process: Child,
    results: OwnedFd,
}

impl TrialChild {
    fn start(start: &[&str], trials: Trials) -> Result<Self, Problem> {
        let mut command = Command::new("/proc/self/exe");
        // Made here, so that its refusal is not taken for one of the process.
        let (results, theirs) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| {
            let step = "make a pipe for a child process";
            Problem::of_refusal(step, "pipe2", errno, Operation::Pipe)
        })?;
        // Not /dev/null: `nstest run` does not need it. What the child prints beside its results
        // is short, and stays in the pipe.
        let pipe = Stdio::piped;
        command.arg0(executed_path().unwrap_or_default());
        command.args(start).arg(trials.as_str()).stdin(pipe()).stderr(pipe()).stdout(theirs);
        let mut process = command.spawn().map_err(refused)?;
        drop(process.stdin.take());
        Ok(Self { process, results })
    }

    /// Starts one, and waits for it.
    fn result(start: &[&str], trials: Trials, deadline: Instant) -> Vec<Check> {
        Self::checks(Self::start(start, trials), trials, deadline)
    }

    /// What one has found, or why it was not started.
    fn checks(child: Result<Self, Problem>, trials: Trials, deadline: Instant) -> Vec<Check> {
        match child {
            Ok(child) => child.finish(trials, deadline),
            Err(problem) => missing(trials.needed(), problem).into_iter().collect(),
        }
    }

    /// Reads the results until the child has ended, or kills it.
    fn finish(mut self, trials: Trials, deadline: Instant) -> Vec<Check> {
        let mut text = Vec::new();
        let mut pipe = File::from(self.results);
        let mut buffer = [0; 4096];
        let in_time = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let ready = poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout);
            if ready == Ok(0) {
                break false;
            }
            match pipe.read(&mut buffer) {
                Ok(0) => break true,
                Ok(length) => text.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
        };
        if !in_time {
            // The world of the child ends with it.
            let _ = self.process.kill();
        }
        let status = self.process.wait().ok();
        let (mut checks, begun) = trial::read(&String::from_utf8_lossy(&text), ALL);
        let failed = !in_time || status.is_none_or(|status| !status.success());
        if let Some(name) =
            begun.map(|it| it.name).or((failed && checks.is_empty()).then(|| trials.first()))
        {
            checks.extend(missing(name, cut_short(name, status.filter(|_| in_time))));
        }
        checks
    }
}

/// The problem if a child cannot be started.
fn refused(error: std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => outside::no_namespace().unwrap_or_else(outside::no_proc),
        _ => {
            let step = "start a child process";
            Problem::of_refusal(step, "clone", errno_of(&error), Operation::Other)
        }
    }
}

/// What `nstest run` could do, which needs less than all trials do together.
#[derive(Debug, Default, Clone, Copy)]
struct Ran {
    world: bool,
    nodes: bool,
    faults: bool,
}

impl Ran {
    /// By the results of [`Trials::Run`]. `nstest run` has no process beside it, as its child has:
    /// if that was one too many, or could not be started, it is tried in this process.
    fn of(checks: &[Check], has_child: bool, start: &[&str]) -> Self {
        let works = |name| {
            let mut named = checks.iter().filter(|check| check.capability.name == name);
            named.any(|check| check.status == CheckStatus::Works)
        };
        let (mut nodes, mut faults) = (works("node"), works("fault"));
        // The kernel removes namespaces a moment after their last process, so the world may find those
        // of the node before it.
        let is_limit = |check: &Check| check.problem.as_ref().is_some_and(Problem::is_limit);
        let mut worlds = checks.iter().filter(|check| check.capability.name == "world");
        let mut world = works("world") || nodes && worlds.any(is_limit);
        let mut problems = checks.iter().filter_map(|check| check.problem.as_ref());
        if !has_child || problems.any(Problem::is_limit_of_processes) {
            faults = faults || program::runs_with_fault(start);
            nodes = nodes || faults || program::runs_with_node(start);
            world = world || program::runs_alone(start);
        }
        Self { world, nodes, faults }
    }

    fn runs(self) -> Runs {
        match self {
            Self { world: false, .. } => Runs::Nothing,
            Self { faults: true, .. } => Runs::Everything,
            Self { nodes: true, .. } => Runs::WithoutFaults,
            _ => Runs::WithoutNodes,
        }
    }

    /// It has used what a world and a node need. Where a trial did not have the processes or the
    /// files that it takes beside, it works nevertheless.
    fn correct(self, check: &mut Check) {
        let was_used = match check.capability.need {
            Need::Required => self.world,
            Need::Nodes | Need::CodeInNodes => self.nodes,
            Need::Faults => self.faults,
            // It needs no more than one of root.
            _ => self.world && check.capability.name == "no-root",
        };
        let is_kind = check.capability.name.ends_with("-namespace");
        let by_limit = check.problem.as_ref().is_none_or(Problem::is_limit);
        if was_used && check.status != CheckStatus::Works && (by_limit || is_kind) {
            (check.status, check.detail, check.problem) = (CheckStatus::Works, None, None);
        }
    }
}
