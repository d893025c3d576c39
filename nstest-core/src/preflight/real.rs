//! Tests of the diagnosis with the real kernel, in environments in which it refuses calls.
//!
//! `unshare` and similar programs create these environments. Each test starts this test binary
//! again inside of one. There, `attempt` makes the refused call and prints the explained
//! error. Nothing outside changes, so the tests can run in parallel, under any runner and as
//! any user.

use std::process::Command;

use expect_test::{Expect, expect};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::resource::{Resource, setrlimit};

use super::explain::{error, investigate};
use super::recorded::{clone, id_map, mount, refusal, sysctl};
use super::refusal::{Operation, Refusal};
use crate::sys::call::c_string;
use crate::sys::namespaces;
use crate::sys::seccomp_filter::{FilterAnswer, refuse_namespaces};
use crate::sys::trial::{self, Trial, TrialOutcome};

const ATTEMPT: &str = "NSTEST_PREFLIGHT_ATTEMPT";
const FIRST: &str = "NSTEST_PREFLIGHT_FIRST";
const BEGIN: &str = "--- begin ---\n";
const END: &str = "\n--- end ---";

/// Runs in the environment that a test below has created.
#[test]
#[ignore = "fixture of another test"]
fn attempt() {
    let Ok(attempt) = std::env::var(ATTEMPT) else {
        return;
    };
    match std::env::var(FIRST).unwrap_or_default().as_str() {
        "" => {}
        "no processes" => setrlimit(Resource::RLIMIT_NPROC, 1, 1).unwrap(),
        "filter: EPERM" => refuse_namespaces(FilterAnswer::Errno(Errno::EPERM)),
        "filter: ENOSYS" => refuse_namespaces(FilterAnswer::Errno(Errno::ENOSYS)),
        "filter: kill" => refuse_namespaces(FilterAnswer::Kill),
        root => nix::unistd::chroot(root).unwrap(),
    }
    let text = match refused(&attempt) {
        Some(refusal) => {
            let (mut facts, probes) = investigate(&refusal);
            // The environment of the tests themselves must not appear in the text.
            facts.container = None;
            format!("{:?}", error(&refusal, &facts, &probes))
        }
        None => "granted".to_owned(),
    };
    println!("{BEGIN}{text}{END}");
}

/// Makes the call. Returns the refusal, if it was refused.
fn refused(attempt: &str) -> Option<Refusal> {
    match attempt {
        "clone" => tried(Trial::Clone(namespaces::EVERY), clone),
        "uid_map" => tried(Trial::IdMap, id_map),
        "setgroups" => {
            let call = "open(\"/proc/self/setgroups\")";
            let refused = |errno| refusal("forbid setgroups", call, errno, Operation::SetGroups);
            tried(Trial::SetGroups, refused)
        }
        "mount /proc" => {
            let proc = Some("proc");
            let result = nix::mount::mount(proc, "/proc", proc, MsFlags::empty(), None::<&str>);
            let call = "mount(\"proc\", \"/proc\", …)".to_owned();
            result.err().map(|errno| Refusal { call, ..mount("/proc", errno) })
        }
        "sysctl" => {
            let error = std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").err()?;
            let errno = Errno::from_raw(error.raw_os_error().unwrap());
            let call = "open(\"/proc/sys/net/ipv4/ip_forward\")".to_owned();
            Some(Refusal { call, ..sysctl(errno) })
        }
        other => panic!("no such attempt: {other}"),
    }
}

fn tried(trial: Trial, refused: impl Fn(Errno) -> Refusal) -> Option<Refusal> {
    let uid_map = c_string(format!("0 {} 1", nix::unistd::geteuid()));
    let report = trial::run(&[trial], &uid_map);
    match (report.process, report.outcomes[0]) {
        (TrialOutcome::Refused(errno), _) | (_, TrialOutcome::Refused(errno)) => {
            Some(refused(errno))
        }
        (_, TrialOutcome::Killed(signal)) => {
            Some(Refusal { kind: Operation::Killed { signal }, ..refused(Errno::UnknownErrno) })
        }
        _ => None,
    }
}

/// An environment, and the call to attempt in it.
struct RefusingMachine {
    /// The words of a command that executes its arguments in the environment.
    command: Vec<String>,
    /// What `attempt` does to its own process first.
    first: &'static str,
    attempt: &'static str,
}

impl RefusingMachine {
    const PLAIN: Self = Self { command: Vec::new(), first: "", attempt: "clone" };

