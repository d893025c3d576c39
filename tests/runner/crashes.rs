//! A crash is named, and what the test printed before is shown.

use expect_test::expect;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, raise};
use nstest::netns_test;
use nstest_tests::driver::failure;
use nstest_tests::raw;

#[netns_test]
#[ignore = "fixture of another test"]
fn aborts() {
    print!("no newline before abort");
    std::process::abort();
}

#[test]
fn abort_is_named() {
    expect![[r#"
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test ended
          help: abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above
    "#]].assert_eq(&failure("crashes::aborts"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn segfaults() {
    raw::write_to_null();
}

#[test]
fn a_segmentation_fault_is_named() {
    expect![[r#"
        nstest[signal]: the test's process was killed by SIGSEGV (signal 11) before the test ended
          help: see the output above, which is what the test printed before
    "#]]
    .assert_eq(&failure("crashes::segfaults"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn overflows_the_stack() {
    fn deeper(n: u64) -> u64 {
        let local = std::hint::black_box([n; 64]);
        if n == u64::MAX { 0 } else { deeper(n + 1) + local[7] }
    }
    println!("{}", deeper(0));
}

#[test]
fn std_reports_a_stack_overflow() {
    expect![[r#"

        thread 'crashes::overflows_the_stack' (TID) has overflowed its stack
        fatal runtime error: stack overflow, aborting
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test ended
          help: abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above
    "#]].assert_eq(&failure("crashes::overflows_the_stack"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn runs_out_of_memory() {
    const LIMIT: usize = 1 << 30;
    setrlimit(Resource::RLIMIT_AS, LIMIT as u64, LIMIT as u64).unwrap();
    std::hint::black_box(Vec::<u8>::with_capacity(2 * LIMIT));
}

#[test]
fn std_reports_a_failed_allocation() {
    expect![[r#"
        memory allocation of 2147483648 bytes failed
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test ended
          help: abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above
    "#]].assert_eq(&failure("crashes::runs_out_of_memory"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn terminates_itself() {
    raise(Signal::SIGTERM).unwrap();
}

#[test]
fn a_signal_is_named() {
    expect![[r#"
        nstest[signal]: the test's process was killed by SIGTERM (signal 15) before the test ended
          help: see the output above, which is what the test printed before
    "#]]
    .assert_eq(&failure("crashes::terminates_itself"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn kills_itself() {
    raise(Signal::SIGKILL).unwrap();
}

#[test]
fn sigkill_suggests_a_lack_of_memory() {
    expect![[r#"
        nstest[signal]: the test's process was killed by SIGKILL (signal 9) before the test ended
          help: if it did not kill itself, the kernel may have run out of memory: see `dmesg`
    "#]]
    .assert_eq(&failure("crashes::kills_itself"));
}
