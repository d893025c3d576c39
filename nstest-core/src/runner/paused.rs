//! Enters a paused test: `nstest shell`.
//!
//! A test that is paused has a mark in its own /run, which the processes of other users cannot
//! read, and which ends with the test.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::unistd::pipe2;

use super::entered;
use super::parent::foreground::Foreground;
use super::parent::refusal::descriptor_error;
use super::parent::watch::Running;
use super::parent::way_in::EntryPoint;
use super::program_options::ProgramEnd;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::NODE;
use crate::node::view::View;
use crate::preflight::{self, Operation, Refusal, caller};
use crate::sys::copy::run_in_copy;
use crate::sys::init;
use crate::sys::process::has_seccomp_filter;

/// The exit status of a program that was killed.
const KILLED: i32 = 128 + 9;

/// A test that is paused.
#[derive(Debug)]
pub struct PausedTest {
    /// As libtest names it.
    pub name: String,
    entry: EntryPoint,
    /// Its nodes, with the paths of their networks.
    networks: Vec<(String, PathBuf)>,
}

impl PausedTest {
    /// All that this user may enter, sorted by their names, and the number of tests in which this
    /// user may not look for the mark.
    ///
    /// # Errors
    /// If the processes cannot be read.
    pub fn all() -> Result<(Vec<Self>, usize)> {
        caller::set_command();
        let unreadable = |error: io::Error| match descriptors_exhausted(&error) {
            true => descriptor_error("look for paused tests", "open")(error),
            false => Error::new(ErrorCode::NoProc, "look for paused tests")
                .source("no procfs that shows this process is mounted on /proc")
                .help("sudo mount -t proc proc /proc"),
        };
        fs::metadata("/proc/self/stat").map_err(unreadable)?;
        let (mut found, mut hidden) = (Vec::new(), 0);
        for process in fs::read_dir("/proc").map_err(unreadable)? {
            let process = process.map_err(unreadable)?;
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let name = match fs::read_to_string(process.path().join("comm")) {
                Err(error) if descriptors_exhausted(&error) => return Err(unreadable(error)),
                name => name.unwrap_or_default(), // it has ended
            };
            if name.trim_end().as_bytes() != init::NAME.to_bytes() {
                continue;
            }
            match EntryPoint::of_paused(pid) {
                Ok(Some((entry, name))) => {
                    found.push(Self { name, entry, networks: entry.networks() });
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => hidden += 1,
                Ok(None) | Err(_) => {} // it is not paused, or has ended
            }
        }
        found.sort_by(|a, b| (&a.name, a.entry.init).cmp(&(&b.name, b.entry.init)));
        Ok((found, hidden))
    }

    /// The PID of its init.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.entry.init
    }

    /// The names of its nodes, its own first.
    #[must_use]
    pub fn nodes(&self) -> Vec<&str> {
        self.networks.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Runs a program in a node.
    ///
    /// # Errors
    /// What the kernel refuses before the program begins.
    pub fn run(&self, node: &str, command: &mut Command) -> Result<ProgramEnd> {
        let foreground = Foreground::begin(false)?;
        let refused = |refused| self.refused(node, refused);
        let namespaces = self.open(node).map_err(refused)?;
        namespaces.enter_those_of_children().map_err(refused)?;
        let (report, report_end) = pipe2(OFlag::O_CLOEXEC)
            .map_err(descriptor_error("make the pipe for the program's end", "pipe2"))?;
        let mut ends = Some((report, report_end));
        // Each of the two processes has both ends, and closes one.
        let process = run_in_copy(|| {
            let Some((_, report_end)) = ends.take() else { return 1 };
            let enter = || {
                // The directory of the other mounts may have the same path.
                let directory = std::env::current_dir();
                namespaces.enter().map_err(refused)?;
                if node != NODE {
                    View { hostname: node.to_owned() }.take()?;
                }
                if let Ok(directory) = directory {
                    let _ = std::env::set_current_dir(directory); // otherwise it is `/`
                }
                Ok(())
            };
            entered::run(enter, command, report_end)
        })
        .map_err(descriptor_error("start a process for the test", "fork"))?;
        let Some((report, _)) = ends else { unreachable!("only the copy takes it") };
        match Running::copy(process, report)?.attend(foreground).0 {
            // It was killed with the test.
            Err(_) if !self.is_paused() => Ok(ProgramEnd::Exited(KILLED)),
            end => end,
        }
    }

    fn refused(&self, node: &str, EntryRefused { call, error }: EntryRefused) -> Error {
        let step = format!("enter node {node} of test {}", self.name);
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or_default());
        let explained = |kind| {
            let (step, call, errno) = (step.clone(), call.clone(), errno as i32);
            preflight::explain(Refusal { step, call, errno, kind })
        };
        let (cause, help) = match errno {
            _ if descriptors_exhausted(&error) => return explained(Operation::Pipe),
            Errno::ENOSYS => return explained(Operation::Other),
            Errno::EPERM | Errno::EACCES if has_seccomp_filter() => {
                return explained(Operation::Other);
            }
            Errno::EINVAL if call == ENTER_PIDS => (
                "the test is in no PID namespace below that of this process (setns(2))",
                "run `nstest shell` where the test was started, such as in the same container",
            ),
            Errno::EPERM | Errno::EACCES => (
                "this process has no rights in the user namespace of the test (setns(2))",
                "enter it as the user who started the test",
            ),
            Errno::ENOENT | Errno::ESRCH => {
                ("the test has gone on", "enter a test while it is paused")
            }
            _ => {
                return Error::new(ErrorCode::Namespace, format!("{step}: {call}"))
                    .source(error)
                    .help(preflight::remedy::REPORT);
            }
        };
        Error::new(ErrorCode::Namespace, format!("{step}: {call}: {errno:?}"))
            .source(cause)
            .help(help)
    }