    /// Allows `count` namespaces of one kind.
    fn at_most(count: u32, kind: &str) -> Self {
        let limit = format!("echo {count} >/proc/sys/user/max_{kind}_namespaces");
        Self::PLAIN.within("unshare -Ur").after(&limit)
    }

    /// Nests the environment in what a command creates.
    fn within(mut self, command: &str) -> Self {
        self.command.extend(command.split_whitespace().map(str::to_owned));
        self
    }

    /// Runs a script of sh first. `sh -c "$0" "$0" "$@"` in the script runs it again.
    fn after(mut self, script: &str) -> Self {
        let script = format!(r#"set -e; {script}; exec "$@""#);
        self.command.extend(["sh", "-c", &script, &script].map(str::to_owned));
        self
    }

    fn first(self, first: &'static str) -> Self {
        Self { first, ..self }
    }

    fn attempts(self, attempt: &'static str) -> Self {
        Self { attempt, ..self }
    }

    fn says(self, expected: Expect) {
        expected.assert_eq(&self.text());
    }

    fn text(self) -> String {
        let module = module_path!().split_once("::").unwrap().1;
        let binary = std::env::current_exe().unwrap().into_os_string();
        let mut words = self.command.into_iter().map(Into::into).chain([binary]);
        let output = Command::new(words.next().unwrap())
            .args(words)
            .args(["--exact", &format!("{module}::attempt"), "--ignored"])
            .args(["--nocapture", "--test-threads=1"])
            .env(ATTEMPT, self.attempt)
            .env(FIRST, self.first)
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let inside = stdout.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
        match inside {
            Some((text, _)) => text.to_owned(),
            None => {
                panic!("{}\n{stdout}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
            }
        }
    }
}

#[test]
fn nothing_is_refused_here() {
    RefusingMachine::PLAIN.says(expect!["granted"]);
}

#[test]
fn no_user_namespaces() {
    RefusingMachine::at_most(0, "user").says(expect![[r#"
        nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: this machine allows no user namespaces (user.max_user_namespaces = 0)
          help: sysctl -w user.max_user_namespaces=28633    # as root of the user namespace that the tests run in"#]]);
}

#[test]
fn all_user_namespaces_in_use() {
    RefusingMachine::at_most(1, "user").within("unshare -Ur").says(expect![[r#"
        nstest[userns-depth]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: user namespaces are nested too deep here (the kernel allows 32 levels below the first), or an outer user namespace has reached its limit (user.max_user_namespaces there)
          help: run the tests with fewer containers, sandboxes or `unshare -U` around"#]]);
}

#[test]
fn no_network_namespaces() {
    RefusingMachine::at_most(0, "net").says(expect![[r#"
        nstest[netns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: this machine allows no network namespaces (user.max_net_namespaces = 0)
          help: sysctl -w user.max_net_namespaces=28633    # as root of the user namespace that the tests run in"#]]);
}

#[test]
fn one_mount_namespace() {
    RefusingMachine::at_most(1, "mnt").within("unshare -m").says(expect![[r#"
        nstest[namespace-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: all mount namespaces that this machine allows a user are in use (user.max_mnt_namespaces = 1)
          help: sysctl -w user.max_mnt_namespaces=28633    # as root of the user namespace that the tests run in"#]]);
}

#[test]
fn as_deep_as_it_goes() {
    RefusingMachine::PLAIN
        .after(r#"unshare -Ur true 2>/dev/null && exec unshare -Ur sh -c "$0" "$0" "$@""#)
        .says(expect![[r#"
            nstest[userns-depth]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: user namespaces are nested too deep here (the kernel allows 32 levels below the first), or an outer user namespace has reached its limit (user.max_user_namespaces there)
              help: run the tests with fewer containers, sandboxes or `unshare -U` around"#]]);
}

#[test]
fn in_a_chroot() {
    RefusingMachine::PLAIN
        .within("unshare -Urm")
        .after("mount -t tmpfs none /mnt; mkdir -p /mnt/root/proc; mount --rbind /proc /mnt/root/proc")
        .first("/mnt/root")
        .says(expect![[r#"
            nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process runs in a chroot, and the kernel creates no user namespace in a chroot
              help: enter the tree with pivot_root(2), which needs no privilege, not with chroot(2):
                bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn in_a_chroot_onto_a_mount() {
    RefusingMachine::PLAIN
        .within("unshare -Urm")
        .after("mount --rbind / /mnt")
        .first("/mnt")
        .says(expect![[r#"
            nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process seems to run in a chroot, in which the kernel creates no user namespace: no filter intercepts the call, and its user and group ids are mapped
              help: enter the tree with pivot_root(2), which needs no privilege, not with chroot(2):
                bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn in_a_chroot_without_proc() {
    RefusingMachine::PLAIN.within("unshare -Ur").first("/mnt").says(expect![[r#"
        nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: this process seems to run in a chroot, in which the kernel creates no user namespace: no filter intercepts the call, and without /proc it is unknown whether its ids are mapped
          help: enter the tree with pivot_root(2), which needs no privilege, not with chroot(2):
            bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn without_an_id() {
    RefusingMachine::PLAIN.within("unshare -U").says(expect![[r#"
        nstest[unmapped-id]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: the user id of this process is not mapped in its user namespace (/proc/self/uid_map), so it cannot create namespaces
          help: map it when you create the user namespace around the tests: unshare --user --map-current-user …"#]]);
}

#[test]
fn without_processes() {
    // The limit does not apply to root, nor to root of a namespace that root has created. The id
    // has no other process.
    let id = 100_000 + std::process::id();
    let ordinary = if nix::unistd::geteuid().is_root() {
        format!("setpriv --reuid={id} --regid={id} --clear-groups")
    } else {
        String::new()
    };
    let text = RefusingMachine::PLAIN.within(&ordinary).first("no processes").text();
    println!("{text}");
    assert!(text.starts_with("nstest[nproc]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN\n  cause: this user may have 1 process or thread (RLIMIT_NPROC), "), "{text}");
}

#[test]
fn filtered_with_eperm() {
    RefusingMachine::PLAIN.first("filter: EPERM").says(expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: a seccomp filter answers this system call with EPERM
          help: allow clone, clone3, unshare, setns, mount and umount2 in the filter; in a systemd unit: RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

#[test]
fn filtered_with_enosys() {
    RefusingMachine::PLAIN.first("filter: ENOSYS").says(expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSYS
          cause: a seccomp filter answers this system call with ENOSYS
          help: allow clone, clone3, unshare, setns, mount and umount2 in the filter; in a systemd unit: RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

#[test]
fn filtered_with_a_signal() {
    RefusingMachine::PLAIN.first("filter: kill").says(expect![[r#"
        nstest[seccomp-kill]: create the test's namespaces: clone(CLONE_NEWUSER|…): SIGSYS
          cause: a seccomp filter kills the process that makes this system call (SIGSYS)
          help: allow clone, clone3, unshare, setns, mount and umount2 in the filter; in a systemd unit: RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

#[test]
fn root_without_setfcap() {
    // In a user namespace, so that the test is the same for root and other users.
    RefusingMachine::PLAIN
        .within("unshare -Ur")
        .within("setpriv --bounding-set=-setfcap --inh-caps=-setfcap")
        .attempts("uid_map")
        .says(expect![[r#"
            nstest[setfcap]: map the test's user id: write("/proc/self/uid_map"): EPERM
              cause: this process is root without the capability CAP_SETFCAP, which mapping user id 0 into a new user namespace needs
              help: run the tests as an ordinary user, or keep CAP_SETFCAP"#]]);
}

#[test]
fn with_a_masked_proc() {
    RefusingMachine::PLAIN
        .within("unshare -Urm")
        .after("mount --bind /dev/null /proc/version")
        .within("unshare -Ump --map-root-user --fork")
        .attempts("mount /proc")
        .says(expect![[r#"
            nstest[proc-masked]: mount a fresh /proc: mount("proc", "/proc", …): EPERM
              cause: /proc is partly hidden by mounts on /proc/version, and the kernel then refuses to mount a fresh one, which would show more
              help: run the tests where /proc and /sys are complete and writable; this shows their mounts:
                findmnt -R /proc; findmnt -R /sys"#]]);
}

#[test]
fn with_read_only_sysctls() {
    RefusingMachine::PLAIN
        .within("unshare -Urmn")
        .after("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
        .attempts("sysctl")
        .says(expect![[r#"
            nstest[proc-sys-read-only]: set net.ipv4.ip_forward: open("/proc/sys/net/ipv4/ip_forward"): EROFS
              cause: /proc/sys is mounted read-only
              help: run the tests where /proc and /sys are complete and writable; this shows their mounts:
                findmnt -R /proc; findmnt -R /sys"#]]);
}

#[test]
fn without_proc() {
    RefusingMachine::PLAIN
        .within("unshare -Urm")
        .after("mount -t tmpfs none /proc")
        .attempts("setgroups")
        .says(expect![[r#"
            nstest[no-proc]: forbid setgroups: open("/proc/self/setgroups"): ENOENT
              cause: no procfs that shows this process is mounted on /proc
              help: sudo mount -t proc proc /proc"#]]);
}
