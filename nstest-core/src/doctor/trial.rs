//! One trial, and its record on the pipe from a child to the parent.

use std::error::Error as _;
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::capability::Capability;
use super::report::{Check, CheckStatus, Problem};
use crate::error::{Error, ErrorCode};
use crate::preflight::{self, Operation, Refusal, remedy};

/// The time that the children have. They take a tenth of a second.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// Between two fields, and behind a record. No text of an error has them.
const FIELD: char = '\x1f';
const END: char = '\x1e';

/// The status of a trial that has begun, in a record before that of its result.
const BEGUN: &str = "begun";

/// What a trial has found: that it works, with a detail, or why it does not.
pub(super) type TrialResult = Result<Option<String>, Problem>;

impl Problem {
    pub(super) fn new(
        code: ErrorCode,
        what: &str,
        cause: impl ToString,
        fix: impl ToString,
    ) -> Self {
        let (code, what) = (code.to_string(), what.to_owned());
        Self { code, what, cause: cause.to_string(), fix: fix.to_string() }
    }

    /// Why the machine refused a system call.
    pub(super) fn of_refusal(step: &str, call: &str, errno: Errno, kind: Operation) -> Self {
        let (step, call, errno) = (step.to_owned(), call.to_owned(), errno as i32);
        Self::of(&preflight::explain(Refusal { step, call, errno, kind }), "")
    }

    /// Whether a limit is reached, which has room for less than all trials take together.
    pub(super) fn is_limit(&self) -> bool {
        let others = [
            ErrorCode::OpenFiles,
            ErrorCode::ResourceLimit,
            ErrorCode::UsernsLimit,
            ErrorCode::UsernsDepth,
            ErrorCode::NetnsLimit,
            ErrorCode::NamespaceLimit,
        ];
        self.is_limit_of_processes() || others.iter().any(|code| self.has(*code))
    }

    pub(super) fn is_limit_of_processes(&self) -> bool {
        self.has(ErrorCode::Nproc) || self.has(ErrorCode::PidsLimit)
    }

    fn has(&self, code: ErrorCode) -> bool {
        self.code == code.to_string()
    }

    /// What the process of a program has reported: an error, as it is printed.
    pub(super) fn reported(report: &str) -> Option<Self> {
        const CAUSE: &str = "\n  cause: ";
        let (code, rest) = report.strip_prefix("nstest[")?.split_once("]: ")?;
        let (rest, fix) = rest.split_once("\n  help: ").unwrap_or((rest, remedy::REPORT));
        let (what, causes) = rest.split_once(CAUSE).unwrap_or((rest, ""));
        let cause = causes.replace(CAUSE, ": ").replace("\n    ", "\n");
        let fix = fix.replace("\n    ", "\n");
        Some(Self { code: code.to_owned(), what: what.to_owned(), cause, fix })
    }

    /// What an error says. `fix` is the remedy if the error has none, and its cause is not known.
    pub(super) fn of(error: &Error, fix: &str) -> Self {
        let explained = preflight::explained(error);
        let error = explained.as_ref().unwrap_or(error);
        let fix = if fix.is_empty() { remedy::REPORT } else { fix };
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self {
            code: error.code().to_string(),
            what: error.to_string(),
            cause: causes.join(": "),
            fix: error.next_step().unwrap_or(fix).to_owned(),
        }
    }
}

/// The problem if a process ended during a trial. `status` is absent if it had no more time.
pub(super) fn cut_short(name: &str, status: Option<ExitStatus>) -> Problem {
    let step = format!("try {name}");
    let Some(status) = status else {
        let cause = format!("the trial did not end within {LIMIT:?}");
        let fix = "run it again while the machine has less to do";
        return Problem::new(ErrorCode::Timeout, &step, cause, fix);
    };
    let signal = status.signal().or(status.code().filter(|code| *code > 128).map(|it| it - 128));
    match signal {
        Some(signal @ (libc::SIGSYS | libc::SIGXFSZ)) => {
            let (call, kind) = (remedy::UNNAMED_CALL.to_owned(), Operation::Killed { signal });
            Problem::of(&preflight::explain(Refusal { step, call, errno: 0, kind }), "")
        }
        Some(signal) => {
            let cause = format!("{} killed the trial", remedy::signal_name(signal));
            Problem::new(ErrorCode::Signal, &step, cause, remedy::REPORT)
        }
        None => {
            let cause = format!("the trial ended early ({status})");
            Problem::new(ErrorCode::EarlyExit, &step, cause, remedy::REPORT)
        }
    }
}

