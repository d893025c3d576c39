//! Enters a paused test: `nstest shell`.
//!
//! A test that is paused has a mark in its own /run, which the processes of other users cannot
//! read, and which ends with the test.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

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
use crate::sys::copy::run_in_copy;
use crate::sys::init;

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
    /// All that this user may enter, sorted by their names.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let inits = processes.filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(process.path().join("comm")).ok()?;
            (name.trim_end().as_bytes() == init::NAME.to_bytes()).then_some(pid)
        });
        let mut found: Vec<Self> = inits
            .filter_map(EntryPoint::of_paused)
            .map(|(entry, name)| Self { name, entry, networks: entry.networks() })
            .collect();
        found.sort_by(|a, b| (&a.name, a.entry.init).cmp(&(&b.name, b.entry.init)));
        found
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
        let refused = |error| self.refused(node, error);
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

    fn refused(&self, node: &str, error: io::Error) -> Error {
        Error::new(ErrorCode::Namespace, format!("enter node {node} of test {}", self.name))
            .source(error)
            .help("enter it as the user who started the test, while it is paused")
    }

    /// Whether it still is.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        EntryPoint::of_paused(self.entry.init).is_some_and(|(_, name)| name == self.name)
    }

    /// The namespaces of the test, with the network of one of its nodes.
    fn open(&self, node: &str) -> io::Result<Namespaces> {
        let network = self.networks.iter().find(|(name, _)| name == node);
        let (_, network) = network.ok_or(io::ErrorKind::NotFound)?;
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
    fn enter_those_of_children(&self) -> io::Result<()> {
        if let Some(user) = &self.user {
            setns(user, CloneFlags::CLONE_NEWUSER)?;
        }
        Ok(setns(&self.pid, CloneFlags::CLONE_NEWPID)?)
    }

    fn enter(&self) -> io::Result<()> {
        let enter = |(kind, namespace): &(CloneFlags, OwnedFd)| setns(namespace, *kind);
        Ok(self.others.iter().try_for_each(enter)?)
    }
}

fn open(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    File::open(path).map(OwnedFd::from)
}
