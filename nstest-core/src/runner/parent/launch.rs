//! Starts a body: pipes, identity, steps, clone.
//!
//! All of it happens on the thread on which libtest called the wrapper. libtest captures the
//! output of this thread, and init is killed when this thread ends (PR_SET_PDEATHSIG counts
//! threads, not processes).

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use nix::unistd::pipe2;

use super::helper::ParentHelper;
use super::output::Drain;
use super::pause::PauseControl;
use super::refusal::{self, descriptor_error, spawn_error};
use super::setup::host::Host;
use super::setup::identity::Identity;
use super::setup::steps::PlannedStep;
use super::setup::{self, Descriptors, Extras};
use super::watch::{Printed, Running};
use super::{environment, named_netns};
use crate::error::Result;
use crate::ipc::{AssignedPause, Assignment};
use crate::preflight;
use crate::recorder::{self, Recorder};
use crate::run_config::RunConfig;
use crate::runner::libtest;
use crate::runner::pause_policy::PausePolicy;
use crate::runner::record::TestRecord;
use crate::runner::settings::{self, RecordOptions, Settings};
use crate::runner::test::{Options, Test};
use crate::sys::call::c_string;
#[cfg(feature = "cli")]
use crate::sys::inherited_signals;
use crate::sys::init::Handover;
#[cfg(feature = "cli")]
use crate::sys::init_copy::spawn_program;
use crate::sys::spawn::{Act, ChildPid, Helper, Image, Refused, SELF, Spawned, spawn};
use crate::uplink::{Connected, Uplink};

/// Where the body's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyOutput {
    /// Through a pipe, to libtest's capture.
    Captured,
    /// Through a pipe, into what was [observed](crate::runner::verdict::Observed).
    Kept,
    /// To the parent's own descriptors, from the moment that the body begins.
    Streamed,
    /// To the parent's own descriptors from the start; the body has its input, too.
    Inherited,
    /// As [`Inherited`](Self::Inherited), and the body stays in the parent's process group,
    /// at its terminal.
    Foreground,
}

/// What is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    /// This one, as the body of a test or of a `main`.
    This,
    /// The program that the first of the arguments names.
    #[cfg(feature = "cli")]
    Named,
}

/// One start of a binary in namespaces of its own.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// What the wrapper in the new process compares its own path with.
    pub(crate) test: String,
    pub(crate) binary: Binary,
    pub(crate) arguments: Vec<OsString>,
    /// The name by which libtest finds the test; absent for a `main`.
    pub(crate) libtest_name: Option<&'a str>,
    /// Only the options that concern start-up are used.
    pub(crate) options: Options,
    pub(crate) run_config: RunConfig,
    /// The size of the tmpfs on `/run`, as tmpfs(5) has it.
    pub(crate) tmpfs_size: String,
    pub(crate) timeout: Option<Duration>,
    pub(crate) output: BodyOutput,
    pub(crate) record: RecordOptions,
    /// Whether the test pauses at its end.
    pub(crate) pause: Option<PausePolicy>,
    /// The socket through which a program hands over the listeners of host ports, if it has some.
    pub(crate) listeners: Option<OwnedFd>,
}

impl<'a> Launch<'a> {
    /// The start of a test that libtest knows by `name`.
    pub(crate) fn of(test: &Test, name: &'a str, settings: &Settings) -> Self {
        let argv0 = std::env::args_os().next().unwrap_or_default();
        Self {
            test: test.path(),
            binary: Binary::This,
            arguments: libtest::arguments(argv0, name),
            libtest_name: Some(name),
            options: test.options,
            run_config: settings.run_config.clone(),
            tmpfs_size: settings.tmpfs_size.clone(),
            timeout: settings.timeout,
            output: if settings.streams_output {
                BodyOutput::Streamed
            } else {
                BodyOutput::Captured
            },
            record: settings.record,
            // The runs of an exploration are many. NSTEST_PLAN repeats one of them alone.
            pause: settings.pause.filter(|_| settings.exploration.is_none()),
            listeners: None,
        }
    }

