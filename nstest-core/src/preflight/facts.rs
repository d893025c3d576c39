//! What can be read about the machine, as plain data.
//!
//! All files are read below a root directory, so that tests can use a recorded tree in place
//! of a machine. Nothing here fails: what cannot be read is unknown, and the diagnosis uses
//! the rest.
//!
//! The files of the process are those of the *thread* (`/proc/thread-self`), because seccomp
//! filters and AppArmor labels belong to threads (proc(5)).

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use self::tree::Tree;
use super::caller::Caller;

/// What is known about this machine and this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Whether a procfs that shows this process is mounted on `/proc`.
    pub(crate) proc_mounted: bool,
    /// `user.max_*_namespaces`, by the part between `max_` and `_namespaces`.
    pub(crate) namespace_limits: BTreeMap<&'static str, u64>,
    /// `kernel.unprivileged_userns_clone`, which only the kernels of Debian and Ubuntu have.
    pub(crate) unprivileged_userns_clone: Option<bool>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, Ubuntu 23.10 and later.
    pub(crate) apparmor_restricts_userns: Option<bool>,
    /// The AppArmor label of this thread, if it is not `unconfined`.
    pub(crate) confined_by: Option<String>,
    /// Whether SELinux enforces its policy.
    pub(crate) selinux_enforcing: bool,
    /// Whether a seccomp filter is on this thread.
    pub(crate) seccomp_filter: Option<bool>,
    /// Effective user and group id.
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    /// Effective capabilities, a bit for each (capabilities(7)).
    pub(crate) capabilities: Option<u64>,
    /// The scheduling policy of this thread (sched(7)).
    pub(crate) policy: Option<u32>,
    pub(crate) uid_map: Option<IdMap>,
    pub(crate) gid_map: Option<IdMap>,
    /// Whether the children of this process are in another PID namespace than it.
    pub(crate) children_apart: bool,
    /// Whether `/` is not the root of the mount namespace.
    pub(crate) chroot: bool,
    pub(crate) mounts: Vec<MountPoint>,
    /// The target of `/run`, if that is a symbolic link.
    pub(crate) run_link: Option<PathBuf>,
    /// Whether there is a directory `/etc`.
    pub(crate) etc: bool,
    /// Those of the files in that directory that a test has of its own that do not exist.
    pub(crate) missing_in_etc: Vec<&'static str>,
    /// `uname -r`.
    pub(crate) kernel: Option<String>,
    /// Soft `RLIMIT_NPROC`, and how many tasks of this user there are.
    pub(crate) processes: Usage,
    /// Soft `RLIMIT_NOFILE`, and how many files this process has open.
    pub(crate) open_files: Usage,
    /// Soft `RLIMIT_AS`, `RLIMIT_DATA` and `RLIMIT_FSIZE`, in bytes.
    pub(crate) address_space: Option<u64>,
    pub(crate) data_size: Option<u64>,
    pub(crate) file_size: Option<u64>,
    /// `pids.max` and `pids.current` of the nearest cgroup that has a limit.
    pub(crate) cgroup_pids: Usage,
    pub(crate) container: Option<Container>,
    /// Whether nstest has mounted /proc, for a test or for the program of `nstest run`.
    pub(crate) proc_is_of_test: bool,
    pub(crate) github_actions: bool,
    /// What the user has started.
    pub(crate) caller: Caller,
}

/// A limit on the memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryLimit {
    pub(crate) what: &'static str,
    pub(crate) bytes: u64,
    /// The command of a shell that sets it.
    pub(crate) ulimit: &'static str,
}

/// How much of a resource is used, and its limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) used: Option<u64>,
    /// `None`: unknown or unlimited.
    pub(crate) limit: Option<u64>,
}

/// A limit as RLIMIT_NPROC counts: `4096 processes and threads (RLIMIT_NPROC)`.
pub(crate) fn of_nproc(limit: Option<u64>) -> String {
    let number = limit.map_or_else(|| "only so many".to_owned(), |limit| limit.to_string());
    let what = if limit == Some(1) { "process or thread" } else { "processes and threads" };
    format!("{number} {what} (RLIMIT_NPROC)")
}

/// A limit of a cgroup: `100 processes (pids.max)`.
pub(crate) fn of_pids_max(limit: u64) -> String {
    let what = if limit == 1 { "process" } else { "processes" };
    format!("{limit} {what} (pids.max)")
}

impl Usage {
    pub(crate) fn is_full(self) -> bool {
        matches!((self.used, self.limit), (Some(used), Some(limit)) if used >= limit)
    }

    /// Whether this limit cannot be the one that was reached.
    pub(crate) fn is_far_from_full(self) -> bool {
        let far = |used, limit| limit > 1000 && used < limit / 2;
        matches!((self.used, self.limit), (Some(used), Some(limit)) if far(used, limit))
    }
}

/// The container runtime in which the process seems to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Docker,
    Podman,
    Kubernetes,
    Other,
}

