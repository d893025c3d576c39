//! The parent's side: start the body, watch it, and see all of it end.
//!
//! Everything happens on the thread that libtest gave: it is the one whose end
//! kills init (PR_SET_PDEATHSIG counts threads, not processes), and the one
//! whose printing libtest captures.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::fstat;
use nix::unistd::pipe2;

use super::errands::Errands;
use super::host::Host;
use super::identity::Identity;
use super::output::Drain;
use super::setup::{self, Descriptors, Extras, Planned};
use super::verdict::{self, Course, Judged, Verdict};
use super::watch::Watch;
use super::{Options, Test, explore, joined, names, settings};
use crate::error::{Error, ErrorCode, Result};
use crate::layout::TMP_DIR;
use crate::preflight::{self, Refusal};
use crate::run_config::RunConfig;
use crate::sync::lock;
use crate::sys::init::{Chosen, VARIABLE};
use crate::sys::spawn::{Act, Helper, Image, Refused, SELF, Spawned, spawn};
use crate::sys::step::{Step, c_string};
use crate::uplink::{self, Connected, Uplink};

/// Runs a test in a process of its own, and tells libtest how it went.
pub(super) fn supervise(test: &'static Test) {
    let judged = attempt(test).unwrap_or_else(|error| Verdict::Broken(error).into());
    verdict::announce(test, judged);
}

fn attempt(test: &Test) -> Result<Judged> {
    refuse_stale_environment()?;
    let candidates = test.candidates();
    test.enter(&candidates[0])?;
    let timeout = settings::timeout(&test.options)?;
    let (mut run_config, chosen) = settings::run_config(&test.options)?;
    // A plan is what an exploration found: then it is run alone.
    let explore = test.options.explore.filter(|_| run_config.plan.is_none());
    run_config.census = explore.is_some();
    let output = if names::streams_output() { Output::Streamed } else { Output::Captured };
    let mut unknown = None;
    for name in candidates {
        let mut course = launch(test, &name, &run_config, timeout, output).run()?;
        let found = course.found.take();
        match course.verdict(&name) {
            Verdict::NotStarted(error) => unknown = unknown.or(Some(error)),
            verdict => {
                let judged = Judged::of(verdict, &run_config, chosen, found.as_ref());
                let Some(explore) = &explore else { return Ok(judged) };
                let points = found.unwrap_or_default().points;
                return judged.and_then(|| {
                    explore::explore(test, explore, &name, &run_config, &points, timeout)
                });
            }
        }
    }
    Ok(unknown.map_or(Verdict::Passed, Verdict::NotStarted).into())
}

/// The start of a body for this test, which libtest knows by this name.
pub(super) fn launch<'a>(
    test: &Test,
    name: &'a str,
    run_config: &RunConfig,
    timeout: Option<Duration>,
    output: Output,
) -> Launch<'a> {
    let argv0 = std::env::args_os().next().unwrap_or_default();
    Launch {
        test: test.path(),
        arguments: names::arguments(argv0, name),
        libtest_name: Some(name),
        options: test.options,
        run_config: run_config.clone(),
        timeout,
        output,
    }
}

impl Test {
    /// A second entry under one name means that two attributes registered one
    /// function, of which libtest would report one and lose the other.
    fn enter(&self, name: &str) -> Result<()> {
        let mut entered = lock(&self.entered);
        if entered.iter().any(|before| before == name) {
            return Err(Error::new(
                ErrorCode::RegisteredTwice,
                format!("the test `{name}` was called a second time in one run"),
            )
            .help("something beside #[netns_test] registers this function, too: remove its #[test], or, under a macro that makes tests of its own, use #[netns] on a sync function and #[nstest::test] on an async one"));
        }
        entered.push(name.to_owned());
        Ok(())
    }
}

/// Only the constructor of a body's process takes the variable away; where it
/// still stands, it was not meant for this process.
pub(super) fn refuse_stale_environment() -> Result<()> {
    match std::env::var_os(VARIABLE) {
        None => Ok(()),
        Some(value) => Err(Error::new(
            ErrorCode::StaleEnvironment,
            format!("the environment has {VARIABLE}={}, which was not made for this process", value.to_string_lossy()),
        )
        .help(format!("unset {VARIABLE}: it is private to nstest. If nobody set it, the test binary runs under a program that starts it in its own way (an emulator, a wrapper): see the page on limits"))),
    }
}