    /// The start of a `main`, or of a part of one. `name` takes the place of a test's path.
    ///
    /// # Errors
    /// If a setting of the environment is wrong.
    pub(crate) fn of_main(name: &str, options: Options, output: BodyOutput) -> Result<Self> {
        Ok(Self {
            test: name.to_owned(),
            binary: Binary::This,
            arguments: std::env::args_os().collect(),
            libtest_name: None,
            options,
            run_config: RunConfig::default(),
            tmpfs_size: settings::tmpfs_size()?,
            timeout: None,
            output,
            record: RecordOptions::OFF,
            pause: None,
            listeners: None,
        })
    }

    /// Starts the body. Returns once its init has exec'd.
    ///
    /// # Errors
    /// What the machine refuses, with the cause.
    pub(crate) fn start(self) -> Result<Running> {
        let start = Instant::now();
        preflight::survives_clone()?;
        let (report, report_end) = pipe("make the pipe for the verdict")?;
        let (output, stdout) = self.output_pipe()?;
        let channel = || {
            recorder::channel()
                .map_err(descriptor_error("make the channel of the recorder", "socketpair"))
        };
        let (recorder, recorder_end) = self.record.is_on().then(channel).transpose()?.unzip();
        let (pauses, resume) = self.pauses()?.unzip();
        let recorder_fd = recorder_end.as_ref().map(AsRawFd::as_raw_fd);
        let inode = fstat(&report_end)
            .map_err(descriptor_error("identify the pipe for the verdict", "fstat"))?
            .st_ino;
        let handover = Handover {
            report: report_end.as_raw_fd(),
            inode,
            stdout: stdout.as_raw_fd(),
            payload: self.assignment(recorder_fd, resume.as_ref()).encode(),
        };
        let stderr = output.as_ref().map(|_| stdout.as_raw_fd());
        let record = TestRecord::start(recorder.map(Recorder::of));
        let (spawned, uplink) = self.spawn(&handover, stderr, recorder_fd, resume.as_ref())?;
        drop((report_end, stdout, recorder_end, resume));
        let drain = |pipe| Drain::new(pipe).map_err(descriptor_error("prepare a pipe", "fcntl"));
        Ok(Running {
            process: spawned.process,
            #[cfg(feature = "cli")]
            executed: spawned.executed,
            report: drain(report)?,
            output: output.map(drain).transpose()?,
            record,
            printed: if self.output == BodyOutput::Kept { Printed::Kept } else { Printed::Shown },
            long_report: self.run_config.census || pauses.is_some(),
            pauses,
            options: self.options,
            timeout: self.timeout,
            start,
            _uplink: uplink,
        })
    }

    /// The parent's side of pauses, and what the body reads from, if the test pauses.
    fn pauses(&self) -> Result<Option<(PauseControl, OwnedFd)>> {
        let Some(policy) = self.pause else { return Ok(None) };
        let (resume, resume_end) = pipe("make the pipe for pauses")?;
        Ok(PauseControl::prepare(&self.test, policy, resume_end).map(|pauses| (pauses, resume)))
    }

    fn assignment(&self, recorder: Option<RawFd>, resume: Option<&OwnedFd>) -> Assignment {
        let pause = self.pause.zip(resume).map(|(policy, resume)| AssignedPause {
            resume: resume.as_raw_fd(),
            always: policy.always,
        });
        let (test, run_config) = (self.test.clone(), self.run_config.clone());
        Assignment {
            test,
            recorder,
            records_loopback: self.record.loopback,
            listeners: self.listeners.as_ref().map(AsRawFd::as_raw_fd),
            pause,
            timeout: self.timeout,
            run_config,
        }
    }

    /// The read end of the output pipe, and what becomes the body's standard output.
    fn output_pipe(&self) -> Result<(Option<OwnedFd>, OwnedFd)> {
        if matches!(self.output, BodyOutput::Captured | BodyOutput::Kept) {
            let (read, write) = pipe("make the pipe for the output")?;
            return Ok((Some(read), write));
        }
        let stdout = std::io::stdout().as_fd().try_clone_to_owned();
        Ok((None, stdout.map_err(descriptor_error("duplicate standard output", "fcntl"))?))
    }

