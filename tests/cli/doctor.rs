//! `nstest doctor`, on this machine and in worlds that refuse something.
//!
//! `unshare`, limits and seccomp filters make the worlds. Nothing outside of them changes.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;
use nstest_tests::{machine_root, raw};
use serde_json::Value;

use crate::command::{Ended, nstest};

const USABLE: &str = "nstest doctor: this machine can run nstest's tests.\n";
/// What helps against a filter.
const FILTER: &[&str] = &["allow ", "seccomp=unconfined", "seccompProfile"];
/// What helps against mounts below /proc.
const PATHS: &[&str] =
    &["findmnt", "run the tests where /proc", "systempaths=", "unmask=", "procMount"];
const UNUSABLE: &str = "nstest doctor: this machine cannot run nstest's tests.\n";

/// A world, and the doctor in it.
struct Refusing(Vec<String>);

impl Refusing {
    /// What a command creates, which executes its arguments there.
    fn within(command: &str) -> Self {
        Self(command.split_whitespace().map(str::to_owned).collect())
    }

    /// After a script of sh has run there.
    fn after(mut self, script: &str) -> Self {
        let script = format!(r#"set -e; {script}; exec "$0" "$@""#);
        self.0.extend(["sh", "-c", &script].map(str::to_owned));
        self
    }

    fn command(self, arguments: &[&str]) -> Command {
        let doctor = nstest(arguments);
        let mut words = self.0.into_iter();
        let mut command = Command::new(words.next().expect("a command"));
        command.args(words).arg(doctor.get_program()).args(doctor.get_args());
        command
    }

    fn doctor(self) -> Ended {
        Ended::of(self.command(&["doctor"]))
    }
}

/// The doctor with a seccomp filter.
fn filtered(filter: impl Fn(&mut Command)) -> Ended {
    let mut command = nstest(&["doctor"]);
    filter(&mut command);
    Ended::of(command)
}

fn without_call(call: libc::c_long, errno: i32, argument: Option<(u32, i32)>) -> Ended {
    filtered(|command| raw::refuse_in(command, call, errno, argument))
}

impl Ended {
    /// Checks that it names this first: the code, the cause and the remedy, of which there is one
    /// for each container runtime.
    #[track_caller]
    fn names(&self, code: &str, cause: &str, help: &[&str]) -> &Self {
        let first = self.stdout.split("\n\n").next().unwrap_or_default();
        let lines: Vec<&str> = first.lines().collect();
        let begins = |line: usize, with: &str, has: &str| {
            lines.get(line).is_some_and(|line| line.starts_with(with) && line.contains(has))
        };
        let named = begins(0, "1. ", &format!("[{code}]"))
            && begins(1, "   cause: ", cause)
            && help.iter().any(|help| begins(2, "   help:  ", help));
        assert!(named, "{code}, {cause}, {help:?}:\n{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn is_unusable(&self) {
        assert!(self.stdout.ends_with(UNUSABLE), "{}{}", self.stdout, self.stderr);
        assert_eq!((self.status, self.stderr.as_str()), (Some(1), ""));
    }

    /// Usable, except for this.
    #[track_caller]
    fn lacks(&self, what: &str) {
        let verdict = format!("\n\n{}, except for: {what}.\n", USABLE.trim_end_matches(".\n"));
        assert!(self.stdout.ends_with(&verdict), "{verdict}{}{}", self.stdout, self.stderr);
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn this_machine_is_usable_and_little_is_said() {
    let begin = Instant::now();
    let ended = Ended::of(nstest(&["doctor"]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.ends_with(USABLE), "{ended:?}");
    // It takes a tenth of a second.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn all_checks_are_listed() {
    let ended = Ended::of(nstest(&["doctor", "-v"]));
    for line in ["ok        user namespaces", "ok        packet sockets", "ok        NAT"] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    assert!(ended.stdout.contains(USABLE), "{}", ended.stdout);
}

/// docs/src/doctor.md lists all names and fields.
#[test]
fn the_report_for_programs_is_documented() {
    let ended = Ended::of(nstest(&["doctor", "--json"]));
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((&report["version"], &report["usable"]), (&1.into(), &true.into()), "{report}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/doctor.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let documented = |name: &str| assert!(page.contains(&format!("| `{name}` |")), "{name}");
    report.as_object().expect("an object").keys().for_each(|name| documented(name));
    for check in report["checks"].as_array().expect("a list") {
        check.as_object().expect("an object").keys().for_each(|name| documented(name));
        documented(check["name"].as_str().expect("a name"));
        documented(check["need"].as_str().expect("a need"));
        documented(check["status"].as_str().expect("a status"));
    }
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [&["doctor", "now"][..], &["doctor", "--xml"], &["doctor", "-v", "--json"]] {
        Ended::of(nstest(arguments)).is_refused();
    }
}

#[test]
fn a_limit_of_namespaces_at_zero() {
    for (kind, code) in [
        ("user", "userns-limit"),
        ("net", "netns-limit"),
        ("pid", "namespace-limit"),
        ("mnt", "namespace-limit"),
        ("uts", "namespace-limit"),
        ("ipc", "namespace-limit"),
    ] {
        let setting = format!("user.max_{kind}_namespaces");
        let script = format!("echo 0 >/proc/sys/user/max_{kind}_namespaces");
        let help = format!("sysctl -w {setting}=28633");
        Refusing::within("unshare -Ur")
            .after(&script)
            .doctor()
            .names(code, &format!("namespaces ({setting} = 0)"), &[&help])
            .is_unusable();
    }
}

#[test]
fn a_filter_that_refuses_clone() {
    for (errno, name) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS")] {
        filtered(|command| raw::refuse_namespaces_in(command, Some(errno)))
            .names(
                "seccomp",
                &format!("a seccomp filter answers this system call with {name}"),
                FILTER,
            )
            .is_unusable();
    }
    filtered(|command| raw::refuse_namespaces_in(command, None))
        .names("seccomp-kill", "(SIGSYS)", FILTER)
        .is_unusable();
}

#[test]
fn a_filter_that_refuses_mount() {
    without_call(libc::SYS_mount, libc::EPERM, None)
        .names("seccomp", "a seccomp filter answers this system call with EPERM", FILTER)
        .is_unusable();
}

/// As Podman's default profile does.
#[test]
fn a_filter_that_refuses_the_hostname() {
    without_call(libc::SYS_sethostname, libc::EPERM, None)
        .names("seccomp", "which seems to answer this system call with EPERM", FILTER)
        .is_unusable();
}

#[test]
fn a_filter_that_refuses_netlink() {
    without_call(libc::SYS_socket, libc::EPERM, Some((0, libc::AF_NETLINK)))
        .names("seccomp", "a seccomp filter", FILTER)
        .is_unusable();
    without_call(libc::SYS_socket, libc::EPERM, Some((2, libc::NETLINK_NETFILTER)))
        .names("seccomp", "a seccomp filter", FILTER)
        .lacks("NAT and firewalls of routers");
    without_call(libc::SYS_socket, libc::EPROTONOSUPPORT, Some((2, libc::NETLINK_NETFILTER)))
        .names("netlink", "EPROTONOSUPPORT", &["sudo modprobe -a nfnetlink nf_tables"])
        .lacks("NAT and firewalls of routers");
}

#[test]
fn a_filter_that_refuses_packet_sockets() {
    without_call(libc::SYS_socket, libc::EPERM, Some((0, libc::AF_PACKET)))
        .names("seccomp", "a seccomp filter", FILTER)
        .is_unusable();
}

#[test]
fn a_masked_proc() {
    Refusing::within("unshare -Urm")
        .after("mount --bind /dev/null /proc/version")
        .doctor()
        .names("proc-masked", "/proc is partly hidden by mounts on /proc/version", PATHS)
        .lacks("a /proc that hides the machine's processes");
}

#[test]
fn a_read_only_proc_sys() {
    let ended = Refusing::within("unshare -Urmn")
        .after("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
        .doctor();
    ended
        .names("proc-masked", "/proc is partly hidden by mounts on /proc/sys", PATHS)
        .lacks("a /proc that hides the machine's processes, network settings of nodes");
}

#[test]
fn a_read_only_sys_is_no_obstacle() {
    let ended = Refusing::within("unshare -Urm")
        .after("mount --rbind /sys /sys; mount -o remount,bind,ro /sys")
        .doctor();
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn no_ipv6() {
    without_call(libc::SYS_socket, libc::EAFNOSUPPORT, Some((0, libc::AF_INET6)))
        .names("sysctl", "socket(AF_INET6)", &["allow socket(AF_INET6)"])
        .lacks("IPv6");
}

#[test]
fn no_device_for_tunnels() {
    let ended = Refusing::within("unshare -Urm").after("mount -t tmpfs none /dev/net").doctor();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said = "Optional, and missing: programs with TUN devices";
    assert!(ended.stdout.starts_with(said), "{}", ended.stdout);
    assert!(ended.stdout.ends_with(USABLE), "{}", ended.stdout);
    assert!(ended.stdout.contains("   cause: /dev/net/tun does not exist"), "{}", ended.stdout);
    assert!(ended.stdout.contains("   help:  sudo modprobe tun    # in a"), "{}", ended.stdout);
}

/// As in a sandbox without devices.
#[test]
fn no_null_device() {
    Refusing::within("unshare -Urm")
        .after("mount -t tmpfs none /dev")
        .doctor()
        .names(
            "setup",
            "cannot open the device /dev/null",
            &["run the tests where /dev has the usual"],
        )
        .is_unusable();
}

#[test]
fn hidden_processes_are_no_obstacle() {
    let hidden =
        || Refusing::within("unshare -Urmpf").after("mount -t proc -o hidepid=2 proc /proc");
    let ended = hidden().doctor();
    assert!(ended.status == Some(0) && ended.stdout.ends_with(USABLE), "{ended:?}");
    let ended = Ended::of(hidden().command(&["doctor", "-v"]));
    assert!(ended.stdout.contains("/proc of the machine: hidepid="), "{}", ended.stdout);
}

#[test]
fn few_descriptors() {
    let limited = |arguments: &[&str], limit: u32| {
        Ended::of(Refusing::within("env").after(&format!("ulimit -n {limit}")).command(arguments))
    };
    limited(&["doctor"], 64)
        .names(
            "open-files",
            "64 open files (RLIMIT_NOFILE): enough for 15 nodes",
            &["ulimit -n 4096"],
        )
        .lacks("networks of many nodes");
    // And they can be made.
    let ended = limited(&["run", "--peers", "15", "--", "true"], 64);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    limited(&["doctor"], 6).names("open-files", "RLIMIT_NOFILE", &["ulimit -n 4096"]).is_unusable();
}

#[test]
fn nobodys_id() {
    Refusing::within("unshare -U")
        .doctor()
        .names(
            "unmapped-id",
            "the user id of this process is not mapped",
            &["unshare --user --map-current-user"],
        )
        .is_unusable();
}

#[test]
fn no_proc() {
    Refusing::within("unshare -Urm")
        .after("mount -t tmpfs none /proc")
        .doctor()
        .names("no-proc", "no procfs", &["sudo mount -t proc proc /proc"])
        .is_unusable();
}

/// What `nstest run` starts is in a world already, and the doctor makes one of its own there.
#[test]
fn within_a_test() {
    let doctor = nstest(&["run", "--", env!("CARGO_BIN_EXE_nstest-command"), "doctor"]);
    let ended = Ended::of(doctor);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    // A test that root has started has mounts below /proc.
    let is_exception = ended.stdout.contains("except for: a /proc that hides");
    assert_eq!(is_exception, machine_root(), "{ended:?}");
}
