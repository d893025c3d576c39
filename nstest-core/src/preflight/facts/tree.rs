//! The files of one machine, below a root directory.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::{Container, MountPoint, Usage, field};
use crate::sys::init;

/// The files in /etc that a test has of its own.
const OWN_IN_ETC: [&str; 3] = ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf"];

/// The files of one machine.
pub(super) struct Tree<'a>(pub(super) &'a Path);

impl Tree<'_> {
    pub(super) fn read(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.0.join(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(super) fn line(&self, path: &str) -> Option<String> {
        Some(self.read(path)?.trim().to_owned())
    }

    pub(super) fn number(&self, path: &str) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    pub(super) fn switch(&self, path: &str) -> Option<bool> {
        self.number(path).map(|value| value != 0)
    }

    fn names(&self, path: &str) -> Option<Vec<OsString>> {
        let entries = fs::read_dir(self.0.join(path)).ok()?;
        Some(entries.flatten().map(|entry| entry.file_name()).collect())
    }

    /// A descriptor that is not below the limit was open before the limit was set, and the limit
    /// leaves no less room for that. The one by which the descriptors are listed is left out.
    pub(super) fn open_files(&self, limit: Option<u64>) -> Usage {
        const OWN: &str = "proc/thread-self/fd";
        let lists = |name: &OsString| {
            let target = fs::read_link(self.0.join(OWN).join(name));
            target.is_ok_and(|target| target.ends_with("fd"))
        };
        let counts = |name: &OsString| {
            let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
            number.is_some_and(|number| limit.is_none_or(|limit| number < limit)) && !lists(name)
        };
        let used = self.names(OWN).map(|names| names.iter().filter(|it| counts(it)).count() as u64);
        Usage { used, limit }
    }

    /// `RLIMIT_NPROC` counts the threads of all processes with the same real user id.
    pub(super) fn tasks_of(&self, uids: &str) -> u64 {
        let real = |uids: &str| uids.split_whitespace().next().map(str::to_owned);
        let own = real(uids);
        let is_pid = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
        self.names("proc")
            .unwrap_or_default()
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .filter(is_pid)
            .filter_map(|pid| {
                let status = self.read(&format!("proc/{pid}/status"))?;
                let same = field(&status, "Uid").and_then(real) == own;
                let threads: u64 = field(&status, "Threads")?.parse().ok()?;
                same.then_some(threads)
            })
            .sum()
    }

    pub(super) fn mounts(&self) -> Vec<MountPoint> {
        let text = self.read("proc/thread-self/mountinfo").unwrap_or_default();
        text.lines().filter_map(MountPoint::parse).collect()
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    pub(super) fn missing_in_etc(&self) -> Vec<&'static str> {
        let is_missing = |path: &&str| {
            let path = self.0.join(path.trim_start_matches('/'));
            path.is_dir() || !path.exists()
        };
        OWN_IN_ETC.into_iter().filter(|_| self.has("etc")).filter(is_missing).collect()
    }

    /// The nearest cgroup with a limit, from that of this process upwards, of either version.
    pub(super) fn cgroup_pids(&self) -> Usage {
        let cgroups = self.read("proc/thread-self/cgroup").unwrap_or_default();
        for line in cgroups.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let base = match fields.next() {
                Some("") => "sys/fs/cgroup",
                Some("pids") => "sys/fs/cgroup/pids",
                _ => continue,
            };
            let path = fields.next().unwrap_or("/").trim_start_matches('/');
            for group in Path::new(path).ancestors() {
                let group = format!("{base}/{}", group.display());
                if let Some(limit) = self.number(&format!("{group}/pids.max")) {
                    return Usage {
                        limit: Some(limit),
                        used: self.number(&format!("{group}/pids.current")),
                    };
                }
            }
        }
        Usage::default()
    }

    /// By the name of the first process in /proc.
    pub(super) fn proc_is_of_test(&self) -> bool {
        self.line("proc/1/comm").is_some_and(|name| init::NAME.to_str() == Ok(&name))
    }

    /// The container runtime, by the files and variables that it leaves.
    pub(super) fn container(&self, env: impl Fn(&str) -> Option<OsString>) -> Option<Container> {
        let cgroup = self.read("proc/1/cgroup").unwrap_or_default();
        let cgroup_has = |part| cgroup.contains(part);
        if env("KUBERNETES_SERVICE_HOST").is_some() || cgroup_has("kubepods") {
            Some(Container::Kubernetes)
        } else if self.has("run/.containerenv") || cgroup_has("libpod") {
            Some(Container::Podman)
        } else if self.has(".dockerenv") || cgroup_has("/docker") {
            Some(Container::Docker)
        } else if env("container").is_some() || cgroup_has("/lxc") {
            Some(Container::Other)
        } else {
            None
        }
    }
}