/// A `uid_map` or `gid_map` (user_namespaces(7)): inside, outside, length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdMap(pub(crate) Vec<(u32, u32, u32)>);

impl IdMap {
    fn parse(text: &str) -> Self {
        let row = |line: &str| {
            let mut fields = line.split_whitespace().map(str::parse);
            match (fields.next()?, fields.next()?, fields.next()?) {
                (Ok(inside), Ok(outside), Ok(length)) => Some((inside, outside, length)),
                _ => None,
            }
        };
        Self(text.lines().filter_map(row).collect())
    }

    pub(crate) fn contains(&self, id: u32) -> bool {
        self.0
            .iter()
            .any(|(inside, _, length)| (*inside..inside.saturating_add(*length)).contains(&id))
    }
}

/// Directories of procfs and sysfs that are always empty: mounts there hide nothing
/// (`proc_create_mount_point`, `register_sysctl_mount_point`, `sysfs_create_mount_point`).
const MADE_FOR_MOUNTS: &[&str] = &[
    "/proc/fs/nfsd",
    "/proc/openprom",
    "/proc/sys/fs/binfmt_misc",
    "/proc/xen",
    "/sys/firmware/efi/efivars",
    "/sys/fs/bpf",
    "/sys/fs/cgroup",
    "/sys/fs/fuse/connections",
    "/sys/fs/pstore",
    "/sys/fs/resctrl",
    "/sys/fs/selinux",
    "/sys/fs/smackfs",
    "/sys/kernel/config",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
];

/// One line of `/proc/self/mountinfo`: the fields that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountPoint {
    pub(crate) point: String,
    /// The type of the file system.
    pub(crate) kind: String,
    pub(crate) read_only: bool,
}

impl MountPoint {
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(4);
        let point = fields.next()?.to_owned();
        let options = fields.next()?;
        let mut after = after.split(' ');
        let kind = after.next()?.to_owned();
        let of_the_superblock = after.nth(1).unwrap_or_default();
        Some(Self {
            point,
            kind,
            read_only: [options, of_the_superblock]
                .iter()
                .any(|options| options.split(',').any(|option| option == "ro")),
        })
    }
}

impl Facts {
    /// What can be read about this machine and this process.
    pub(crate) fn of_this_machine() -> Self {
        let facts = Self::gather(Path::new("/"), |name| std::env::var_os(name));
        Self { caller: Caller::current(), ..facts }
    }

    /// Only where this process runs, which is read at once.
    pub(crate) fn of_the_environment() -> Self {
        let env = |name: &str| std::env::var_os(name);
        let tree = Tree(Path::new("/"));
        Self {
            mounts: tree.mounts(),
            etc: tree.has("etc"),
            missing_in_etc: tree.missing_in_etc(),
            container: tree.container(env),
            proc_is_of_test: tree.proc_is_of_test(),
            github_actions: env("GITHUB_ACTIONS").is_some(),
            caller: Caller::current(),
            ..Self::default()
        }
    }

