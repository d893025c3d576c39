//! `nstest doctor`, on this machine and in worlds that refuse something.
//!
//! `unshare`, limits and seccomp filters make the worlds. Nothing outside of them changes.

mod calls;
mod limits;
mod paths;
mod settings;
mod world;

use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;
use nstest::{TestResult, netns_test};
use nstest_tests::{machine_root, raw};
use serde_json::Value;

pub(crate) use self::world::World;
use crate::command::{Ended, nstest};

/// What helps against a filter.
const FILTER: &[&str] = &["allow ", "seccomp=unconfined", "seccompProfile"];
/// What helps against mounts below /proc.
const PATHS: &[&str] =
    &["findmnt", "run nstest where /proc", "systempaths=", "unmask=", "procMount"];

#[test]
fn this_machine_is_usable_and_little_is_said() {
    let begin = Instant::now();
    World::default().doctor().is_fine();
    // It takes a tenth of a second.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn all_checks_are_listed() {
    let ended = Ended::of(nstest(&["doctor", "-v"]));
    for line in ["ok        user namespaces", "ok        packet sockets", "ok        NAT"] {
        assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
    }
    let verdict = "\n\nnstest doctor: this machine can run nstest's tests.\n";
    assert!(ended.stdout.ends_with(verdict), "{}", ended.stdout);
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
fn a_filter_that_refuses_clone() {
    for (errno, name) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS")] {
        World::filtered(move |command| raw::refuse_namespaces_in(command, Some(errno)))
            .doctor()
            .names(
                "seccomp",
                &format!("a seccomp filter answers this system call with {name}"),
                FILTER,
            )
            .is_unusable();
    }
    World::filtered(|command| raw::refuse_namespaces_in(command, None))
        .doctor()
        .names("seccomp-kill", "(SIGSYS)", FILTER)
        .is_unusable();
}

#[test]
fn a_filter_that_refuses_mount() {
    World::without_call(libc::SYS_mount, libc::EPERM, None)
        .doctor()
        .names("seccomp", "a seccomp filter answers this system call with EPERM", FILTER)
        .is_unusable();
}

/// As Podman's default profile does.
#[test]
fn a_filter_that_refuses_the_hostname() {
    World::without_call(libc::SYS_sethostname, libc::EPERM, None)
        .doctor()
        .names("seccomp", "which seems to answer this system call with EPERM", FILTER)
        .is_unusable();
}

#[test]
fn a_filter_that_refuses_netlink() {
    World::without_call(libc::SYS_socket, libc::EPERM, Some((0, libc::AF_NETLINK)))
        .doctor()
        .names("seccomp", "a seccomp filter", FILTER)
        .lacks_nodes();
    World::without_call(libc::SYS_socket, libc::EPERM, Some((2, libc::NETLINK_NETFILTER)))
        .doctor()
        .names("seccomp", "a seccomp filter", FILTER)
        .lacks("NAT and firewalls of routers");
    World::without_call(
        libc::SYS_socket,
        libc::EPROTONOSUPPORT,
        Some((2, libc::NETLINK_NETFILTER)),
    )
    .doctor()
    .names("netlink", "EPROTONOSUPPORT", &["sudo modprobe -a nfnetlink nf_tables"])
    .lacks("NAT and firewalls of routers");
}

#[test]
fn a_filter_that_refuses_packet_sockets() {
    World::without_call(libc::SYS_socket, libc::EPERM, Some((0, libc::AF_PACKET)))
        .doctor()
        .names("seccomp", "a seccomp filter", FILTER)
        .lacks_faults();
}

/// Whatever call is refused, the filter is named. Nothing else is known of it.
#[test]
fn a_filter_that_refuses_what_a_network_needs() {
    for (call, cut) in [(libc::SYS_ftruncate, "/etc/hosts"), (libc::SYS_sendmsg, "the wire")] {
        let is_fault = cut == "the wire";
        let world = World::without_call(call, libc::EPERM, None);
        let ended = world.doctor();
        let named = ended.names("seccomp", "a seccomp filter", FILTER);
        if is_fault {
            named.lacks_faults();
        } else {
            named.lacks_nodes();
        }
        let run = world.nstest(&["run", "--peers=2", "--condition=delay 1ms", "--", "true"]);
        for said in [cut, "[seccomp]", "\n  help: "] {
            assert!(run.stderr.contains(said), "{said}: {run:?}");
        }
    }
    World::without_call(libc::SYS_bind, libc::EPERM, None).doctor();
}

