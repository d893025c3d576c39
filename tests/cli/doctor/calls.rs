//! Worlds with a filter that refuses one kind of call, or kills the process that makes it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::libc;
use nstest_tests::directory::Directory;
use nstest_tests::{executable, machine_root, raw};

use super::{FILTER, World};
use crate::command::nstest;

/// As systemd's RestrictAddressFamilies= does. The doctor and a program of nstest say the same.
#[test]
fn a_filter_that_allows_no_such_family() {
    for (family, name) in [
        (libc::AF_NETLINK, "AF_NETLINK"),
        (libc::AF_PACKET, "AF_PACKET"),
        (libc::AF_INET6, "AF_INET6"),
        (libc::AF_INET, "AF_INET"),
    ] {
        let world = World::without_call(libc::SYS_socket, libc::EAFNOSUPPORT, Some((0, family)));
        let cause = format!("such as that of systemd's RestrictAddressFamilies=, allows no {name}");
        let ended = world.doctor();
        ended.names("seccomp", &cause, FILTER);
        assert!(!ended.stdout.contains("\n2. "), "{ended:?}");
        let run = world.nstest(&["run", "--peers=2", "--condition=delay 1ms", "--", "true"]);
        // Without IPv6, the nodes have only IPv4.
        let end = if name == "AF_INET6" { "; help: " } else { "\n  help: " };
        let remedy = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET";
        for said in [format!("{cause}{end}"), remedy.to_owned()] {
            assert!(run.stderr.contains(&said), "{said}: {run:?}");
        }
    }
}

/// The verdict says exactly what does not work.
#[test]
fn a_filter_that_refuses_what_only_faults_need() {
    let socket = Some((0, libc::AF_PACKET));
    let of_packets = Some((1, libc::SOL_PACKET));
    let checksums = Some((1, 0x8946)); // SIOCETHTOOL
    for (call, argument) in [
        (libc::SYS_socket, socket),
        (libc::SYS_setsockopt, of_packets),
        (libc::SYS_ioctl, checksums),
    ] {
        let ended = World::without_call(call, libc::EPERM, argument).doctor();
        ended.names("seccomp", "a seccomp filter", FILTER).lacks_faults();
    }
}

/// A condition of `nstest run` does not need it.
#[test]
fn a_filter_that_refuses_what_code_in_nodes_needs() {
    let flags = libc::CLONE_FS | libc::CLONE_NEWNS | libc::CLONE_NEWUTS;
    let world = World::without_call(libc::SYS_unshare, libc::EPERM, Some((0, flags)));
    world.doctor().names("seccomp", "a seccomp filter", FILTER).lacks("code in nodes");
}

/// The doctor and the program name the same call.
#[test]
fn a_filter_that_refuses_what_programs_without_root_need() {
    for (call, argument, name) in [
        (libc::SYS_prctl, Some((0, libc::PR_CAP_AMBIENT)), "prctl(PR_CAP_AMBIENT)"),
        (libc::SYS_capset, None, "capset"),
    ] {
        let world = World::without_call(call, libc::EPERM, argument);
        let ended = world.doctor();
        ended.names("seccomp", "a seccomp filter", FILTER);
        ended.lacks("tests that are not root (`root = false`, `--no-root`)");
        let what = format!("keep the rights over the test's own network: {name}: EPERM");
        ended.begins_with(&format!("1. {what}  ["));
        let run = world.nstest(&["run", "--no-root", "--", "true"]);
        assert_eq!(run.status, Some(125), "{run:?}");
        assert!(run.stderr.contains(&what), "{what}: {run:?}");
    }
}

