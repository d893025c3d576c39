//! Only a panic of the body satisfies `#[should_panic]`.

use expect_test::expect;
use nstest::netns_test;
use nstest_tests::driver::Run;
use nstest_tests::{marks, raw};

use crate::limits::without_namespaces;

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic(expected = "as expected")]
fn matches() {
    panic!("just as expected");
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn matches_anything() {
    panic!("whatever");
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic(expected = "as expected")]
fn does_not_match() {
    panic!("otherwise");
}

#[test]
fn the_message_is_compared() {
    let outcome = Run::of(&["should_panic::matches", "should_panic::matches_anything"])
        .args(["--test-threads=1"])
        .run();
    expect![[r#"
        test should_panic::matches - should panic ... ok
        test should_panic::matches_anything - should panic ... ok
    "#]]
    .assert_eq(&outcome.shown());
    expect![[r#"
        test should_panic::does_not_match - should panic ... FAILED

        ---- should_panic::does_not_match stdout ----

        thread 'should_panic::does_not_match' (TID) panicked at tests/runner/should_panic.rs:LINE:COLUMN:
        otherwise
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        note: panic did not contain expected string
              panic message: "otherwise"
         expected substring: "as expected"
    "#]].assert_eq(&Run::of(&["should_panic::does_not_match"]).run().shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn aborts() {
    std::process::abort();
}

#[test]
fn an_abort_is_no_panic() {
    expect![[r#"
        test should_panic::aborts - should panic ... FAILED

        ---- should_panic::aborts stdout ----
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test ended
          help: abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above
        note: test did not panic as expected at tests/runner/should_panic.rs:LINE:COLUMN
    "#]].assert_eq(&Run::of(&["should_panic::aborts"]).run().shown());
}

#[netns_test(timeout = "1s")]
#[ignore = "fixture of another test"]
#[should_panic]
fn hangs() {
    marks::hang();
}

#[test]
fn a_timeout_is_no_panic() {
    expect![[r#"
        test should_panic::hangs - should panic ... FAILED

        ---- should_panic::hangs stdout ----
        nstest[timeout]: the test did not end within 1s; it was killed; processes alive then:
          PID 2 (sleeping, 2 threads): BINARY --exact should_panic::hangs --include-ignored --nocapture --test-threads=1 -q
          help: allow more with #[netns_test(timeout = "…")], or for all tests with NSTEST_TIMEOUT=3 (a factor, or `none`)
        note: test did not panic as expected at tests/runner/should_panic.rs:LINE:COLUMN
    "#]].assert_eq(&Run::of(&["should_panic::hangs"]).run().shown());
}

#[test]
fn denied_namespaces_are_no_panic() {
    let outcome = without_namespaces(&["should_panic::matches_anything"]).run();
    expect![[r#"
        test should_panic::matches_anything - should panic ... FAILED

        ---- should_panic::matches_anything stdout ----
        nstest[netns-limit]: create the test's namespaces: clone: ENOSPC
          cause: this machine allows no network namespaces (user.max_net_namespaces = 0)
          help: sysctl -w user.max_net_namespaces=28633    # as root of the user namespace that the tests run in
        note: test did not panic as expected at tests/runner/should_panic.rs:LINE:COLUMN
    "#]].assert_eq(&outcome.shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn exits() {
    std::process::exit(0);
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn returns() {}

#[test]
fn an_exit_is_no_panic() {
    expect![[r#"
        test should_panic::exits - should panic ... FAILED

        ---- should_panic::exits stdout ----
        nstest[early-exit]: the test's process exited with status 0 before the test ended
          help: exit, _exit and exec end the test function without a verdict; return from it instead
        note: test did not panic as expected at tests/runner/should_panic.rs:LINE:COLUMN
    "#]]
    .assert_eq(&Run::of(&["should_panic::exits"]).run().shown());
    expect![[r#"
        test should_panic::returns - should panic ... FAILED

        ---- should_panic::returns stdout ----
        note: test did not panic as expected at tests/runner/should_panic.rs:LINE:COLUMN
    "#]]
    .assert_eq(&Run::of(&["should_panic::returns"]).run().shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn panics_and_aborts_at_exit() {
    raw::abort_at_exit();
    panic!("as expected");
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn panics_and_exits_with_7_at_exit() {
    raw::exit_at_exit(7);
    panic!("as expected");
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic]
fn panics_with_a_number_and_aborts_at_exit() {
    raw::abort_at_exit();
    std::panic::panic_any(42);
}

/// As after a pass.
#[test]
fn a_crash_after_the_panic_fails() {
    for (fixture, end) in [
        ("panics_and_aborts_at_exit", "was killed by SIGABRT (signal 6)"),
        ("panics_and_exits_with_7_at_exit", "exited with status 7"),
        ("panics_with_a_number_and_aborts_at_exit", "was killed by SIGABRT (signal 6)"),
    ] {
        let outcome = Run::of(&[&format!("should_panic::{fixture}")]).run();
        let text = outcome.text();
        let line = format!(
            "nstest[exit-after-pass]: the test function panicked, as it should, and then its process {end}"
        );
        assert!(text.contains(&line), "{text}");
        assert_eq!(outcome.status.code(), Some(101), "{text}");
    }
}