/// Without them nstest runs, and tests can do less.
#[test]
fn a_filter_that_refuses_what_only_tests_need() {
    for (call, errno, what) in [
        (libc::SYS_accept4, libc::EPERM, "accept4: EPERM"),
        (libc::SYS_connect, libc::EPERM, "connect: EPERM"),
        (libc::SYS_listen, libc::ENOSYS, "listen: ENOSYS"),
    ] {
        let ended = World::without_call(call, errno, None).doctor();
        ended.names("seccomp", "a seccomp filter", FILTER).lacks("TCP connections in tests, IPv6");
        ended.begins_with(&format!("1. connect to 127.0.0.1: {what}  ["));
    }
}

/// The process of a test takes these steps, and a program of `nstest run` does not.
#[test]
fn a_filter_that_refuses_what_programs_do_without() {
    for call in [libc::SYS_setpgid, libc::SYS_close_range] {
        let ended = World::without_call(call, libc::ENOSYS, None).doctor();
        ended.names("seccomp", "a seccomp filter", FILTER);
        let verdict =
            "\nnstest doctor: this machine cannot run nstest's tests, only `nstest run`.\n";
        assert!(ended.stdout.ends_with(verdict), "{ended:?}");
    }
}

/// The call that was refused is the one that is named.
#[test]
fn a_filter_is_named_with_its_call() {
    for (call, errno, argument, what) in [
        (libc::SYS_pipe2, libc::EPERM, None, "make a pipe for a child process: pipe2: EPERM"),
        (
            libc::SYS_setsockopt,
            libc::EPERM,
            None,
            "open the packet socket of the wire: setsockopt: EPERM",
        ),
        (libc::SYS_clone, libc::EINVAL, None, "create the test's namespaces: clone: EINVAL"),
        (
            libc::SYS_unshare,
            libc::EINVAL,
            None,
            "create a network namespace for the fabric: unshare(CLONE_NEWNET): EINVAL",
        ),
    ] {
        let ended = World::without_call(call, errno, argument).doctor();
        ended.names("seccomp", "a seccomp filter", FILTER);
        ended.begins_with(&format!("1. {what}  ["));
    }
    let ended = World::without_call(libc::SYS_sendto, libc::EPERM, None).doctor();
    ended.names("seccomp", "a seccomp filter", FILTER);
    // Only the ids of a test of root are mapped by its parent.
    if machine_root() {
        ended.begins_with("1. answer a request of the child: sendto: EPERM  [");
    }
}

#[test]
fn a_masked_proc() {
    World::within("unshare -Urm")
        .after("mount --bind /dev/null /proc/version")
        .doctor()
        .names("proc-masked", "/proc is partly hidden by mounts on /proc/version", PATHS)
        .lacks("a /proc that hides the machine's processes");
}

/// The doctor finds out in a world of its own, which is not the reason.
#[test]
fn a_masked_sys() {
    World::within("unshare -Urm")
        .after("mount -t tmpfs none /sys/firmware")
        .doctor()
        .names("proc-masked", "/sys is partly hidden by mounts on /sys/firmware, and", PATHS)
        .lacks("a /sys that shows the test's interfaces");
}

#[test]
fn a_hidden_proc_sys() {
    let ended = World::within("unshare -Urm").after("mount -t tmpfs none /proc/sys").doctor();
    ended.names("proc-masked", "/proc is partly hidden by mounts on /proc/sys,", PATHS);
    assert!(ended.stdout.contains("cause: /proc/sys is hidden by a mount (tmpfs)"), "{ended:?}");
}

/// The mounts are nstest's own, so no option of a container helps. Only a test of root has some.
#[test]
fn a_program_of_nstest() {
    let command = nstest(&[]);
    let within = format!("{} run --", command.get_program().to_str().unwrap());
    let ended = World::within(&within).doctor();
    if !machine_root() {
        return ended.is_fine();
    }
    ended
        .names("proc-masked", "/proc is partly hidden by mounts on /proc/sys", &["outside of it"])
        .lacks("a /proc that hides the machine's processes");
}

#[test]
fn a_read_only_proc_sys() {
    let ended = World::within("unshare -Urmn")
        .after("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys")
        .doctor();
    ended
        .names("proc-masked", "/proc is partly hidden by mounts on /proc/sys", PATHS)
        .lacks("a /proc that hides the machine's processes, network settings of nodes");
}

