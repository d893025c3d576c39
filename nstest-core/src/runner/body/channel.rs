//! Finds out that this process is the body of a test, and reports to the parent.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
#[cfg(feature = "cli")]
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::process::Termination;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::current::Role;
use super::fixtures::Fixtures;
use super::panic_output::flush_before_panics;
use super::pause;
use super::play::play;
use super::restarted::leave_assignment;
use crate::context::TimeLimit;
use crate::ipc::{Assignment, Event, FAILED, Failure};
use crate::layout::TLS_SECRETS;
use crate::panics;
use crate::recorder;
use crate::run_config::{Findings, RunConfig};
use crate::runner::settings::TLS_VARIABLE;
use crate::runner::test::Test;
use crate::sync::lock;
use crate::sys::init::{self, Handover};
use crate::sys::process::{adopt, exit, exit_now, redirect_stdout};

/// The body's way to report to the parent.
pub(crate) struct Channel {
    handover: &'static Handover,
    assignment: Assignment,
    report: Mutex<File>,
}

impl Channel {
    /// The channel, if this process was started as the body of the test with the path
    /// `test`. Only the first call gets it: a test that is called within a test starts a
    /// process of its own.
    pub(crate) fn claim(test: &str) -> Option<Self> {
        static CLAIMED: AtomicBool = AtomicBool::new(false);
        let handover = init::handover()?;
        let assignment = Assignment::decode(&handover.payload).filter(|it| it.test == test)?;
        if CLAIMED.swap(true, Ordering::Relaxed) {
            return None;
        }
        let report = Mutex::new(File::from(adopt(handover.report)));
        Some(Self { handover, assignment, report })
    }

    /// Begins: from here on, standard output is the test's.
    pub(crate) fn begin(&self) {
        let stdout = adopt(self.handover.stdout);
        if redirect_stdout(stdout.as_fd()).is_err() {
            pipe_closed(self.handover);
        }
        if let Some(recorder) = self.assignment.recorder {
            recorder::serve(adopt(recorder));
            if self.assignment.records_loopback {
                recorder::record_loopback();
            }
            let secrets = Path::new(TLS_SECRETS);
            if std::env::var_os(TLS_VARIABLE).is_some_and(|path| path == secrets) {
                // Without it, the record lacks the secrets.
                let _ = recorder::keep_secrets(secrets);
            }
        }
        leave_assignment(&self.assignment);
        self.send(&Event::Started(std::process::id()));
    }

    pub(crate) fn run_config(&self) -> RunConfig {
        self.assignment.run_config.clone()
    }

    /// The socket through which a program hands over the listeners of host ports. To be called
    /// once: it is closed with what is returned.
    #[cfg(feature = "cli")]
    pub(super) fn listeners(&self) -> Option<OwnedFd> {
        self.assignment.listeners.map(adopt)
    }

    /// Runs the test function, reports its result, and ends the process.
    pub(crate) fn play<R: Termination>(
        self,
        test: &'static Test,
        function: impl FnOnce(&mut Fixtures) -> (Option<String>, R),
    ) -> ! {
        self.begin();
        let pid = std::process::id();
        let channel = Arc::new(self);
        report_aborting_panics(&channel);
        flush_before_panics();
        pause_at_end(&channel, test);
        let Assignment { timeout, run_config, .. } = &channel.assignment;
        TimeLimit::begin(*timeout);
        let played = play(test, Role::Body, run_config.clone(), *timeout, function);
        if std::process::id() != pid {
            eprintln!(
                "nstest: note: the test function returned in a fork of the test's process, too; that result is ignored"
            );
            exit_now(0);
        }
        let (result, findings) = played.conclude();
        channel.conclude(result, findings)
    }

    fn conclude(&self, result: Result<(), Failure>, findings: Findings) -> ! {
        let _ = std::io::stdout().flush();
        if !findings.is_empty() {
            self.send(&Event::Found(findings));
        }
        let (event, status) = match result {
            Ok(()) => (Event::Passed, 0),
            Err(failure) => (Event::Failed(failure), FAILED),
        };
        self.send(&event);
        exit(status)
    }

    /// Checks the pipe first: the test may have closed the descriptor and opened a file of
    /// its own with the same number.
    pub(super) fn send(&self, event: &Event) {
        let mut report = lock(&self.report);
        if !self.handover.report_is_open() || report.write_all(&event.encode()).is_err() {
            pipe_closed(self.handover);
        }
    }
}

/// Whether this process was started in namespaces of its own.
pub(crate) fn is_body() -> bool {
    init::handover().is_some()
}

/// Reports that the test closed the pipe, through the descriptor that init has under the same
/// number, and ends the process. An exit status of its own would not do: a test may end with
/// any.
fn pipe_closed(handover: &Handover) -> ! {
    let path = format!("/proc/1/fd/{}", handover.report);
    let reported = OpenOptions::new().write(true).open(path).and_then(|mut pipe| {
        let is_pipe = pipe.metadata()?.ino() == handover.inode;
        if is_pipe {
            pipe.write_all(&Event::PipeClosed.encode())
        } else {
            Err(ErrorKind::NotFound.into())
        }
    });
    if reported.is_err() {
        eprintln!("nstest: the pipe for the verdict was closed");
    }
    exit_now(FAILED)
}

/// Has the test pause at its end, if the parent wants that.
fn pause_at_end(channel: &Arc<Channel>, test: &Test) {
    let Some(assigned) = channel.assignment.pause else { return };
    let resume = adopt(assigned.resume);
    // Programs that the test starts must not have it. It fails only if it is not open.
    let _ = fcntl(&resume, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    let channel = Arc::clone(channel);
    pause::arm(resume, assigned.always, test.options.should_panic, move |why| {
        channel.send(&Event::Paused(why));
    });
}

/// Reports the message of a panic that aborts, where only the panic hook sees it.
/// libtest's hook would end the process with a verdict of its own, so std's replaces it.
fn report_aborting_panics(channel: &Arc<Channel>) {
    if cfg!(panic = "abort") {
        let channel = Arc::clone(channel);
        let (process, thread) = (std::process::id(), std::thread::current().id());
        drop(std::panic::take_hook());
        let printer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            printer(info);
            if std::thread::current().id() == thread && std::process::id() == process {
                let text = panics::message(info.payload()).unwrap_or_default();
                channel.send(&Event::Panicked(text.to_owned()));
            }
        }));
    }
}
