//! The real kernel says no, in worlds that `unshare` builds for it, and the text is right.
//!
//! Each test starts this test binary again inside such a world; there `attempt`
//! makes the refused call, has it explained and prints the error. Nothing outside
//! the world changes, so this runs in parallel, under any runner, as any user.

use std::ffi::CString;
use std::process::Command;

use expect_test::{Expect, expect};
use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sys::resource::{Resource, setrlimit};

use super::recorded::{clone, id_map, mount, refusal, sysctl};
use super::{Refusal, Step, error, investigate};
use crate::sys::probe::{self, EVERY_NAMESPACE, Outcome, Trial};
use crate::sys::seccomp_filter::{Answer, refuse_namespaces};

const ATTEMPT: &str = "NSTEST_PREFLIGHT_ATTEMPT";
const FIRST: &str = "NSTEST_PREFLIGHT_FIRST";
const BEGIN: &str = "--- begin ---\n";
const END: &str = "\n--- end ---";

/// The other side: runs in the world that a test below has made.
#[test]
#[ignore = "only the other tests of this module run it"]
fn attempt() {
    let Ok(attempt) = std::env::var(ATTEMPT) else {
        return;
    };
    match std::env::var(FIRST).unwrap_or_default().as_str() {
        "" => {}
        "no processes" => setrlimit(Resource::RLIMIT_NPROC, 1, 1).unwrap(),
        "filter: EPERM" => refuse_namespaces(Answer::Errno(Errno::EPERM)),
        "filter: ENOSYS" => refuse_namespaces(Answer::Errno(Errno::ENOSYS)),
        "filter: kill" => refuse_namespaces(Answer::Kill),
        root => nix::unistd::chroot(root).unwrap(),
    }
    let text = match refused(&attempt) {
        Some(refusal) => {
            let (mut facts, probes) = investigate(&refusal);
            // What the tests themselves run in must not show in the text.
            facts.container = None;
            format!("{:?}", error(&refusal, &facts, &probes))
        }
        None => "granted".to_owned(),
    };
    println!("{BEGIN}{text}{END}");
}

