//! A test has passed if it began, reported that it passed, and ended with status 0.

use std::process::ExitCode;

use expect_test::expect;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use nstest::netns_test;
use nstest_tests::driver::{Run, failure, passes_silently, success};
use nstest_tests::raw;

#[netns_test]
#[ignore = "fixture of another test"]
fn passes() {}

#[test]
fn a_pass_is_silent() {
    let fixture = "verdict::passes";
    passes_silently(fixture);
    Run::of(&[fixture]).args(["--nocapture"]).run().passed_silently(fixture);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn asserts() {
    assert_eq!(1 + 1, 3, "arithmetic");
}

const ASSERTS_LINE: u32 = line!() - 3;

#[test]
fn a_panic_is_printed_once_with_its_location() {
    let outcome = Run::of(&["verdict::asserts"]).run();
    expect![[r#"

        thread 'verdict::asserts' (TID) panicked at tests/runner/verdict.rs:LINE:COLUMN:
        assertion `left == right` failed: arithmetic
          left: 2
         right: 3
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&outcome.failure_of("verdict::asserts"));
    assert_eq!(outcome.text().matches("panicked at").count(), 1);
    assert!(outcome.text().contains(&format!("verdict.rs:{ASSERTS_LINE}:5:\n")));
    assert_eq!(outcome.status.code(), Some(101));
    let streamed = Run::of(&["verdict::asserts"]).args(["--nocapture"]).run();
    assert_eq!(streamed.text().matches("panicked at").count(), 1);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn returns_err() -> Result<(), String> {
    Err("no luck".to_owned())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn returns_exit_code() -> ExitCode {
    ExitCode::from(3)
}

#[netns_test]
#[ignore = "fixture of another test"]
async fn returns_test_error() -> nstest::TestResult {
    "x".parse::<u16>()?;
    Ok(())
}

#[test]
fn a_returned_failure_fails() {
    expect![[r#"
        Error: "no luck"
    "#]]
    .assert_eq(&failure("verdict::returns_err"));
    expect![[r#"
        the test returned the exit code 3
    "#]]
    .assert_eq(&failure("verdict::returns_exit_code"));
    expect![[r#"
        Error: invalid digit found in string
          at tests/runner/verdict.rs:LINE:COLUMN
    "#]]
    .assert_eq(&failure("verdict::returns_test_error"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn exits() {
    println!("on the way out");
    std::process::exit(0);
}

#[test]
fn exit_0_is_a_failure() {
    expect![[r#"
        on the way out
        nstest[early-exit]: the test's process exited with status 0 before the test ended
          help: exit, _exit and exec end the test function without a verdict; return from it instead
    "#]]
    .assert_eq(&failure("verdict::exits"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn exits_at_once() {
    raw::exit_now(0);
}

#[test]
fn exit_0_without_handlers_is_a_failure() {
    expect![[r#"
        nstest[early-exit]: the test's process exited with status 0 before the test ended
          help: exit, _exit and exec end the test function without a verdict; return from it instead
    "#]]
    .assert_eq(&failure("verdict::exits_at_once"));
}

/// Comes back twice, and to the parent (`true`) when the child is gone.
fn forks() -> bool {
    let child = raw::fork();
    if child > 0 {
        waitpid(Pid::from_raw(child), None).unwrap();
    }
    child > 0
}

#[netns_test]
#[ignore = "fixture of another test"]
fn forks_and_returns_twice() {
    if forks() {
        println!("the parent is the test");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn forks_and_fails_in_the_parent() {
    if forks() {
        panic!("in the parent");
    }
}

#[test]
fn a_fork_that_returns_twice_gives_one_verdict() {
    expect![[r#"
        nstest: note: the test function returned in a fork of the test's process, too; that result is ignored
        the parent is the test
    "#]]
    .assert_eq(&success("verdict::forks_and_returns_twice"));
    expect![[r#"
        nstest: note: the test function returned in a fork of the test's process, too; that result is ignored

        thread 'verdict::forks_and_fails_in_the_parent' (TID) panicked at tests/runner/verdict.rs:LINE:COLUMN:
        in the parent
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]].assert_eq(&failure("verdict::forks_and_fails_in_the_parent"));
}

fn panics_aside() {
    let thread = std::thread::Builder::new().name("side".into());
    let joined = thread.spawn(|| panic!("aside")).unwrap().join();
    assert!(joined.is_err());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_thread_panics() {
    panics_aside();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_thread_panics_and_then_the_test() {
    panics_aside();
    panic!("the test");
}

/// As under libtest, only the test's own thread decides.
#[test]
fn a_panic_in_a_side_thread_is_shown_and_decides_nothing() {
    expect![[r#"

        thread 'side' (TID) panicked at tests/runner/verdict.rs:LINE:COLUMN:
        aside
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&success("verdict::a_thread_panics"));
    expect![[r#"

        thread 'side' (TID) panicked at tests/runner/verdict.rs:LINE:COLUMN:
        aside
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

        thread 'verdict::a_thread_panics_and_then_the_test' (TID) panicked at tests/runner/verdict.rs:LINE:COLUMN:
        the test
    "#]].assert_eq(&failure("verdict::a_thread_panics_and_then_the_test"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_with_a_number() {
    std::panic::panic_any(42);
}

#[test]
fn a_panic_without_a_text_fails() {
    expect![[r#"

        thread 'verdict::panics_with_a_number' (TID) panicked at tests/runner/verdict.rs:LINE:COLUMN:
        Box<dyn Any>
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]].assert_eq(&failure("verdict::panics_with_a_number"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn aborts_at_exit() {
    raw::abort_at_exit();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn exits_with_7_at_exit() {
    raw::exit_at_exit(7);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_at_exit() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    thread_local!(static PANICS: Panics = const { Panics });
    PANICS.with(|_| {});
}

#[test]
fn a_crash_after_the_pass_fails() {
    let shown = failure("verdict::panics_at_exit");
    assert!(shown.contains("nstest[exit-after-pass]") && shown.contains("SIGABRT"), "{shown}");
    expect![[r#"
        nstest[exit-after-pass]: the test function passed, and then its process was killed by SIGABRT (signal 6)
          help: check what runs after main: atexit handlers, destructors of statics, threads that are still alive
    "#]].assert_eq(&failure("verdict::aborts_at_exit"));
    expect![[r#"
        nstest[exit-after-pass]: the test function passed, and then its process exited with status 7
          help: check what runs after main: atexit handlers, destructors of statics, threads that are still alive
    "#]].assert_eq(&failure("verdict::exits_with_7_at_exit"));
}
