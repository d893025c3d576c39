//! What a test is started from: binaries that are deleted, private homes, stale or large
//! environments, inline mode.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use expect_test::expect;
use nstest::{netns, netns_test};
use nstest_tests::directory::Directory;
use nstest_tests::driver::Run;
use nstest_tests::{executable, marks, raw};

#[netns_test]
#[ignore = "fixture of another test"]
fn a_waits() {
    marks::set("ready");
    marks::wait("go");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn b_passes() {}

/// A directory with these rights, and a copy of this test binary in it.
fn with_binary(name: &str, mode: u32) -> (Directory, PathBuf) {
    let directory = Directory::new(name);
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(directory.path(), mode).unwrap();
    let copy = executable::copy_of_this(directory.path().join("runner"));
    (directory, copy)
}

/// As when a build replaces the binary while tests run.
#[test]
fn a_binary_that_is_deleted_or_replaced_runs_all_tests() {
    for replaced in [false, true] {
        let name = if replaced { "replaced" } else { "deleted" };
        let (_directory, binary) = with_binary(name, 0o755);
        let mut command = Command::new(&binary);
        command.args(["--ignored", "--exact", "--test-threads=1"]);
        command.args(["environment::a_waits", "environment::b_passes"]);
        let running = Run::in_front(command).start();
        running.wait_for("ready");
        std::fs::remove_file(&binary).unwrap();
        if replaced {
            std::fs::write(&binary, "#!/bin/false\n").unwrap();
        }
        running.set("go");
        let outcome = running.end();
        assert_eq!(
            outcome.shown(),
            "test environment::a_waits ... ok\ntest environment::b_passes ... ok\n"
        );
    }
}

/// Real root can read every home (`sudo cargo test`), and so can its tests. An ordinary
/// user can read its own, and so can its tests as root of their namespace.
#[test]
fn a_private_home_can_be_read() {
    let (home, binary) = with_binary("home", 0o700);
    if nstest_tests::machine_root() {
        let nobody = nix::unistd::Uid::from_raw(65534);
        nix::unistd::chown(home.path(), Some(nobody), None).unwrap();
    }
    std::fs::write(home.path().join("secret"), "kept").unwrap();
    let mut command = Command::new(&binary);
    command.args(["--ignored", "--exact", "environment::reads_home"]).current_dir(home.path());
    let outcome = Run::in_front(command).env("HOME", home.path()).run();
    expect![[r#"
        test environment::reads_home ... ok
    "#]]
    .assert_eq(&outcome.shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn reads_home() {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    assert_eq!(std::fs::read_to_string(home.join("secret")).unwrap(), "kept");
    assert_eq!(std::env::current_dir().unwrap(), home);
}

#[test]
fn a_stale_or_forged_environment_is_refused() {
    let with =
        |value: &str| Run::of(&["environment::b_passes"]).env("NSTEST_BODY", value).run().shown();
    expect![[r#"
        test environment::b_passes ... FAILED

        ---- environment::b_passes stdout ----
        nstest[stale-environment]: run a test with NSTEST_BODY=7:42:8:environment::b_passes in the environment
          cause: the variable is private to nstest, and this value was made for another process
          help: unset NSTEST_BODY. If you did not set it, the test binary runs under a program that starts it in its own way (an emulator, a wrapper): see the page on limits
    "#]].assert_eq(&with("7:42:8:environment::b_passes"));
    // The driver's own standard error is no pipe of a parent either.
    for forged in ["", "x", "2:0:2:environment::b_passes", "-1:0:0:a"] {
        let shown = with(forged);
        assert!(shown.contains("nstest[stale-environment]"), "{forged}: {shown}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn sees_its_environment() {
    let odd = std::env::var_os("NSTESTS_ODD").unwrap();
    assert_eq!(odd.as_bytes(), b"\xff=\xfe\n");
    let ours = std::env::vars_os().find(|(name, _)| name.as_bytes().starts_with(b"NSTEST_"));
    assert_eq!(ours, None);
}

#[netns]
fn below_a_large_environment() {}

#[test]
#[ignore = "fixture of another test"]
fn makes_its_environment_large() {
    // The kernel takes no string of 128 KiB or more: execve(2), MAX_ARG_STRLEN.
    raw::set_variable("NSTESTS_LARGE", &"x".repeat(1 << 20));
    below_a_large_environment();
}

#[test]
fn invalid_utf8_in_variables_is_kept_and_a_large_environment_is_refused() {
    let odd = OsStr::from_bytes(b"\xff=\xfe\n");
    let outcome = Run::of(&["environment::sees_its_environment"]).env("NSTESTS_ODD", odd).run();
    expect![[r#"
        test environment::sees_its_environment ... ok
    "#]]
    .assert_eq(&outcome.shown());
    let large = Run::of(&["environment::makes_its_environment_large"]).run();
    expect![[r#"
        test environment::makes_its_environment_large ... FAILED

        ---- environment::makes_its_environment_large stdout ----
        nstest[env-too-big]: start the test binary again: execve: E2BIG
          cause: the environment is too big for a new process: one variable can have 128 KiB, all variables and arguments together a quarter of the stack limit (execve(2))
          help: find the big variables and unset them for the tests:
            env -0 | awk -v RS='\0' -F= '{ print length($0), $1 }' | sort -n | tail -3
    "#]].assert_eq(&large.shown());
}

/// `NSTEST_INLINE`: for debuggers, in this process, under `unshare -Urn`.
#[test]
fn inline_mode_has_no_process_of_its_own() {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]);
    let fixtures = ["environment::inline_binds", "environment::inline_fails"];
    let run = Run::under(command, &fixtures).args(["--test-threads=1", "--nocapture"]);
    let running = run.env("NSTEST_INLINE", "1").start();
    let pid = running.pid();
    let shown = running.end().shown();
    expect![[r#"
        test environment::inline_binds ... pid of the runner
        ok
        test environment::inline_fails ... 
        thread 'environment::inline_fails' (TID) panicked at tests/runner/environment.rs:LINE:COLUMN:
        here
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        FAILED
    "#]].assert_eq(&shown.replace(&format!("pid {pid}"), "pid of the runner"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn inline_binds() {
    println!("pid {}", std::process::id());
    let _bound = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn inline_fails() {
    panic!("here");
}

#[test]
fn inline_mode_without_rights_is_refused() {
    let mut command = Command::new("setpriv");
    if nix::unistd::geteuid().is_root() {
        command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    }
    let run = Run::under(command, &["environment::inline_binds"]);
    let outcome = run.env("NSTEST_INLINE", "1").run();
    expect![[r#"
        test environment::inline_binds ... FAILED

        ---- environment::inline_binds stdout ----
        nstest[inline]: make a network namespace in the test binary's own process: unshare
          cause: EPERM: Operation not permitted
          help: start the test binary with `unshare -Urn`, which gives it the rights; or unset NSTEST_INLINE
    "#]].assert_eq(&outcome.shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn enters() {
    nstest::enter().unwrap();
    println!("once");
}

#[test]
fn a_test_is_entered_already() {
    let outcome = Run::of(&["environment::enters"]).args(["--show-output"]).run();
    expect![[r#"
        test environment::enters ... ok

        successes:

        ---- environment::enters stdout ----
        once

        successes:
            environment::enters
    "#]]
    .assert_eq(&outcome.shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn shares_its_etc() {
    let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for path in ["/etc/hosts", "/etc/resolv.conf", "/run/netns", "/run/nstest/tmp"] {
        println!("{path}: {:o}", mode(path));
    }
}

/// Servers drop root's rights, and must be able to read what replaces the machine's.
#[test]
fn the_umask_does_not_hide_what_a_test_gets() {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && exec \"$0\" \"$@\""]);
    let run = Run::under(command, &["environment::shares_its_etc"]).args(["--show-output"]);
    expect![[r#"
        test environment::shares_its_etc ... ok

        successes:

        ---- environment::shares_its_etc stdout ----
        /etc/hosts: 644
        /etc/resolv.conf: 644
        /run/netns: 755
        /run/nstest/tmp: 1777

        successes:
            environment::shares_its_etc
    "#]]
    .assert_eq(&run.run().shown());
}
