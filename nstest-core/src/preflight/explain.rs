//! From a refusal to the error that the user sees.

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::OnceLock;

use nix::errno::Errno;

use super::diagnose::{diagnose, missing_path};
use super::facts::Facts;
use super::probe::{Filter, Probes, clone_filter};
use super::refusal::{Operation, Refusal};
use super::remedy::{self, UNNAMED_CALL};
use crate::error::{Error, ErrorCode, Result};
use crate::sys::process::has_seccomp_filter;

/// Finds the cause of a refusal, and a remedy.
pub(crate) fn explain(refusal: Refusal) -> Error {
    let (facts, probes) = investigate(&refusal);
    error(&refusal, &facts, &probes)
}

/// Explains why a thread was not started: the limits are those on the test's own process.
pub(crate) fn no_thread(step: impl Into<String>, error: &io::Error) -> Error {
    explain(Refusal {
        step: step.into(),
        call: "clone".to_owned(),
        errno: error.raw_os_error().unwrap_or_default(),
        kind: Operation::Thread,
    })
}

/// Explains why a socket was not opened, if something on this machine refuses it. Other errors are
/// about the socket, and the caller knows more of them.
pub(crate) fn no_socket(step: &str, call: &str, errno: Errno) -> Option<Error> {
    let refused = match errno {
        Errno::EPERM | Errno::EACCES | Errno::ENOSYS => true,
        // The kernel answers so, too, if it has no such family.
        Errno::EAFNOSUPPORT => call.starts_with("socket(") && has_seccomp_filter(),
        _ => false,
    };
    refused.then(|| {
        explain(Refusal {
            step: step.to_owned(),
            call: call.to_owned(),
            errno: errno as i32,
            kind: Operation::Socket,
        })
    })
}

/// Why no IPv6 socket was opened: [`call`](no_socket) was refused with this errno.
pub(crate) fn no_ipv6(step: &str, call: &str, errno: Errno) -> Error {
    let parameter = |name: &str| fs::read_to_string(format!("/sys/module/ipv6/parameters/{name}"));
    let is_set = |name: &str| parameter(name).is_ok_and(|value| value.trim() == "1");
    let error = |cause: String, remedy: String| {
        Error::new(ErrorCode::Sysctl, step).source(cause).help(remedy)
    };
    if let Some(name) = ["disable", "disable_ipv6"].iter().find(|name| is_set(name)) {
        return error(
            format!("the kernel was started with ipv6.{name}=1"),
            format!(
                "remove ipv6.{name}=1 from the kernel's command line (/etc/default/grub), and boot \
                 again; nodes have only IPv4 until then, as with #[netns_test(ipv6 = false)]"
            ),
        );
    }
    if !Path::new("/proc/sys/net/ipv6").exists() {
        return error(
            format!("the kernel has no IPv6 ({call}: {errno:?})"),
            "sudo modprobe ipv6    # on the machine itself; or use a kernel with CONFIG_IPV6"
                .to_owned(),
        );
    }
    no_socket(step, call, errno).unwrap_or_else(|| {
        let remedy = "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0".to_owned();
        error(format!("{call}: {errno}"), remedy)
    })
}

/// Explains an error that has no remedy, if its cause is an errno by which a machine refuses what it
/// does not allow.
pub(crate) fn explained(error: &Error) -> Option<Error> {
    let errno = if error.next_step().is_none() { errno_of(error)? } else { return None };
    let refusals = [Errno::EPERM, Errno::EACCES, Errno::ENOSYS, Errno::EFBIG];
    let refusal = Refusal {
        step: error.to_string(),
        call: UNNAMED_CALL.to_owned(),
        errno: errno as i32,
        kind: Operation::Other,
    };
    let facts = Facts::of_this_machine();
    let found = refusals
        .contains(&errno)
        .then(|| diagnose(&refusal, &facts, &Probes::UNTRIED))
        .filter(|found| found.code != ErrorCode::Setup)?;
    let what = format!("{error}: {errno:?}");
    Some(Error::new(found.code, what).source(found.cause).help(found.remedy))
}

/// A function for `map_err`: see [`explained`].
pub(crate) fn with_remedy(error: Error) -> Error {
    explained(&error).unwrap_or(error)
}

/// What the error's own cause is, if a system call failed.
fn errno_of(error: &Error) -> Option<Errno> {
    let source = error.source()?;
    let of_io = || source.downcast_ref::<io::Error>()?.raw_os_error().map(Errno::from_raw);
    source.downcast_ref::<Errno>().copied().or_else(of_io)
}

/// What helps where a step at a path was refused that a test can do without: what makes a path that
/// is missing, or what the container runtime must allow at /proc or /sys. Empty if nothing is known.
pub(crate) fn paths_help(kind: &Operation, errno: Errno) -> String {
    let (Operation::Mount { target: path } | Operation::Sysctl { path }) = kind else {
        return String::new();
    };
    let facts = Facts::of_the_environment();
    let (step, call) = (String::new(), String::new());
    let refusal = Refusal { step, call, errno: errno as i32, kind: kind.clone() };
    let at_paths = path.starts_with("/proc") || path.starts_with("/sys");
    let help = match missing_path(&refusal, &facts) {
        Some(found) => found.remedy,
        None if at_paths && facts.container.is_some() => remedy::system_paths(path, &facts),
        None => return String::new(),
    };
    format!("; help: {}", help.replace('\n', "; "))
}

/// Whether this process survives the clone that makes a test's namespaces. It does if it has
/// no seccomp filter, which is all that most machines pay for. The first call decides.
///
/// # Errors
/// If a filter kills the process that makes the call.
pub(crate) fn survives_clone() -> Result<()> {
    static KILLED: OnceLock<Option<i32>> = OnceLock::new();
    let killed = KILLED.get_or_init(|| match has_seccomp_filter().then(clone_filter) {
        Some(Filter::Kills(signal)) => Some(signal),
        _ => None,
    });
    killed.map_or(Ok(()), |signal| {
        Err(explain(Refusal {
            step: "create the test's namespaces".to_owned(),
            call: "clone".to_owned(),
            errno: 0,
            kind: Operation::Killed { signal },
        }))
    })
}

pub(super) fn investigate(refusal: &Refusal) -> (Facts, Probes) {
    let facts = Facts::of_this_machine();
    // Some operations make no namespace, so a child process would find out nothing.
    let probes = match refusal.kind {
        Operation::Pipe | Operation::Exec | Operation::Enter | Operation::Socket => Probes::UNTRIED,
        Operation::Thread => Probes::of_threads(),
        Operation::FurtherNamespaces { kinds } => Probes::of_further(kinds),
        _ => Probes::run(nix::unistd::geteuid().as_raw()),
    };
    (facts, probes)
}

pub(super) fn error(refusal: &Refusal, facts: &Facts, probes: &Probes) -> Error {
    let diagnosis = diagnose(refusal, facts, probes);
    let result = match refusal.kind {
        Operation::Killed { signal } => remedy::signal_name(signal),
        _ => format!("{:?}", Errno::from_raw(refusal.errno)),
    };
    let what = format!("{}: {}: {result}", refusal.step, refusal.call);
    let error = Error::new(diagnosis.code, what).source(diagnosis.cause).help(diagnosis.remedy);
    if diagnosis.exhausted { error.exhausted() } else { error }
}