pub(super) fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

/// Tries, and writes the record.
pub(super) fn attempt(name: &str, trial: impl FnOnce() -> TrialResult) -> bool {
    attempt_or(name, CheckStatus::Missing, trial)
}

/// The same, for what nstest replaces by something else if it is missing.
pub(super) fn attempt_or(
    name: &str,
    otherwise: CheckStatus,
    trial: impl FnOnce() -> TrialResult,
) -> bool {
    begin(name);
    match trial() {
        Ok(detail) => {
            record(name, CheckStatus::Works, detail.as_deref().unwrap_or_default(), None);
            true
        }
        Err(problem) => {
            record(name, otherwise, "", Some(&problem));
            false
        }
    }
}

/// Writes that a trial has begun.
pub(super) fn begin(name: &str) {
    write(&[name, BEGUN]);
}

/// Writes a record. An empty detail is none.
pub(super) fn record(name: &str, status: CheckStatus, detail: &str, problem: Option<&Problem>) {
    let Some(Problem { code, what, cause, fix }) = problem else {
        return write(&[name, status.as_str(), detail]);
    };
    write(&[name, status.as_str(), detail, code, what, cause, fix]);
}

fn write(fields: &[&str]) {
    let mut text = fields.join(&FIELD.to_string());
    text.push(END);
    let mut out = io::stdout().lock();
    // It fails if the parent is gone.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// The results in what a child has written, and the capability of a trial that has begun and not
/// ended.
pub(super) fn read(text: &str, all: &[Capability]) -> (Vec<Check>, Option<Capability>) {
    let mut checks = Vec::new();
    let mut begun = None;
    for line in text.split_inclusive(END).filter_map(|line| line.strip_suffix(END)) {
        let fields: Vec<&str> = line.split(FIELD).collect();
        let Some(capability) = all.iter().find(|it| it.name == fields[0]) else { continue };
        begun = Some(*capability);
        let Some(status) = fields.get(1).and_then(|name| CheckStatus::named(name)) else {
            continue;
        };
        begun = None;
        let detail = fields.get(2).filter(|it| !it.is_empty()).map(|it| (*it).to_owned());
        let problem = match fields.get(3..) {
            Some([code, what, cause, fix]) => {
                let [code, what, cause, fix] = [code, what, cause, fix].map(|it| (*it).to_owned());
                Some(Problem { code, what, cause, fix })
            }
            _ => None,
        };
        checks.push(Check { capability: *capability, status, detail, problem });
    }
    (checks, begun)
}

#[cfg(test)]
mod tests {
    use super::super::capability::ALL;
    use super::*;

    #[test]
    fn records_are_read_and_the_last_trial_may_not_have_ended() {
        let text = "node\x1fbegun\x1enode\x1fworks\x1f2 more\x1eveth\x1fbegun\x1e\
                    veth\x1fmissing\x1f\x1fnetlink\x1fmake\x1fa\nb\x1fload\x1enonsense\x1e\
                    u32\x1fbegun\x1enat\x1fwor";
        let (checks, begun) = read(text, ALL);
        assert_eq!(begun.map(|it| it.name), Some("u32"));
        let [node, veth] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!((node.status, node.detail.as_deref()), (CheckStatus::Works, Some("2 more")));
        assert_eq!((node.capability.name, &node.problem), ("node", &None));
        assert_eq!((veth.status, &veth.detail), (CheckStatus::Missing, &None));
        let problem = veth.problem.as_ref().unwrap();
        assert_eq!((&*problem.code, &*problem.cause, &*problem.fix), ("netlink", "a\nb", "load"));
    }

    #[test]
    fn a_problem_of_which_nothing_is_known_has_help() {
        for errno in [Errno::EPERM, Errno::EIO, Errno::EFBIG] {
            let problem = Problem::of(&Error::new(ErrorCode::Wire, "start").source(errno), "");
            assert!(!problem.fix.is_empty(), "{problem:?}");
        }
    }

    #[test]
    fn what_a_process_reports_is_read() {
        let error = || {
            let causes = Error::new(ErrorCode::Netlink, "add").source("two\nlines");
            Error::new(ErrorCode::Wire, "start").source(causes)
        };
        for error in [error(), error().help("load\nit")] {
            let read = Problem::reported(&format!("{error:?}"));
            assert_eq!(read, Some(Problem::of(&error, "")));
        }
        assert_eq!(Problem::reported("panicked at"), None);
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