    /// Reads below `root`; `env` is the environment.
    pub(crate) fn gather(root: &Path, env: impl Fn(&str) -> Option<OsString>) -> Self {
        let tree = Tree(root);
        let status = tree.read("proc/thread-self/status");
        let field = |name| status.as_deref().and_then(|status| field(status, name));
        let mounts = tree.mounts();
        let limits = tree.read("proc/thread-self/limits").unwrap_or_default();
        // The second number of these lines is the effective id.
        let id = |name| field(name)?.split_whitespace().nth(1)?.parse().ok();
        Self {
            proc_mounted: status.is_some(),
            namespace_limits: ["user", "pid", "mnt", "uts", "ipc", "net"]
                .into_iter()
                .filter_map(|kind| {
                    let path = format!("proc/sys/user/max_{kind}_namespaces");
                    Some((kind, tree.number(&path)?))
                })
                .collect(),
            unprivileged_userns_clone: tree.switch("proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts_userns: tree
                .switch("proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
            confined_by: tree
                .read("proc/thread-self/attr/apparmor/current")
                .as_deref()
                .and_then(label),
            selinux_enforcing: tree.switch("sys/fs/selinux/enforce") == Some(true),
            seccomp_filter: field("Seccomp").map(|mode| mode == "2"),
            uid: id("Uid"),
            gid: id("Gid"),
            capabilities: field("CapEff").and_then(|hex| u64::from_str_radix(hex, 16).ok()),
            policy: tree.read("proc/thread-self/stat").as_deref().and_then(policy),
            uid_map: tree.read("proc/thread-self/uid_map").as_deref().map(IdMap::parse),
            gid_map: tree.read("proc/thread-self/gid_map").as_deref().map(IdMap::parse),
            children_apart: are_children_apart(root),
            chroot: is_chroot(root, &mounts),
            mounts,
            run_link: fs::read_link(root.join("run")).ok(),
            etc: tree.has("etc"),
            missing_in_etc: tree.missing_in_etc(),
            kernel: tree.line("proc/sys/kernel/osrelease"),
            processes: Usage {
                limit: soft_limit(&limits, "Max processes"),
                used: field("Uid").map(|uids| tree.tasks_of(uids)),
            },
            open_files: tree.open_files(soft_limit(&limits, "Max open files")),
            address_space: soft_limit(&limits, "Max address space"),
            data_size: soft_limit(&limits, "Max data size"),
            file_size: soft_limit(&limits, "Max file size"),
            cgroup_pids: tree.cgroup_pids(),
            container: tree.container(&env),
            proc_is_of_test: tree.proc_is_of_test(),
            github_actions: env("GITHUB_ACTIONS").is_some(),
            caller: Caller::default(),
        }
    }

    /// Whether this process is in another user namespace than the initial one, the only one in
    /// which all ids are mapped.
    pub(crate) fn nested(&self) -> bool {
        self.uid_map.as_ref().is_some_and(|map| map.0 != [(0, 0, u32::MAX)])
    }

    /// The mount points below `dir` that hide what the kernel shows there: as fs/namespace.c counts
    /// them (`mnt_already_visible`), those on `dir` itself, not on what is mounted below it.
    pub(crate) fn mounts_below(&self, dir: &str) -> Vec<&str> {
        let is_below = |point: &str, above: &str| {
            point.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
        };
        let points = self.mounts.iter().map(|mount| mount.point.as_str());
        let all: Vec<&str> = points.filter(|point| is_below(point, dir)).collect();
        let hides = |point: &&str| {
            !MADE_FOR_MOUNTS.contains(point) && !all.iter().any(|above| is_below(point, above))
        };
        let mut hidden: Vec<&str> = all.iter().copied().filter(hides).collect();
        // Several mounts can be on one directory.
        let mut seen = BTreeSet::new();
        hidden.retain(|point| seen.insert(*point));
        hidden
    }

    /// Whether the kernel is older than this version. `false` if its version is unknown.
    pub(crate) fn kernel_before(&self, version: (u32, u32)) -> bool {
        let mut numbers =
            self.kernel.as_deref().unwrap_or_default().split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next().and_then(|number| number.parse().ok());
        matches!((next(), next()), (Some(major), Some(minor)) if (major, minor) < version)
    }

    /// The limit on the memory of this process, if there is one.
    pub(crate) fn memory_limit(&self) -> Option<MemoryLimit> {
        let limit = |what, bytes, ulimit| Some(MemoryLimit { what, bytes: bytes?, ulimit });
        limit("address space (RLIMIT_AS)", self.address_space, "ulimit -v").or(limit(
            "data (RLIMIT_DATA)",
            self.data_size,
            "ulimit -d",
        ))
    }

    /// The mount that `path` is on: that with the longest mount point above it, the last one there.
    pub(crate) fn mount_of(&self, path: &str) -> Option<&MountPoint> {
        self.mounts
            .iter()
            .filter(|mount| Path::new(path).starts_with(&mount.point))
            .max_by_key(|mount| mount.point.len())
    }

    /// Whether `path` is on a read-only mount.
    pub(crate) fn read_only(&self, path: &str) -> bool {
        self.mount_of(path).is_some_and(|mount| mount.read_only)
    }
}

/// A label, which the kernel writes as `name (mode)`. `None` if it is `unconfined`.
pub(crate) fn label(text: &str) -> Option<String> {
    let name = text.trim_end_matches(['\0', '\n']).trim();
    (!name.is_empty() && name != "unconfined").then(|| name.to_owned())
}

/// The namespace for children has no link until it has a process (pid_namespaces(7)).
fn are_children_apart(root: &Path) -> bool {
    let link = |name| fs::read_link(root.join("proc/thread-self/ns").join(name)).ok();
    let own = link("pid");
    own.is_some() && own != link("pid_for_children")
}

/// A chroot can be seen in two ways. For root, `/` differs from that of init in the same mount
/// namespace. For all users, mountinfo has no line for `/`, because it omits mounts that are
/// not reachable (proc_pid_mountinfo(5)).
fn is_chroot(root: &Path, mounts: &[MountPoint]) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: PathBuf| fs::metadata(path).ok().map(|at| (at.dev(), at.ino()));
    let link = |path: &str| fs::read_link(root.join(path)).ok();
    let namespace = link("proc/1/ns/mnt");
    if namespace.is_some() && namespace == link("proc/thread-self/ns/mnt") {
        let init = identity(root.join("proc/1/root/"));
        if init.is_some() && init != identity(root.to_owned()) {
            return true;
        }
    }
    !mounts.is_empty() && mounts.iter().all(|mount| mount.point != "/")
}

/// The value of `Name:` in a status file.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key == name).then(|| value.trim())
    })
}

/// The field `policy` of a stat file (proc_pid_stat(5)). The second field, in parentheses, can have
/// spaces.
fn policy(stat: &str) -> Option<u32> {
    const AFTER_NAME: usize = 41 - 3;
    stat.rsplit_once(')')?.1.split_whitespace().nth(AFTER_NAME)?.parse().ok()
}

/// `None` for `unlimited`.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