/// Attempts it; what was refused of it, if anything was.
fn refused(attempt: &str) -> Option<Refusal> {
    match attempt {
        "clone" => tried(Trial::Clone(EVERY_NAMESPACE), clone),
        "uid_map" => tried(Trial::IdMap, id_map),
        "setgroups" => {
            let call = "open(\"/proc/self/setgroups\")";
            let refused = |errno| refusal("forbid setgroups", call, errno, Step::SetGroups);
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
    let uid_map = CString::new(format!("0 {} 1", nix::unistd::geteuid())).unwrap();
    let report = probe::run(&[trial], &uid_map);
    match (report.process, report.outcomes[0]) {
        (Outcome::Refused(errno), _) | (_, Outcome::Refused(errno)) => Some(refused(errno)),
        (_, Outcome::Killed(signal)) => {
            Some(Refusal { kind: Step::Killed { signal }, ..refused(Errno::UnknownErrno) })
        }
        _ => None,
    }
}

/// A world, and what is attempted in it.
struct World {
    /// What executes its arguments in it, as words: one command before the other.
    command: Vec<String>,
    /// What `attempt` does to itself first.
    first: &'static str,
    attempt: &'static str,
}

impl World {
    const PLAIN: Self = Self { command: Vec::new(), first: "", attempt: "clone" };

    /// Where there may be so many namespaces of one kind.
    fn at_most(count: u32, kind: &str) -> Self {
        let limit = format!("echo {count} >/proc/sys/user/max_{kind}_namespaces");
        Self::PLAIN.within("unshare -Ur").after(&limit)
    }

    /// Inside of what a command makes.
    fn within(mut self, command: &str) -> Self {
        self.command.extend(command.split_whitespace().map(str::to_owned));
        self
    }

    /// When a script for sh has run, which `sh -c "$0" "$0" "$@"` in it runs again.
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
    World::PLAIN.says(expect!["granted"]);
}

#[test]
fn no_user_namespaces() {
    World::at_most(0, "user").says(expect![[r#"
        nstest[userns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: this machine allows 0 user namespaces (user.max_user_namespaces = 0)
          help: sysctl -w user.max_user_namespaces=28633    # as root of the user namespace that the tests run in"#]]);
}

#[test]
fn all_user_namespaces_in_use() {
    World::at_most(1, "user").within("unshare -Ur").says(expect![[r#"
        nstest[userns-depth]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: this process is in a user namespace that is nested too deep (the kernel allows 32 levels below the first), or one of those around it may have no more inside (user.max_user_namespaces there)
          help: run the tests with fewer containers, sandboxes or `unshare -U` around them"#]]);
}

#[test]
fn no_network_namespaces() {
    World::at_most(0, "net").says(expect![[r#"
        nstest[netns-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: this machine allows 0 network namespaces (user.max_net_namespaces = 0)
          help: sysctl -w user.max_net_namespaces=28633    # as root of the user namespace that the tests run in"#]]);
}

#[test]
fn one_mount_namespace() {
    World::at_most(1, "mnt").within("unshare -m").says(expect![[r#"
        nstest[namespace-limit]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
          cause: this machine allows a user 1 mount namespaces (user.max_mnt_namespaces = 1), and they are in use
          help: sysctl -w user.max_mnt_namespaces=28633    # as root of the user namespace that the tests run in"#]]);
}

#[test]
fn as_deep_as_it_goes() {
    World::PLAIN
        .after(r#"unshare -Ur true 2>/dev/null && exec unshare -Ur sh -c "$0" "$0" "$@""#)
        .says(expect![[r#"
            nstest[userns-depth]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSPC
              cause: this process is in a user namespace that is nested too deep (the kernel allows 32 levels below the first), or one of those around it may have no more inside (user.max_user_namespaces there)
              help: run the tests with fewer containers, sandboxes or `unshare -U` around them"#]]);
}

#[test]
fn in_a_chroot() {
    World::PLAIN
        .within("unshare -Urm")
        .after("mount -t tmpfs none /mnt; mkdir -p /mnt/root/proc; mount --rbind /proc /mnt/root/proc")
        .first("/mnt/root")
        .says(expect![[r#"
            nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process runs in a chroot, and the kernel makes no user namespace for such a one
              help: enter the tree by pivot_root(2) in place of chroot(2), which needs no privilege:
                bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn in_a_chroot_onto_a_mount() {
    World::PLAIN
        .within("unshare -Urm")
        .after("mount --rbind / /mnt")
        .first("/mnt")
        .says(expect![[r#"
            nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
              cause: this process seems to run in a chroot, in which the kernel makes no user namespace: no filter stands before the kernel, and its user and group id are mapped
              help: enter the tree by pivot_root(2) in place of chroot(2), which needs no privilege:
                bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn in_a_chroot_without_proc() {
    World::PLAIN.within("unshare -Ur").first("/mnt").says(expect![[r#"
        nstest[chroot]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: this process seems to run in a chroot, in which the kernel makes no user namespace: no filter stands before the kernel, and whether its ids are mapped cannot be told without /proc
          help: enter the tree by pivot_root(2) in place of chroot(2), which needs no privilege:
            bwrap --bind TREE / --dev-bind /dev /dev --proc /proc cargo test"#]]);
}

#[test]
fn without_an_id() {
    World::PLAIN.within("unshare -U").says(expect![[r#"
        nstest[unmapped-id]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: this process's user id has no mapping in the user namespace that it is in (/proc/self/uid_map), and without one it can make no further namespace
          help: map it where the namespace around the tests is made: unshare --user --map-current-user …"#]]);
}

#[test]
fn without_processes() {
    // The limit does not hold for root, not even for root of a namespace that root has made.
    let ordinary = if nix::unistd::geteuid().is_root() {
        "setpriv --reuid=54321 --regid=54321 --clear-groups"
    } else {
        ""
    };
    let text = World::PLAIN.within(ordinary).first("no processes").text();
    println!("{text}");
    assert!(text.starts_with("nstest[nproc]: create the test's namespaces: clone(CLONE_NEWUSER|…): EAGAIN\n  cause: this user may have 1 processes and threads (RLIMIT_NPROC), "), "{text}");
}

#[test]
fn filtered_with_eperm() {
    World::PLAIN.first("filter: EPERM").says(expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): EPERM
          cause: a seccomp filter answers this system call with EPERM
          help: let the filter pass clone, clone3, unshare, setns, mount and umount2; in a systemd unit that is RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

#[test]
fn filtered_with_enosys() {
    World::PLAIN.first("filter: ENOSYS").says(expect![[r#"
        nstest[seccomp]: create the test's namespaces: clone(CLONE_NEWUSER|…): ENOSYS
          cause: a seccomp filter answers this system call with ENOSYS
          help: let the filter pass clone, clone3, unshare, setns, mount and umount2; in a systemd unit that is RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

#[test]
fn filtered_with_a_signal() {
    World::PLAIN.first("filter: kill").says(expect![[r#"
        nstest[seccomp-kill]: create the test's namespaces: clone(CLONE_NEWUSER|…): SIGSYS
          cause: a seccomp filter kills the process that makes this system call (SIGSYS)
          help: let the filter pass clone, clone3, unshare, setns, mount and umount2; in a systemd unit that is RestrictNamespaces=no and SystemCallFilter=@system-service @mount"#]]);
}

#[test]
fn root_without_setfcap() {
    // Inside a user namespace of root's own making, so that it is the same as any user.
    World::PLAIN
        .within("unshare -Ur")
        .within("setpriv --bounding-set=-setfcap --inh-caps=-setfcap")
        .attempts("uid_map")
        .says(expect![[r#"
            nstest[setfcap]: map the test's user id: write("/proc/self/uid_map"): EPERM
              cause: this process is root without the capability CAP_SETFCAP, and so may not map user id 0 into a new user namespace
              help: run the tests as an ordinary user, or keep CAP_SETFCAP"#]]);
}

#[test]
fn with_a_masked_proc() {
    World::PLAIN
        .within("unshare -Urm")
        .after("mount --bind /dev/null /proc/version")
        .within("unshare -Ump --map-root-user --fork")
        .attempts("mount /proc")
        .says(expect![[r#"
            nstest[proc-masked]: mount a fresh /proc: mount("proc", "/proc", …): EPERM
              cause: /proc is partly hidden by what is mounted on /proc/version, and the kernel lets nobody mount a fresh one that would show more
              help: run the tests where /proc and /sys are whole and writable; what is mounted there:
                findmnt -R /proc; findmnt -R /sys"#]]);
}

#[test]
fn with_read_only_sysctls() {
    World::PLAIN
        .within("unshare -Urmn")
        .after("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
        .attempts("sysctl")
        .says(expect![[r#"
            nstest[proc-sys-read-only]: set net.ipv4.ip_forward: open("/proc/sys/net/ipv4/ip_forward"): EROFS
              cause: /proc/sys is mounted read-only
              help: run the tests where /proc and /sys are whole and writable; what is mounted there:
                findmnt -R /proc; findmnt -R /sys"#]]);
}

#[test]
fn without_proc() {
    World::PLAIN
        .within("unshare -Urm")
        .after("mount -t tmpfs none /proc")
        .attempts("setgroups")
        .says(expect![[r#"
            nstest[no-proc]: forbid setgroups: open("/proc/self/setgroups"): ENOENT
              cause: no procfs that shows this process is mounted on /proc
              help: sudo mount -t proc proc /proc"#]]);
}
