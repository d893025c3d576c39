//! Turns a system call that was refused to the parent, or to the child on its way to
//! exec, into an error that names the cause.

use std::ffi::CString;
use std::io;

use nix::errno::Errno;
use nix::libc;

use super::setup::identity::WRITE_ID_MAPS;
use super::setup::steps::PlannedStep;
use crate::error::Error;
use crate::preflight::caller::Caller;
use crate::preflight::{self, Operation, Refusal};
use crate::sys::spawn::Refused;
use crate::sys::step::Step;
use crate::uplink;

/// A function for `map_err`: the parent could not make or use a file descriptor.
pub(crate) fn descriptor_error<E: Into<io::Error>>(
    what: &'static str,
    call: &'static str,
) -> impl Fn(E) -> Error {
    move |error| {
        preflight::explain(Refusal {
            step: what.to_owned(),
            call: call.to_owned(),
            errno: error.into().raw_os_error().unwrap_or_default(),
            kind: Operation::Pipe,
        })
    }
}

/// The child could not be made, or could not perform one of its steps.
pub(super) fn spawn_error(refused: &Refused, steps: &[PlannedStep]) -> Error {
    let refusal = |step: &str, call: String, errno, kind| Refusal {
        step: step.to_owned(),
        call,
        errno,
        kind,
    };
    preflight::explain(match *refused {
        Refused::Clone(errno) => {
            refusal("create the test's namespaces", "clone".to_owned(), errno, Operation::Clone)
        }
        Refused::Step(index, errno) => {
            let PlannedStep { step, what, .. } = &steps[index];
            if matches!(step, Step::Tap { .. }) {
                return uplink::tap_refused(Errno::from_raw(errno));
            }
            refusal(what, call(step, errno), errno, kind(step))
        }
        Refused::Exec(errno) => {
            let binary = Caller::current().binary();
            return exec_error(&format!("start {binary} again"), errno);
        }
    })
}

/// What comes before or after the execve(2) of a program was refused.
#[cfg(feature = "cli")]
pub(crate) fn no_program(error: &io::Error) -> Error {
    let errno = error.raw_os_error().unwrap_or_default();
    // Only the call that makes a process has these.
    let (call, kind) = match errno {
        libc::EAGAIN | libc::ENOMEM => ("clone", Operation::Clone),
        _ => (preflight::remedy::UNNAMED_CALL, Operation::Other),
    };
    let (step, call) = ("start the program, and wait for it".to_owned(), call.to_owned());
    preflight::explain(Refusal { step, call, errno, kind })
}

/// The execve(2) of a program was refused because the machine has no room for it: the program is
/// not to blame.
#[cfg(feature = "cli")]
pub(super) fn no_room(errno: i32) -> Option<Error> {
    matches!(errno, libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE)
        .then(|| exec_error("start the program", errno))
}

/// An execve(2) was refused in the namespaces.
pub(crate) fn exec_error(step: &str, errno: i32) -> Error {
    let (step, call) = (step.to_owned(), "execve".to_owned());
    preflight::explain(Refusal { step, call, errno, kind: Operation::Exec })
}

/// The call of a step that was refused: the first one, where the errno is that of no later one.
fn call(step: &Step, errno: i32) -> String {
    match (step, errno) {
        (Step::LoopbackUp, libc::EAFNOSUPPORT) => "socket(AF_INET)".to_owned(),
        _ => step.call(),
    }
}

/// The kind of a step, by which `preflight` finds the cause.
pub(super) fn kind(step: &Step) -> Operation {
    let text = |path: &CString| path.to_string_lossy().into_owned();
    match step {
        Step::AwaitHelper { call: WRITE_ID_MAPS, .. } => Operation::IdMap,
        Step::Write { path, .. } if text(path).ends_with("/setgroups") => Operation::SetGroups,
        Step::Write { path, .. } if text(path).ends_with("id_map") => Operation::IdMap,
        Step::Write { path, .. } => Operation::Sysctl { path: text(path) },
        Step::Mount(mount) => Operation::Mount { target: text(&mount.target) },
        Step::BindHeld { target, .. } => Operation::Mount { target: text(target) },
        Step::Hostname(_) => Operation::Hostname,
        Step::LoopbackUp => Operation::Loopback,
        _ => Operation::Other,
    }
}