    /// `stderr` replaces standard error. The uplink lasts as long as the returned value.
    fn spawn(
        &self,
        handover: &Handover,
        stderr: Option<i32>,
        recorder: Option<RawFd>,
        resume: Option<&OwnedFd>,
    ) -> Result<(Spawned, Option<Connected>)> {
        let Options { uplink, ipv6, offloads, .. } = self.options;
        let uplink = uplink.then(|| Uplink::prepare(ipv6, offloads)).transpose()?;
        let extras = Extras {
            tmpfs_size: &self.tmpfs_size,
            netns: self.options.netns,
            uplink: uplink.as_ref(),
        };
        let identity = match extras.netns {
            None => Identity::of_caller(self.options.root),
            Some(name) => named_netns::check(name).map(|()| Identity::Callers)?,
        };
        let parent_helper = ParentHelper::new(&identity, extras.uplink);
        let channel = parent_helper.channel()?;
        let fds = Descriptors {
            report: handover.report,
            stdout: handover.stdout,
            recorder,
            resume: resume.map(AsRawFd::as_raw_fd),
            listeners: self.listeners.as_ref().map(AsRawFd::as_raw_fd),
            channel: channel.as_ref().map(|(ours, theirs)| (theirs.as_raw_fd(), ours.as_raw_fd())),
            stderr,
            inherit: matches!(self.output, BodyOutput::Inherited | BodyOutput::Foreground),
            foreground: self.output == BodyOutput::Foreground,
            ignores_sigpipe: ignores_sigpipe(),
            init_is_copy: self.binary != Binary::This,
        };
        let steps = setup::steps(host(), &identity, fds, extras);
        let acts: Vec<Act> = steps.iter().map(PlannedStep::act).collect();
        let (ours, theirs) = channel.unzip();
        let serve = |pid: ChildPid<'_>| {
            if let Some(ours) = &ours {
                parent_helper.serve(ours, pid);
            }
        };
        let helper = theirs.map(|theirs| Helper { serve: &serve, channel: theirs.into() });
        let result = self.clone_child(extras.namespaces(), &acts, handover, helper);
        parent_helper.unanswered()?;
        let connected = parent_helper.connected()?;
        let spawned = result.map_err(|refused| spawn_error(&refused, &steps))?;
        // The runs of an exploration lack the same as the run without faults, which
        // printed it.
        if self.output != BodyOutput::Kept {
            print_missing(&spawned, &steps);
        }
        Ok((spawned, connected))
    }

    fn clone_child(
        &self,
        namespaces: i32,
        acts: &[Act],
        handover: &Handover,
        helper: Option<Helper<'_>>,
    ) -> std::result::Result<Spawned, Refused> {
        let arguments: Vec<_> =
            self.arguments.iter().map(|a| c_string(a.clone().into_vec())).collect();
        let mut environment = environment::of_body(self.libtest_name, self.record.tls_secrets);
        match self.binary {
            Binary::This => {
                environment.push(environment::handover(handover));
                let mut image = Image::new(SELF.to_owned(), arguments, environment);
                image.keeps_signals = self.output == BodyOutput::Foreground;
                spawn(namespaces, acts, &image, helper)
            }
            #[cfg(feature = "cli")]
            Binary::Named => {
                let name = arguments.first().cloned().unwrap_or_default();
                let program = Image::new(name, arguments, environment);
                spawn_program(namespaces, acts, &program, handover.report, helper)
            }
        }
    }
}

#[cfg(feature = "cli")]
fn ignores_sigpipe() -> bool {
    inherited_signals::ignores_sigpipe()
}

/// Only the commands start what is to see the same signals as they.
#[cfg(not(feature = "cli"))]
fn ignores_sigpipe() -> bool {
    false
}

/// Prints what the test has to do without, since a step failed.
fn print_missing(spawned: &Spawned, steps: &[PlannedStep]) {
    // What two steps make together is said once.
    let mut tolerated: Vec<_> =
        spawned.tolerated.iter().map(|(index, errno)| (&steps[*index], errno)).collect();
    tolerated.dedup_by_key(|(planned, _)| &planned.without);
    for (PlannedStep { step, what, without }, errno) in tolerated {
        let (call, errno) = (step.call(), Errno::from_raw(*errno));
        let without = without.as_deref().unwrap_or_default();
        let help = preflight::paths_help(&refusal::kind(step), errno);
        eprintln!("nstest: note: could not {what} ({call}: {errno:?}): {without}{help}");
    }
}

fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(Host::read)
}

fn pipe(what: &'static str) -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).map_err(descriptor_error(what, "pipe2"))
}
