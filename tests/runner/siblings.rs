//! Other code in the same process does not affect a test.
//!
//! The fixtures share one process, which runs them in alphabetical order.

use std::net::TcpListener;
use std::os::fd::AsFd;

use expect_test::expect;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::wait::wait;
use nstest::netns_test;
use nstest_tests::driver::Run;
use nstest_tests::raw;

#[netns_test]
#[ignore = "fixture of another test"]
fn b_passes() {
    let status = std::process::Command::new("true").status().unwrap();
    assert!(status.success());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn c_fails() {
    panic!("as it should");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn d_aborts() {
    std::process::abort();
}

/// After a sibling that passes, each of them ends as it does without one.
#[track_caller]
fn are_unaffected_by(sibling: &str) {
    let fixtures = [sibling, "siblings::b_passes", "siblings::c_fails", "siblings::d_aborts"];
    let shown = Run::of(&fixtures).args(["--test-threads=1"]).run().shown();
    let Some(rest) = shown.strip_prefix(&format!("test {sibling} ... ok\n")) else {
        panic!("{sibling} has not passed: {shown}");
    };
    expect![[r#"
        test siblings::b_passes ... ok
        test siblings::c_fails ... FAILED
        test siblings::d_aborts ... FAILED

        ---- siblings::c_fails stdout ----

        thread 'siblings::c_fails' (TID) panicked at tests/runner/siblings.rs:LINE:COLUMN:
        as it should
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

        ---- siblings::d_aborts stdout ----
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test ended
          help: abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above
    "#]].assert_eq(rest);
}

#[test]
#[ignore = "fixture of another test"]
fn a_ignores_children() {
    raw::ignore_children();
}

#[test]
fn a_sibling_may_ignore_sigchld() {
    are_unaffected_by("siblings::a_ignores_children");
}

#[test]
#[ignore = "fixture of another test"]
fn a_waits_for_any_child() {
    std::thread::spawn(|| {
        loop {
            if wait().is_err() {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_sibling_may_wait_for_any_child() {
    are_unaffected_by("siblings::a_waits_for_any_child");
}

#[test]
#[ignore = "fixture of another test"]
fn a_leaks_a_listener() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    fcntl(listener.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    std::mem::forget(listener);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn b_sees_no_socket_of_it() {
    let mut seen = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        seen.push(target.to_string_lossy().into_owned());
    }
    // The one by which nstest hands over the record.
    let sockets = seen.iter().filter(|target| target.starts_with("socket:")).count();
    assert_eq!(sockets, 1, "{seen:?}");
}

#[test]
fn a_listener_leaked_by_a_sibling_is_closed() {
    let fixtures = ["siblings::a_leaks_a_listener", "siblings::b_sees_no_socket_of_it"];
    let outcome = Run::of(&fixtures).args(["--test-threads=1"]).run();
    expect![[r#"
        test siblings::a_leaks_a_listener ... ok
        test siblings::b_sees_no_socket_of_it ... ok
    "#]]
    .assert_eq(&outcome.shown());
}
