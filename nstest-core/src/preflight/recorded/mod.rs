//! Tests of the diagnosis with recorded machines: their files, and the answers of their kernels.
//!
//! A recording starts as [`RecordedMachine::laptop`], which allows everything. A test changes
//! files of it, or outcomes of probes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::Expect;
use nix::errno::Errno;

use super::caller::Caller;
use super::explain::{error, explain};
use super::facts::{Facts, IdMap, Usage};
use super::probe::{Filter, KINDS, Probes, TrialOutcome};
use super::refusal::{Operation, Refusal};
use crate::error::ErrorCode;

mod container;
mod laptop;
mod limits;

struct RecordedMachine {
    /// Paths and contents. The content `-> target` is a symbolic link.
    files: BTreeMap<&'static str, String>,
    env: Vec<&'static str>,
    probes: Probes,
    caller: Caller,
}

const STATUS: &str = "Name:\ttests\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n\
                      Threads:\t3\nCapEff:\t0000000000000000\nSeccomp:\t0\n";
const ROOT_IN_CONTAINER: &str = "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t3\n\
                                 CapEff:\t00000000a80425fb\nSeccomp:\t2\n";
const EVERY_ID: &str = "         0          0 4294967295\n";
const MOUNTS: &str = "\
22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
23 22 0:35 / /proc/sys/fs/binfmt_misc rw,relatime - autofs systemd-1 rw
24 27 0:22 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
";
/// In a container of Docker without options.
const DOCKER_MOUNTS: &str = "\
601 500 0:60 / / rw,relatime - overlay overlay rw
602 601 0:63 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
607 601 0:66 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
521 602 0:63 /bus /proc/bus ro,nosuid,nodev,noexec,relatime - proc proc rw
523 602 0:63 /sys /proc/sys ro,nosuid,nodev,noexec,relatime - proc proc rw
527 602 0:69 / /proc/acpi ro,relatime - tmpfs tmpfs ro
528 602 0:64 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw
533 607 0:72 / /sys/firmware ro,relatime - tmpfs tmpfs ro
";

impl RecordedMachine {
    fn laptop() -> Self {
        let limits = [
            "proc/sys/user/max_user_namespaces",
            "proc/sys/user/max_pid_namespaces",
            "proc/sys/user/max_mnt_namespaces",
            "proc/sys/user/max_uts_namespaces",
            "proc/sys/user/max_ipc_namespaces",
            "proc/sys/user/max_net_namespaces",
        ];
        let mut machine = Self {
            files: limits.map(|path| (path, "63239\n".to_owned())).into(),
            env: Vec::new(),
            caller: Caller::Tests,
            probes: Probes {
                process: TrialOutcome::Allowed,
                clone_filter: Filter::Passes,
                clone3_filter: Filter::Passes,
                mount_filter: Filter::Passes,
                undumpable: None,
                user: TrialOutcome::Allowed,
                kinds: [TrialOutcome::Allowed; KINDS.len()],
                every: TrialOutcome::Allowed,
                set_groups: TrialOutcome::Allowed,
                id_map: TrialOutcome::Allowed,
                label: None,
            },
        };
        for (path, text) in [
            ("proc/thread-self/status", STATUS),
            ("proc/thread-self/uid_map", EVERY_ID),
            ("proc/thread-self/gid_map", EVERY_ID),
            ("proc/thread-self/mountinfo", MOUNTS),
            ("proc/thread-self/attr/apparmor/current", "unconfined\n"),
            ("proc/thread-self/cgroup", "0::/user.slice/session-1.scope\n"),
            (
                "proc/thread-self/limits",
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             unlimited            unlimited            processes \n\
                 Max open files            1024                 524288               files     \n",
            ),
            ("proc/thread-self/fd/0", ""),
            ("proc/thread-self/fd/1", ""),
            ("proc/4711/status", STATUS),
            ("proc/1/status", "Uid:\t0\t0\t0\t0\nThreads:\t1\n"),
            ("proc/sys/kernel/osrelease", "6.12.48-generic\n"),
        ] {
            machine.files.insert(path, text.to_owned());
        }
        machine
    }

    /// Root in a container of Docker without options.
    fn docker() -> Self {
        let eperm = TrialOutcome::Refused(Errno::EPERM);
        Self::laptop()
            .file(".dockerenv", "")
            .file("proc/thread-self/status", ROOT_IN_CONTAINER)
            .file("proc/thread-self/mountinfo", DOCKER_MOUNTS)
            .file("proc/thread-self/attr/apparmor/current", "docker-default (enforce)\n")
            .probes(|probes| {
                probes.clone_filter = Filter::Answers(Errno::EPERM);
                probes.mount_filter = Filter::Answers(Errno::EPERM);
                probes.user = eperm;
                probes.every = eperm;
                probes.kinds = [eperm; KINDS.len()];
            })
    }

    fn file(mut self, path: &'static str, text: &str) -> Self {
        self.files.insert(path, text.to_owned());
        self
    }

