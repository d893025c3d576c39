//! Enters a paused test: `nstest shell`.
//!
//! A test that is paused has a mark in its own /run, which the processes of other users cannot
//! read, and which ends with the test.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use super::parent::foreground::Foreground;
use super::parent::way_in::EntryPoint;
use super::program_options::ProgramEnd;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::{NODE, PAUSED};
use crate::node::view::View;
use crate::sys::init;
use crate::sys::limits::without_blocked_signals;
use crate::sys::process::exit_code;

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

    /// Runs a program in a node. This process enters the namespaces of the test for good.
    ///
    /// # Errors
    /// What the kernel refuses before the program begins.
    pub fn run(&self, node: &str, command: &mut Command) -> Result<ProgramEnd> {
        // The directory of the other mounts may have the same path.
        let directory = std::env::current_dir();
        let foreground = Foreground::begin_for_child()?;
        self.enter(node).map_err(|error| {
            Error::new(ErrorCode::Namespace, format!("enter node {node} of test {}", self.name))
                .source(error)
                .help("enter it as the user who started the test, while it is paused")
        })?;
        if node != NODE {
            View { hostname: node.to_owned() }.take()?;
        }
        if let Ok(directory) = directory {
            let _ = std::env::set_current_dir(directory); // otherwise it is `/`
        }
        without_blocked_signals(command);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ok(ProgramEnd::NotStarted(error)),
        };
        match foreground.attend_child(&mut child) {
            Ok(status) => Ok(ProgramEnd::Exited(exit_code(status))),
            Err(error) => Err(Error::new(ErrorCode::Setup, "wait for the program").source(error)),
        }
    }

    /// Whether it still is. For a process that is in its namespaces, after [`run`](Self::run).
    #[must_use]
    pub fn is_paused(&self) -> bool {
        Path::new(PAUSED).symlink_metadata().is_ok()
    }

    /// Enters all namespaces of the test, and the network of one of its nodes. Programs that this
    /// process starts are in its PID namespace.
    fn enter(&self, node: &str) -> io::Result<()> {
        let network = self.networks.iter().find(|(name, _)| name == node);
        let (_, network) = network.ok_or(io::ErrorKind::NotFound)?;
        let network = open(network)?;
        let of_init = |kind: &str| {
            let path = format!("/proc/{}/ns/{kind}", self.entry.init);
            open(Path::new(&path))
        };
        // All are opened first: /proc is another one afterwards.
        let user = (!self.entry.joined).then(|| of_init("user")).transpose()?;
        let kinds = [
            (CloneFlags::CLONE_NEWNS, "mnt"),
            (CloneFlags::CLONE_NEWUTS, "uts"),
            (CloneFlags::CLONE_NEWIPC, "ipc"),
            (CloneFlags::CLONE_NEWPID, "pid"),
        ];
        let others = kinds.map(|(kind, name)| of_init(name).map(|namespace| (kind, namespace)));
        if let Some(user) = user {
            setns(user, CloneFlags::CLONE_NEWUSER)?;
        }
        setns(network, CloneFlags::CLONE_NEWNET)?;
        for other in others {
            let (kind, namespace) = other?;
            setns(namespace, kind)?;
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    File::open(path).map(OwnedFd::from)
}