/// As Docker's default profile did before 20.10.10: the C library starts neither a thread nor a
/// process then, and `nstest run` alone needs none of it.
#[test]
fn a_filter_that_refuses_clone3() {
    let world = World::without_call(libc::SYS_clone3, libc::EPERM, None);
    let cause = "a seccomp filter answers clone3 with EPERM in place of ENOSYS";
    let ended = world.doctor();
    ended.names("seccomp", cause, &["allow clone3", "update Docker", "update containerd"]);
    assert!(!ended.stdout.contains("\n2. "), "{ended:?}");
    let only = match machine_root() {
        true => "without nodes and faults",
        false => "without faults",
    };
    let verdict = format!("cannot run nstest's tests, only `nstest run` {only}.\n");
    assert!(ended.stdout.ends_with(&verdict), "{ended:?}");
    let run = world.nstest(&["run", "--peers=2", "--condition=delay 1ms", "--", "true"]);
    assert!(run.stderr.contains(cause), "{run:?}");
    // The C library has another way.
    World::without_call(libc::SYS_clone3, libc::ENOSYS, None).doctor().is_fine();
}

/// The machine refuses what comes before the exec of a program: the program is not to blame.
#[test]
fn a_filter_that_refuses_what_starts_a_program() {
    let world = World::without_call(libc::SYS_socketpair, libc::EPERM, None);
    world.doctor().names("seccomp", "a seccomp filter", FILTER);
    let run = world.nstest(&["run", "--peers=2", "--", "true"]);
    assert_eq!(run.status, Some(125), "{run:?}");
    for said in ["nstest[seccomp]: ", "cause: ", "help: "] {
        assert!(run.stderr.contains(said), "{said}: {run:?}");
    }
}

/// A program that its user may only execute is not dumpable.
#[test]
fn a_program_that_its_user_cannot_read() {
    let directory = Directory::new("cli-unreadable");
    let ours = nstest(&[]);
    let program = executable::copy(ours.get_program(), directory.path().join("nstest"));
    fs::set_permissions(&program, Permissions::from_mode(0o111)).expect("chmod");
    // setpriv itself can read it, until its exec.
    let user = match machine_root() {
        true => "setpriv --reuid=54323 --regid=54323 --clear-groups env",
        false => "env",
    };
    let remedy = format!("sudo chmod a+r {}", program.display());
    is_not_dumpable(user, &program, "and not read it", &remedy);
}

/// Root may have another effective user id, as a program with the mode bit S_ISUID has.
#[test]
fn a_process_with_two_user_ids() {
    if machine_root() {
        let program = nstest(&[]).get_program().to_owned();
        let cause = "the real and the effective user or group id of this process differ";
        is_not_dumpable("setpriv --euid=54323", program.as_ref(), cause, "setpriv --reuid=ID");
    }
}

/// The doctor and a run have the same cause and the same remedy.
#[track_caller]
fn is_not_dumpable(user: &str, program: &Path, cause: &str, remedy: &str) {
    let ended = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments);
        World::within(user).run(command)
    };
    let doctor = ended(&["doctor"]);
    doctor.names("not-dumpable", cause, &[remedy]).is_unusable();
    let run = ended(&["run", "--", "true"]);
    assert_eq!(run.status, Some(125), "{run:?}");
    for said in ["nstest[not-dumpable]: ", cause, remedy] {
        assert!(run.stderr.contains(said), "{said}: {run:?}");
    }
}

/// As systemd's SystemCallFilter= does. These calls make `nstest run`, and not the tests.
#[test]
fn a_filter_that_kills() {
    for call in [libc::SYS_waitid, libc::SYS_signalfd4] {
        let world = World::filtered(move |command| raw::kill_in(command, call));
        world.doctor().names("seccomp-kill", "(SIGSYS)", FILTER).is_unusable();
    }
    // Only a program without nodes is started by init, which makes this call.
    let world = World::filtered(|command| raw::kill_in(command, libc::SYS_close_range));
    world.nstest(&["doctor"]).names("seccomp-kill", "(SIGSYS)", FILTER).is_unusable();
    let run = world.nstest(&["run", "--", "true"]);
    let is_named = run.status == Some(125) && run.stderr.starts_with("nstest[seccomp-kill]: ");
    assert!(is_named && run.stderr.contains("help: "), "{run:?}");
}
