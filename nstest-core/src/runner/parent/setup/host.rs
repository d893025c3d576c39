//! The facts about the machine on which the steps depend: what is in /run, and where the
//! files in /etc really are (path_resolution(7)).

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::sys::regular_file;
use crate::sys::step::SLOTS;

/// The older name of /run; on nearly all systems a link to it (file-hierarchy(7)).
const VAR_RUN: &str = "/var/run";

/// The facts; they are the same for every test of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// Symbolic links directly below /run, with their targets.
    pub(super) run_links: Vec<(PathBuf, PathBuf)>,
    /// Directories directly below /run that the test's /run keeps, since programs need them.
    pub(super) run_dirs: Vec<PathBuf>,
    /// `XDG_RUNTIME_DIR`, if it is below /run.
    pub(super) user_runtime: Option<PathBuf>,
    /// The directory of shm_open(3), /dev/shm or /run/shm. Absent if it contains the working
    /// directory or the test binary.
    pub(super) shm: Option<PathBuf>,
    /// Whether /var/run is another directory than /run. Both may hold sockets.
    pub(super) apart: bool,
    /// Where /etc/hosts and /etc/resolv.conf really are.
    pub(super) hosts: EtcFile,
    pub(super) resolv_conf: EtcFile,
    /// The same for /etc/nsswitch.conf.
    pub(super) nsswitch: EtcFile,
    /// The text of the test's own nsswitch.conf.
    pub(super) name_services: String,
}

/// What is at a path in /etc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EtcFile {
    /// A file, or a link to one: it can be mounted over, also if it is a device.
    Present,
    /// Links lead to this path below /run; the test's own /run gets a file there.
    BelowRun(PathBuf),
    /// Nothing, a link to nothing, or a directory.
    Missing,
}

impl Host {
    /// Directories in which NixOS, containers and WSL have programs.
    const KEPT: [&str; 6] = [
        "/run/wrappers",
        "/run/opengl-driver",
        "/run/host",
        "/run/WSL",
        "/run/booted-system",
        "/run/current-system",
    ];

    pub(crate) fn read() -> Self {
        let entries: Vec<_> = std::fs::read_dir("/run").into_iter().flatten().flatten().collect();
        let run_links = entries
            .iter()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()))
            .filter_map(|entry| Some((entry.path(), std::fs::read_link(entry.path()).ok()?)))
            .collect();
        let in_use = [std::env::current_dir(), std::env::current_exe()];
        let in_use: Vec<PathBuf> = in_use.into_iter().flatten().collect();
        let shm = std::fs::canonicalize("/dev/shm")
            .ok()
            .filter(|shm| shm.is_dir() && !in_use.iter().any(|path| path.starts_with(shm)));
        let in_use: Vec<PathBuf> = in_use.iter().filter_map(|path| below_run(path)).collect();
        let run_dirs: Vec<PathBuf> = entries
            .iter()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(std::fs::DirEntry::path)
            .filter(|path| {
                in_use.contains(path) || Self::KEPT.iter().any(|kept| path == Path::new(kept))
            })
            .take(SLOTS)
            .collect();
        let user_runtime = std::env::var_os("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .filter(|path| below_run(path).is_some_and(|top| !in_use.contains(&top)));
        let apart = Path::new(VAR_RUN).is_dir() && !is_run(VAR_RUN);
        Self {
            hosts: EtcFile::at("/etc/hosts", &run_dirs, apart),
            resolv_conf: EtcFile::at("/etc/resolv.conf", &run_dirs, apart),
            nsswitch: EtcFile::at(NSSWITCH, &run_dirs, apart),
            name_services: name_services(&regular_file::read(NSSWITCH)),
            run_links,
            run_dirs,
            user_runtime,
            shm,
            apart,
        }
    }
}

const NSSWITCH: &str = "/etc/nsswitch.conf";

/// The machine's nsswitch.conf(5) with another line for hosts: mDNS, systemd-resolved and
/// nss-myhostname answer for the machine's network. Users and groups are found as on the
/// machine.
fn name_services(of_machine: &str) -> String {
    let database = |line: &str| line.split(':').next().unwrap_or_default().trim().to_owned();
    let kept = of_machine.lines().filter(|line| database(line) != "hosts");
    kept.chain(["hosts: files dns"]).map(|line| format!("{line}\n")).collect()
}

impl EtcFile {
    /// Follows links as the kernel does (path_resolution(7)), as far as the test's own /run:
    /// it has only the links directly below it and the `kept` directories.
    fn at(path: &str, kept: &[PathBuf], apart: bool) -> Self {
        let (mut done, mut links) = (PathBuf::from("/"), 0);
        let mut rest: VecDeque<OsString> = names(Path::new(path));
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                done.pop();
                continue;
            }
            done.push(name);
            if apart && done == Path::new(VAR_RUN) {
                done = PathBuf::from("/run"); // it is mounted there
            }
            let in_run =
                done.strip_prefix("/run").is_ok_and(|below| below.components().count() > 1);
            if in_run && !kept.iter().any(|kept| done.starts_with(kept)) {
                done.extend(rest);
                return EtcFile::BelowRun(lexically_normal(&done));
            }
            let Ok(target) = std::fs::read_link(&done) else { continue };
            links += 1;
            if links > MOST_LINKS {
                return EtcFile::Missing;
            }
            done.pop();
            if target.is_absolute() {
                done = PathBuf::from("/");
            }
            rest = names(&target).into_iter().chain(rest).collect();
        }
        match done.strip_prefix("/run") {
            Ok(_) if !kept.iter().any(|kept| done.starts_with(kept)) => EtcFile::BelowRun(done),
            _ if done.exists() && !done.is_dir() => EtcFile::Present,
            _ => EtcFile::Missing,
        }
    }
}

/// The most links that the kernel follows in one path: `MAXSYMLINKS`, include/linux/namei.h.
const MOST_LINKS: usize = 40;

/// The parts of a path without the root and `.`.
fn names(path: &Path) -> VecDeque<OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().filter(named).map(|part| part.as_os_str().to_owned()).collect()
}

/// The directory directly below /run that contains a path.
fn below_run(path: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix("/run").or_else(|_| path.strip_prefix(VAR_RUN)).ok()?;
    Some(Path::new("/run").join(rest.components().next()?))
}

fn is_run(path: &str) -> bool {
    std::fs::canonicalize(path).is_ok_and(|path| path == Path::new("/run"))
}

/// Resolves `..` in the text only. This would be wrong behind a link to a directory, which
/// the test's own /run does not have.
fn lexically_normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hosts_line_of_nsswitch_conf_is_replaced() {
        for (machine, own) in [
            ("", "hosts: files dns\n"),
            ("hosts: files mdns4_minimal [NOTFOUND=return] dns myhostname", "hosts: files dns\n"),
            (
                "# glibc\npasswd: files sss\n  hosts : resolve\ngroup:\tfiles # hosts: x\n",
                "# glibc\npasswd: files sss\ngroup:\tfiles # hosts: x\nhosts: files dns\n",
            ),
        ] {
            assert_eq!(name_services(machine), own);
        }
    }
}