#[test]
fn a_read_only_sys_is_no_obstacle() {
    World::within("unshare -Urm")
        .after("mount --rbind /sys /sys; mount -o remount,bind,ro /sys")
        .doctor()
        .is_fine();
}

/// It is optional: one line has its name, and `-v` has the help.
#[test]
fn no_device_for_tunnels() {
    let world = World::within("unshare -Urm").after("mount -t tmpfs none /dev/net");
    let ended = world.doctor();
    ended.is_fine();
    let said =
        "tests. Optional, and missing: programs with TUN devices, uplinks (`nstest doctor -v` has";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    let ended = world.nstest(&["doctor", "--verbose"]);
    for help in [
        "\n\nOptional, and missing: programs with TUN devices",
        "\n   cause: /dev/net/tun does not exist",
        "\n   help:  sudo modprobe tun    # in a",
    ] {
        assert!(ended.stdout.contains(help), "{help}: {}", ended.stdout);
    }
}

/// As in a sandbox without devices: neither `nstest run` nor a test needs /dev/null.
#[test]
fn no_null_device_is_no_obstacle() {
    let world = World::within("unshare -Urm").after("mount -t tmpfs none /dev");
    world.doctor().is_fine();
    let ended = world.nstest(&["doctor", "--json"]);
    let report: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(report["usable"], true, "{report}");
    let mut test = Command::new(std::env::current_exe().expect("the test binary"));
    test.args(["--exact", "doctor::reads_and_prints", "--include-ignored"]);
    let ended = world.run(test);
    assert!(ended.status == Some(0) && ended.stdout.contains("1 passed"), "{ended:?}");
}

/// As in a sandbox that has only the devices of each program.
#[test]
fn no_terminal_device_is_no_obstacle() {
    World::within("unshare -Urm").after("mount --bind /dev/null /dev/tty").doctor().is_fine();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn reads_and_prints() -> TestResult {
    println!("printed");
    assert_eq!(std::io::read_to_string(std::io::stdin())?, "");
    Ok(())
}

#[test]
fn hidden_processes_are_no_obstacle() {
    let hidden = World::within("unshare -Urmpf").after("mount -t proc -o hidepid=2 proc /proc");
    hidden.doctor().is_fine();
    let ended = hidden.nstest(&["doctor", "-v"]);
    assert!(ended.stdout.contains("/proc of the machine: hidepid="), "{}", ended.stdout);
}

#[test]
fn nobodys_id() {
    World::within("unshare -U")
        .doctor()
        .names(
            "unmapped-id",
            "the user id of this process is not mapped",
            &["unshare --user --map-current-user"],
        )
        .is_unusable();
}

/// Neither before the first child of the shell, which is the init, nor after it.
#[test]
fn children_in_another_pid_namespace() {
    let namespaces = if machine_root() { "unshare -p" } else { "unshare -Urp" };
    let children = World::within(namespaces);
    children
        .doctor()
        .names("no-init", "the children of this process are in another PID", &["unshare -f -p …"])
        .is_unusable();
    let ended = children.nstest(&["run", "--", "true"]);
    assert!(ended.status == Some(125) && ended.stderr.contains("[no-init]"), "{ended:?}");
    let ended = children.after("true & wait").nstest(&["run", "--", "true"]);
    assert!(ended.status == Some(125) && ended.stderr.contains("[no-init]"), "{ended:?}");
}

#[test]
fn no_proc() {
    World::within("unshare -Urm")
        .after("mount -t tmpfs none /proc")
        .doctor()
        .names("no-proc", "no procfs", &["sudo mount -t proc proc /proc"])
        .is_unusable();
}

/// Whether or not /proc is there: with it, nothing else would work.
#[test]
fn a_chroot() {
    for proc in ["mount -t tmpfs none /mnt/proc", "true"] {
        let script = format!(r#"mount --rbind / /mnt; {proc}; exec chroot /mnt "$0" "$@""#);
        let world = World::within("unshare -Urm").after(&script);
        world
            .doctor()
            .names("chroot", "chroot, ", &["enter the tree with pivot_root"])
            .is_unusable();
        assert!(world.nstest(&["run", "--", "true"]).stderr.contains("[chroot]"));
    }
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