    fn of_command(self) -> Self {
        Self { caller: Caller::Command, ..self }
    }

    fn without(mut self, prefix: &str) -> Self {
        self.files.retain(|path, _| !path.starts_with(prefix));
        self
    }

    fn env(mut self, name: &'static str) -> Self {
        self.env.push(name);
        self
    }

    fn probes(mut self, change: impl FnOnce(&mut Probes)) -> Self {
        change(&mut self.probes);
        self
    }

    /// Refuses a new user namespace, alone ("user") or together with another kind.
    fn refuses(self, kind: &str, errno: Errno) -> Self {
        self.probes(|probes| match KINDS.iter().position(|(name, _)| *name == kind) {
            Some(at) => probes.kinds[at] = TrialOutcome::Refused(errno),
            None if kind == "user" => probes.user = TrialOutcome::Refused(errno),
            None => panic!("no kind of namespace: {kind}"),
        })
    }

    fn facts(&self) -> Facts {
        let tree = TemporaryDirectory::new();
        for (path, text) in &self.files {
            let path = tree.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match text.strip_prefix("-> ") {
                Some(target) => symlink(target, path).unwrap(),
                None => fs::write(path, text).unwrap(),
            }
        }
        let facts = Facts::gather(&tree.0, |name| self.env.contains(&name).then(OsString::new));
        Facts { caller: self.caller, ..facts }
    }

    fn says(self, refusal: &Refusal, expected: Expect) {
        expected.assert_eq(&self.text(refusal));
    }

    fn text(&self, refusal: &Refusal) -> String {
        format!("{:?}", error(refusal, &self.facts(), &self.probes))
    }
}

/// A directory for one recorded tree, removed when dropped.
struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nstest-recorded-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        // A directory that cannot be removed does not fail the test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn clone(errno: Errno) -> Refusal {
    refusal("create the test's namespaces", "clone(CLONE_NEWUSER|…)", errno, Operation::Clone)
}

pub(super) fn id_map(errno: Errno) -> Refusal {
    refusal("map the test's user id", "write(\"/proc/self/uid_map\")", errno, Operation::IdMap)
}

pub(super) fn mount(target: &str, errno: Errno) -> Refusal {
    let call = format!("mount(\"{target}\")");
    let kind = Operation::Mount { target: target.to_owned() };
    refusal(&format!("mount a fresh {target}"), &call, errno, kind)
}

pub(super) fn sysctl(errno: Errno) -> Refusal {
    let path = "/proc/sys/net/ipv4/ip_forward".to_owned();
    refusal("set net.ipv4.ip_forward", "open", errno, Operation::Sysctl { path })
}

pub(super) fn exec(errno: Errno) -> Refusal {
    refusal("start the test's process", "execve(\"/proc/self/exe\")", errno, Operation::Exec)
}

pub(super) fn refusal(step: &str, call: &str, errno: Errno, kind: Operation) -> Refusal {
    Refusal { step: step.to_owned(), call: call.to_owned(), errno: errno as i32, kind }
}

#[test]
fn a_machine_is_read_from_its_files() {
    let facts = RecordedMachine::laptop()
        .file("sys/fs/cgroup/user.slice/pids.max", "100\n")
        .file("sys/fs/cgroup/user.slice/pids.current", "7\n")
        .facts();
    assert!(facts.proc_mounted && !facts.chroot && !facts.nested());
    assert_eq!((facts.uid, facts.gid), (Some(1000), Some(1000)));
    assert_eq!(facts.namespace_limits["net"], 63239);
    assert_eq!(facts.processes, Usage { used: Some(3), limit: None });
    assert_eq!(facts.open_files, Usage { used: Some(2), limit: Some(1024) });
    assert_eq!(facts.cgroup_pids, Usage { used: Some(7), limit: Some(100) });
    assert_eq!(facts.mounts_below("/proc"), Vec::<&str>::new());
    assert_eq!(facts.confined_by, None);
}

#[test]
fn an_empty_tree_is_no_facts() {
    let facts = Facts::gather(Path::new("/nonexistent"), |_| None);
    assert_eq!(facts, Facts::default());
}

#[test]
fn an_id_map_covers_its_ranges() {
    let map = IdMap(vec![(0, 1000, 1), (10, 100_000, 5)]);
    assert_eq!(
        [0, 1, 9, 10, 14, 15].map(|id| map.contains(id)),
        [true, false, false, true, true, false]
    );
}

#[test]
fn each_refusal_has_a_remedy() {
    for kind in
        [Operation::Pipe, Operation::Clone, Operation::Hostname, Operation::Exec, Operation::Other]
    {
        for errno in 0..140 {
            let refusal = Refusal { errno, kind: kind.clone(), ..clone(Errno::EIO) };
            let error = error(&refusal, &Facts::default(), &Probes::UNTRIED);
            assert!(error.next_step().is_some(), "{error:?}");
        }
    }
    let error = explain(refusal("write", "write", Errno::EIO, Operation::Other));
    assert_eq!(error.code(), ErrorCode::Setup);
}