    /// Whether it still is.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        let paused = EntryPoint::of_paused(self.entry.init);
        paused.is_ok_and(|paused| paused.is_some_and(|(_, name)| name == self.name))
    }

    /// The namespaces of the test, with the network of one of its nodes.
    fn open(&self, node: &str) -> Result<Namespaces, EntryRefused> {
        let network = self.networks.iter().find(|(name, _)| name == node);
        let (_, network) = network.ok_or_else(|| EntryRefused {
            call: "find its network".to_owned(),
            error: Errno::ENOENT.into(),
        })?;
        let of_init = |kind: &str| open(format!("/proc/{}/ns/{kind}", self.entry.init));
        Ok(Namespaces {
            user: (!self.entry.joined).then(|| of_init("user")).transpose()?,
            pid: of_init("pid")?,
            others: [
                (CloneFlags::CLONE_NEWNET, open(network)?),
                (CloneFlags::CLONE_NEWNS, of_init("mnt")?),
                (CloneFlags::CLONE_NEWUTS, of_init("uts")?),
                (CloneFlags::CLONE_NEWIPC, of_init("ipc")?),
            ],
        })
    }
}

/// Those of a test. All are opened first: /proc is another one afterwards.
#[derive(Debug)]
struct Namespaces {
    /// Absent if the test is in that of this process.
    user: Option<OwnedFd>,
    pid: OwnedFd,
    others: [(CloneFlags, OwnedFd); 4],
}

impl Namespaces {
    /// Has children of this process be processes of the test. That needs the rights that this
    /// process has in the user namespace of the test.
    fn enter_those_of_children(&self) -> Result<(), EntryRefused> {
        if let Some(user) = &self.user {
            enter(user, CloneFlags::CLONE_NEWUSER)?;
        }
        enter(&self.pid, CloneFlags::CLONE_NEWPID)
    }

    fn enter(&self) -> Result<(), EntryRefused> {
        self.others.iter().try_for_each(|(kind, namespace)| enter(namespace, *kind))
    }
}

/// A system call that was refused.
#[derive(Debug)]
struct EntryRefused {
    call: String,
    error: io::Error,
}

const ENTER_PIDS: &str = "setns(CLONE_NEWPID)";

fn enter(namespace: &OwnedFd, kind: CloneFlags) -> Result<(), EntryRefused> {
    setns(namespace, kind).map_err(|errno| {
        let names: String = kind.iter_names().map(|(name, _)| name).collect();
        EntryRefused { call: format!("setns({names})"), error: errno.into() }
    })
}

fn open(path: impl AsRef<Path>) -> Result<OwnedFd, EntryRefused> {
    let path = path.as_ref();
    let refused = |error| EntryRefused { call: format!("open({})", path.display()), error };
    File::open(path).map(OwnedFd::from).map_err(refused)
}

/// Whether this process, or the machine, has reached its limit of open files.
fn descriptors_exhausted(error: &io::Error) -> bool {
    let limits = [Errno::EMFILE, Errno::ENFILE];
    limits.iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}
