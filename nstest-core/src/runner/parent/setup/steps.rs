//! The list of steps between clone and exec, and how the steps are built.

use std::borrow::Cow;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;

use crate::sys::call::c_string;
use crate::sys::spawn::Act;
use crate::sys::step::{Mount, Step};

/// One step, with the words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedStep {
    pub(crate) step: Step,
    /// The operation and its object, for messages.
    pub(crate) what: &'static str,
    /// What the test has to do without if the step fails; absent: the test fails.
    pub(crate) without: Option<Cow<'static, str>>,
}

impl PlannedStep {
    pub(crate) fn act(&self) -> Act {
        Act { step: self.step.clone(), required: self.without.is_none() }
    }
}

/// Steps in the order in which the child performs them.
#[derive(Debug, Default)]
pub(crate) struct StepList(Vec<PlannedStep>);

impl StepList {
    /// Adds a step that the test cannot do without.
    pub(super) fn must(&mut self, what: &'static str, step: Step) {
        self.0.push(PlannedStep { step, what, without: None });
    }

    /// Adds a step that the test can do without, and what it lacks then.
    pub(super) fn may(
        &mut self,
        what: &'static str,
        step: Step,
        without: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(PlannedStep { step, what, without: Some(without.into()) });
    }

    pub(super) fn into_vec(self) -> Vec<PlannedStep> {
        self.0
    }
}

/// A [`Step::Mount`] without data.
pub(super) fn mount(
    source: Option<&str>,
    target: &str,
    kind: Option<&str>,
    flags: libc::c_ulong,
) -> Step {
    Step::Mount(mount_arguments(source, target, kind, flags))
}

pub(super) fn mount_arguments(
    source: Option<&str>,
    target: &str,
    kind: Option<&str>,
    flags: libc::c_ulong,
) -> Mount {
    Mount {
        source: source.map(c_string),
        target: c_string(target),
        kind: kind.map(c_string),
        flags,
        data: None,
    }
}

pub(super) fn c_path(path: &Path) -> CString {
    c_string(path.as_os_str().as_bytes())
}