/// Where the body's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Through a pipe, to libtest's capture.
    Captured,
    /// Through a pipe, into the [`Course`].
    Kept,
    /// To the parent's own descriptors, from the moment that the body begins.
    Streamed,
    /// To the parent's own descriptors from the start; its input comes along.
    Inherited,
}

/// One start of the binary in namespaces of its own.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// The wrapper that shall find itself chosen.
    pub(super) test: String,
    pub(super) arguments: Vec<OsString>,
    pub(super) libtest_name: Option<&'a str>,
    /// Of which those count that are about the start.
    pub(super) options: Options,
    pub(super) run_config: RunConfig,
    pub(super) timeout: Option<Duration>,
    pub(super) output: Output,
}

impl Launch<'_> {
    pub(super) fn run(self) -> Result<Course> {
        let start = Instant::now();
        let (report, report_end) = pipe("make the pipe for the verdict")?;
        let (output, stdout) = self.output_pipe()?;
        let fds = Descriptors {
            report: report_end.as_raw_fd(),
            stdout: stdout.as_raw_fd(),
            channel: None,
            stderr: output.as_ref().map(|_| stdout.as_raw_fd()),
            inherit: self.output == Output::Inherited,
        };
        let inode =
            fstat(&report_end).map_err(system("look at the pipe for the verdict", "fstat"))?.st_ino;
        let uplink = self.options.uplink.then(|| Uplink::prepare(self.options.ipv6)).transpose()?;
        let extras = Extras { netns: self.options.netns, uplink: uplink.as_ref() };
        // Held until the test has ended.
        let (spawned, _connected) = self.spawn(fds, inode, extras)?;
        drop((report_end, stdout));
        let drain = |pipe| Drain::new(pipe).map_err(system("prepare a pipe", "fcntl"));
        let output = output.map(drain).transpose()?;
        let watch = Watch::new(spawned.process, drain(report)?, output)
            .keeping(self.output == Output::Kept)
            .telling_much(self.run_config.census);
        Ok(watch.until_the_end(self.timeout, start))
    }

    /// The read end of the output pipe, and what becomes the body's stdout.
    fn output_pipe(&self) -> Result<(Option<OwnedFd>, OwnedFd)> {
        if matches!(self.output, Output::Captured | Output::Kept) {
            let (read, write) = pipe("make the pipe for the output")?;
            return Ok((Some(read), write));
        }
        let stdout = std::io::stdout().as_fd().try_clone_to_owned();
        Ok((None, stdout.map_err(system("duplicate standard output", "fcntl"))?))
    }

    fn spawn(
        &self,
        mut fds: Descriptors,
        inode: u64,
        extras: Extras<'_>,
    ) -> Result<(Spawned, Option<Connected>)> {
        let chosen = Chosen {
            report: fds.report,
            inode,
            stdout: fds.stdout,
            run_config: self.run_config.clone(),
            test: self.test.clone(),
        };
        let image = Image::new(
            SELF.to_owned(),
            self.arguments.iter().cloned().map(|a| c_string(a.into_vec())).collect(),
            environment(&chosen, self.libtest_name),
        );
        let identity = match extras.netns {
            None => Identity::of_caller(self.options.root),
            Some(name) => joined::check(name).map(|()| Identity::Callers)?,
        };
        let errands = Errands::new(&identity, extras.uplink);
        let channel = errands.channel()?;
        fds.channel = channel.as_ref().map(|(ours, theirs)| (theirs.as_raw_fd(), ours.as_raw_fd()));
        let planned = setup::plan(host(), &identity, fds, extras);
        let acts: Vec<Act> = planned.iter().map(Planned::act).collect();
        let result = match channel {
            None => spawn(extras.namespaces(), &acts, &image, None),
            Some((ours, theirs)) => {
                let serve = |pidfd: &dyn Fn() -> i32| errands.serve(&ours, pidfd);
                let helper = Helper { serve: &serve, channel: theirs.into() };
                spawn(extras.namespaces(), &acts, &image, Some(helper))
            }
        };
        let connected = errands.connected()?;
        let spawned = result.map_err(|refused| explain(&refused, &planned))?;
        // Runs of an exploration lack what the first one, which said so, lacked.
        let told = self.output != Output::Kept;
        for (index, errno) in spawned.tolerated.iter().filter(|_| told) {
            let Planned { step, what, without } = &planned[*index];
            let errno = Errno::from_raw(*errno);
            eprintln!(
                "nstest: note: could not {what} ({}: {errno:?}): {}",
                step.call(),
                without.unwrap_or_default()
            );
        }
        Ok((spawned, connected))
    }
}

fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(Host::read)
}

/// The body's environment: the parent's, but for what concerns the runner, and
/// for what leads to a network that the test does not have.
fn environment(chosen: &Chosen, libtest_name: Option<&str>) -> Vec<CString> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let leads_out = |name: &str| {
        name.to_ascii_lowercase().ends_with("_proxy") && !name.eq_ignore_ascii_case("no_proxy")
    };
    let set = |name: &str, value: &str| c_string(format!("{name}={value}"));
    let mut environment: Vec<CString> = std::env::vars_os()
        .filter(|(name, _)| {
            name != "TMPDIR"
                && name != VARIABLE
                && (libtest_name.is_none() || name != settings::PLAN) // it is in the run_config
                && !leads_out(&name.to_string_lossy())
        })
        .map(|(mut name, mut value)| {
            if name == "LLVM_PROFILE_FILE" {
                // Every body has PID 2, so they would overwrite each other's counters.
                let id =
                    format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
                value = value.to_string_lossy().replace("%p", &id).into();
            }
            name.push("=");
            name.push(value);
            c_string(name.into_vec())
        })
        .collect();
    environment.push(set("TMPDIR", TMP_DIR));
    environment.push(set(VARIABLE, &chosen.encode()));
    if let (true, Some(name)) = (cfg!(panic = "abort"), libtest_name) {
        // libtest would start a further process for the test; so it runs it itself.
        environment.push(set("__RUST_TEST_INVOKE", name));
    }
    environment
}

fn pipe(what: &'static str) -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).map_err(system(what, "pipe2"))
}

/// A descriptor could not be made, or used.
pub(super) fn system<E: Into<io::Error>>(
    what: &'static str,
    call: &'static str,
) -> impl Fn(E) -> Error {
    move |error| {
        preflight::explain(Refusal {
            step: what.to_owned(),
            call: call.to_owned(),
            errno: error.into().raw_os_error().unwrap_or_default(),
            kind: preflight::Step::Pipe,
        })
    }
}

fn explain(refused: &Refused, planned: &[Planned]) -> Error {
    let refusal = |step: &str, call: String, errno, kind| Refusal {
        step: step.to_owned(),
        call,
        errno,
        kind,
    };
    preflight::explain(match *refused {
        Refused::Clone(errno) => refusal(
            "create the test's namespaces",
            "clone".to_owned(),
            errno,
            preflight::Step::Clone,
        ),
        Refused::Step(index, errno) => {
            let Planned { step, what, .. } = &planned[index];
            if matches!(step, Step::Tap { .. }) {
                return uplink::tap_refused(Errno::from_raw(errno));
            }
            refusal(what, step.call(), errno, kind(step))
        }
        Refused::Exec(errno) => refusal(
            "start the test binary again",
            "execve".to_owned(),
            errno,
            preflight::Step::Exec,
        ),
    })
}

/// What the step was about, as the search for the cause knows it.
fn kind(step: &Step) -> preflight::Step {
    let text = |path: &CString| path.to_string_lossy().into_owned();
    match step {
        Step::AwaitIdMap { .. } => preflight::Step::IdMap,
        Step::Write { path, .. } if text(path).ends_with("/setgroups") => {
            preflight::Step::SetGroups
        }
        Step::Write { path, .. } if text(path).ends_with("id_map") => preflight::Step::IdMap,
        Step::Write { path, .. } => preflight::Step::Sysctl { path: text(path) },
        Step::Mount(mount) => preflight::Step::Mount { target: text(&mount.target) },
        Step::BindHeld { target, .. } => preflight::Step::Mount { target: text(target) },
        Step::Hostname(_) => preflight::Step::Hostname,
        Step::LoopbackUp => preflight::Step::Loopback,
        _ => preflight::Step::Other,
    }
}
