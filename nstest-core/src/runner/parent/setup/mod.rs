//! The steps between clone and exec, as data: they turn fresh namespaces into a machine of
//! the test's own.
//!
//! [`steps()`] is a pure function of the [`Host`], which is read before, and of the test's
//! options; `sys::step` performs its result. In dependency order:
//!
//! - [`host`]: what the machine looks like;
//! - [`mod@steps`]: the list of steps;
//! - [`identity`]: user and group ids, and what a test that is not root may do;
//! - [`file_system`]: /proc, /sys, /run and the files in /etc.

mod file_system;
pub(super) mod host;
pub(super) mod identity;
pub(super) mod steps;

use std::os::fd::RawFd;
use std::path::Path;

use nix::libc;

use self::host::Host;
use self::identity::Identity;
use self::steps::{PlannedStep, StepList, c_path, mount};
use crate::layout::{NETNS, NODE};
use crate::sys::call::c_string;
use crate::sys::namespaces;
use crate::sys::step::Step;
use crate::uplink::{self, Uplink};

/// What some tests have and others do not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extras<'a> {
    /// The size of the tmpfs on `/run`, as tmpfs(5) has it.
    pub(super) tmpfs_size: &'a str,
    /// `netns = "NAME"`.
    pub(super) netns: Option<&'a str>,
    /// `uplink`.
    pub(super) uplink: Option<&'a Uplink>,
}

impl Extras<'_> {
    /// The namespaces that the clone makes, as flags of clone(2).
    pub(super) fn namespaces(self) -> i32 {
        match self.netns {
            None => namespaces::EVERY,
            Some(_) => namespaces::EVERY & !(libc::CLONE_NEWUSER | libc::CLONE_NEWNET),
        }
    }
}

/// The file descriptors that the child uses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Descriptors {
    /// The write end of the pipe for events.
    pub(super) report: RawFd,
    /// What becomes standard output when the body begins.
    pub(super) stdout: RawFd,
    /// The body's end of the recorder's channel, if there is one.
    pub(super) recorder: Option<RawFd>,
    /// What the body reads from when it pauses, if it does.
    pub(super) resume: Option<RawFd>,
    /// The socket through which a program hands over the listeners of host ports, if it has some.
    pub(super) listeners: Option<RawFd>,
    /// The child's end of the [helper](super::helper)'s socket, and the helper's.
    pub(super) channel: Option<(RawFd, RawFd)>,
    /// What replaces standard error, if anything does.
    pub(super) stderr: Option<RawFd>,
    /// Whether the body reads the parent's standard input, and writes to its
    /// standard output from the start.
    pub(super) inherit: bool,
    /// Whether the body stays in the parent's process group and at its terminal, with the
    /// descriptors and the ignored signals that the parent was started with.
    pub(super) foreground: bool,
    /// Whether the parent was started with SIGPIPE ignored.
    pub(super) ignores_sigpipe: bool,
    /// Whether init is a copy of the parent, which has the parent's descriptors without an exec.
    pub(super) init_is_copy: bool,
}

/// All steps, in order.
pub(super) fn steps(
    host: &Host,
    identity: &Identity,
    fds: Descriptors,
    extras: Extras<'_>,
) -> Vec<PlannedStep> {
    let mut steps = StepList::default();
    if fds.foreground {
        steps.must("reset signals", Step::DefaultSignal(libc::SIGCHLD)); // init waits for its child
        if !fds.ignores_sigpipe {
            steps.must("reset signals", Step::DefaultSignal(libc::SIGPIPE)); // Rust ignores it
        }
    } else {
        steps.must("reset signals", Step::DefaultSignals);
    }
    steps.must("tie the test's life to the runner's", Step::DieWithParent);
    if !fds.foreground {
        steps.must("leave the runner's process group", Step::OwnProcessGroup);
        steps.must("leave the runner's terminal", Step::LeaveTerminal);
    }
    let channel = fds.channel.map(|(channel, helper)| {
        steps.must("close the parent's end of the channel", Step::Close(helper));
        channel
    });
    identity.begin_maps(channel, &mut steps);
    network(&mut steps, extras);
    steps.must("make mounts private", mount(None, "/", None, libc::MS_REC | libc::MS_PRIVATE));
    file_system::add_proc_and_sys(&mut steps, identity.maps_real_root());
    identity.finish_maps(channel, &mut steps);
    file_system::add_run_and_etc(&mut steps, host, extras);
    if let Some(uplink) = extras.uplink {
        add_uplink(&mut steps, uplink, channel);
    }
    descriptors(&mut steps, fds);
    identity.add_rights(&mut steps);
    steps.into_vec()
}

fn network(steps: &mut StepList, extras: Extras<'_>) {
    match extras.netns {
        None => steps.must("bring up `lo`", Step::LoopbackUp),
        // Nothing is changed in it, since others use it.
        Some(name) => steps.must(
            "join the named network namespace",
            Step::Join { path: c_path(&Path::new(NETNS).join(name)), kind: libc::CLONE_NEWNET },
        ),
    }
    steps.must("set the hostname", Step::Hostname(c_string(NODE)));
}

/// Comes after the test's files: the program that serves an uplink must not use the
/// runner's, and this step waits for it.
fn add_uplink(steps: &mut StepList, uplink: &Uplink, channel: Option<RawFd>) {
    let text = uplink.description().into_bytes();
    steps.must("describe the uplink", Step::Create { path: c_string(uplink::DESCRIPTION), text });
    if let Some(step) = uplink.interface() {
        steps.must("make the uplink's interface", step);
    }
    let channel = channel.unwrap_or(-1);
    let what = "connect the uplink";
    steps.must(what, Step::AskHelper { channel });
    steps.must(what, Step::AwaitHelper { channel, call: "read(the runner's answer)" });
}

fn descriptors(steps: &mut StepList, fds: Descriptors) {
    let what = "hand over file descriptors";
    if !fds.inherit {
        steps.must(what, Step::Null { flags: libc::O_RDONLY, to: 0 });
        steps.must(what, Step::Null { flags: libc::O_WRONLY, to: 1 });
    }
    if let Some(stderr) = fds.stderr {
        steps.must(what, Step::Duplicate { from: stderr, to: 2 });
    }
    let kept = [fds.report, fds.stdout].into_iter();
    let kept = kept.chain(fds.recorder).chain(fds.resume).chain(fds.listeners).collect();
    match (fds.foreground, fds.init_is_copy) {
        (false, _) => steps.must(what, Step::KeepOnly(kept)),
        // All others of this process are closed at the exec, but those that it was started with.
        (true, false) => steps.must(what, Step::Keep(kept)),
        (true, true) => {}
    }
}
