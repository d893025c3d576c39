//! What the machine looks like, where the plan of a test's start depends on it.

use std::path::{Path, PathBuf};

use crate::sys::step::SLOTS;

/// What the plan depends on; the same for every test of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// Symbolic links directly below /run, with their targets.
    pub(super) run_links: Vec<(PathBuf, PathBuf)>,
    /// Directories directly below /run that programs need.
    pub(super) run_dirs: Vec<PathBuf>,
    /// `XDG_RUNTIME_DIR`, if it is below /run.
    pub(super) user_runtime: Option<PathBuf>,
    /// Where /etc/hosts and /etc/resolv.conf really are.
    pub(super) hosts: EtcFile,
    pub(super) resolv_conf: EtcFile,
}

/// What stands at a path in /etc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EtcFile {
    /// A file, or a link to one: it can be mounted over.
    Present,
    /// A link to a path below /run, which the test's own /run can hold.
    BelowRun(PathBuf),
    /// Nothing, or a link to nothing.
    Missing,
}

impl Host {
    /// Directories that NixOS, containers and WSL keep programs in.
    const KEPT: [&str; 6] = [
        "/run/wrappers",
        "/run/opengl-driver",
        "/run/host",
        "/run/WSL",
        "/run/booted-system",
        "/run/current-system",
    ];

    pub(super) fn read() -> Self {
        let entries = || std::fs::read_dir("/run").into_iter().flatten().flatten();
        let run_links = entries()
            .filter_map(|entry| Some((entry.path(), std::fs::read_link(entry.path()).ok()?)))
            .collect();
        let in_use = [std::env::current_dir(), std::env::current_exe()];
        let in_use: Vec<PathBuf> =
            in_use.into_iter().flatten().filter_map(|path| below_run(&path)).collect();
        let run_dirs = entries()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .filter(|path| {
                in_use.contains(path) || Self::KEPT.iter().any(|kept| path == Path::new(kept))
            })
            .take(SLOTS)
            .collect();
        let user_runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| below_run(path).is_some_and(|top| !in_use.contains(&top)));
        Self {
            run_links,
            run_dirs,
            user_runtime,
            hosts: EtcFile::at("/etc/hosts"),
            resolv_conf: EtcFile::at("/etc/resolv.conf"),
        }
    }
}

impl EtcFile {
    fn at(path: &str) -> Self {
        let target = std::fs::read_link(path).ok().map(|target| Path::new("/etc").join(target));
        match target.map(|target| lexically_normal(&target)) {
            Some(target) if below_run(&target).is_some() => EtcFile::BelowRun(target),
            _ if Path::new(path).exists() => EtcFile::Present,
            _ => EtcFile::Missing,
        }
    }
}

/// The directory directly below /run that a path is in.
fn below_run(path: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix("/run").or_else(|_| path.strip_prefix("/var/run")).ok()?;
    Some(Path::new("/run").join(rest.components().next()?))
}

/// Takes `..` back; the links that this could go wrong over do not occur in /etc.
fn lexically_normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
