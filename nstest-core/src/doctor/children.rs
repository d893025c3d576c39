//! The children that make the trials, and the time that they have.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, setrlimit};

use super::capability::{ALL, Capability};
use super::report::{Check, CheckStatus, Examination, Problem};
use super::trial::errno_of;
use super::{inside, outside, trial};
use crate::error::ErrorCode;
use crate::preflight::Operation;

/// The time that the children have. They take a tenth of a second.
const LIMIT: Duration = Duration::from_secs(5);

/// Which trials a child makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trials {
    /// On the machine.
    Outside,
    /// In the world of a test.
    Inside,
    /// Those of an uplink.
    Uplink,
}

impl Trials {
    /// The capability that is reported as missing if the child says nothing.
    fn first(self) -> &'static str {
        match self {
            Trials::Outside => "user-namespace",
            Trials::Inside => "world",
            Trials::Uplink => "uplink",
        }
    }
}

/// Makes trials, and writes the results to standard output.
pub fn run_trials(trials: Trials) {
    // What a filter kills leaves no core file, and starts no program that keeps one (core(5)).
    let _ = setrlimit(Resource::RLIMIT_CORE, 1, 1);
    match trials {
        Trials::Outside => outside::all(),
        Trials::Inside => inside::all(),
        Trials::Uplink => outside::uplink(),
    }
}

/// Finds out what this machine lets nstest do. `start` are the arguments with which this program
/// calls [`run_trials`]; the word `inside`, `outside` or `uplink` follows them.
#[must_use]
pub fn examine(start: &[&str]) -> Examination {
    let begin = Instant::now();
    let children =
        [(Trials::Inside, "inside"), (Trials::Outside, "outside"), (Trials::Uplink, "uplink")]
            .map(|(trials, word)| (trials, TrialChild::start(start, word)));
    let mut checks = Vec::new();
    for (trials, child) in children {
        match child {
            Ok(child) => checks.extend(child.finish(trials, begin + LIMIT)),
            Err(problem) => checks.extend(missing(trials.first(), problem)),
        }
    }
    outside::correct(&mut checks);
    let of = |capability: &Capability| {
        let untried = Check {
            capability: *capability,
            status: CheckStatus::Untried,
            detail: None,
            problem: None,
        };
        checks.iter().find(|check| check.capability == *capability).cloned().unwrap_or(untried)
    };
    let facts = outside::facts();
    Examination {
        checks: ALL.iter().map(of).collect(),
        container: outside::container(&facts),
        nodes: outside::nodes(&facts),
        kernel: facts.kernel,
        took: begin.elapsed(),
    }
}

fn missing(name: &str, problem: Problem) -> Option<Check> {
    let capability = *ALL.iter().find(|it| it.name == name)?;
    Some(Check { capability, status: CheckStatus::Missing, detail: None, problem: Some(problem) })
}

/// A child, and the pipe that it writes to.
struct TrialChild {
    process: Child,
    results: OwnedFd,
}

impl TrialChild {
    fn start(start: &[&str], word: &str) -> Result<Self, Problem> {
        let mut command = Command::new("/proc/self/exe");
        command.args(start).arg(word);
        let null = || File::options().read(true).write(true).open("/dev/null");
        let (stdin, stderr) = (null().map_err(no_null)?, null().map_err(no_null)?);
        command.stdin(stdin).stderr(stderr).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(refused)?;
        let results = process.stdout.take().expect("it is piped").into();
        Ok(Self { process, results })
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

fn no_null(error: std::io::Error) -> Problem {
    Problem::of_refusal("open /dev/null", "open(/dev/null)", errno_of(&error), Operation::Other)
}

/// The problem if a child cannot be started.
fn refused(error: std::io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => outside::no_proc(),
        _ => {
            let step = "start a child process";
            Problem::of_refusal(step, "clone", errno_of(&error), Operation::Other)
        }
    }
}

/// The problem if a child ended during a trial. `status` is absent if it had no more time.
fn cut_short(name: &str, status: Option<ExitStatus>) -> Problem {
    let report = "report this message as an issue of nstest";
    let signal = status.and_then(|status| {
        status.signal().or(status.code().filter(|code| *code > 128).map(|code| code - 128))
    });
    let (code, cause, fix) = match (status, signal) {
        (None, _) => {
            let cause = format!("the trial did not end within {LIMIT:?}");
            (ErrorCode::Timeout, cause, "run it again while the machine has less to do")
        }
        (_, Some(libc::SIGSYS)) => (
            ErrorCode::SeccompKill,
            "a seccomp filter kills the process that makes a system call of this trial (SIGSYS)"
                .to_owned(),
            "allow the system call in the filter; in Docker: --security-opt seccomp=unconfined",
        ),
        (_, Some(signal)) => {
            (ErrorCode::Signal, format!("signal {signal} killed the trial"), report)
        }
        (Some(status), None) => {
            (ErrorCode::EarlyExit, format!("the trial ended early ({status})"), report)
        }
    };
    Problem::new(code, &format!("try {name}"), cause, fix)
}
