//! Many tests, in parallel, many times, and killed at random moments.
//!
//! `NSTESTS_STRESS=full` runs them as often as the comments say. The default, also in CI, is fewer
//! runs.

use std::process::Command;

use nix::sys::signal::Signal;
use nstest_tests::cargo::nextest;
use nstest_tests::driver::Run;
use nstest_tests::marks::eventually;
use nstest_tests::survivors::{self, on_a_machine_of_its_own};

#[path = "../ports/hundred.rs"]
#[macro_use]
mod hundred;

mod ports {
    hundred!(#[ignore = "fixture of another test"]);
}

fn count(full: usize, quick: usize) -> usize {
    if std::env::var_os("NSTESTS_STRESS").is_some_and(|value| value == "full") {
        full
    } else {
        quick
    }
}

fn libtest(arguments: &[&str]) -> Run {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--ignored").args(arguments);
    Run::in_front(command)
}

/// 100 tests on one port, 50 times.
#[test]
fn a_hundred_tests_on_one_port_under_libtest() {
    for run in 0..count(50, 3) {
        let outcome = libtest(&["ports::"]).run();
        let text = outcome.text();
        assert!(text.contains("test result: ok. 100 passed; 0 failed;"), "run {run}: {text}");
    }
}

/// The same under cargo-nextest.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn a_hundred_tests_on_one_port_under_nextest() {
    for run in 0..count(50, 3) {
        let text = Run::in_front(nextest("binary(=ports)")).run().text();
        assert!(text.contains("100 tests run: 100 passed"), "run {run}: {text}");
    }
}

/// 40 tests on 8 threads, 100 times. The driver's deadline ends a run that hangs.
#[test]
fn many_threads_never_hang() {
    for run in 0..count(100, 5) {
        let filters = ["ports::s0", "ports::s1", "ports::a0", "ports::a1", "--test-threads=8"];
        let text = libtest(&filters).run().text();
        assert!(text.contains("test result: ok. 40 passed; 0 failed;"), "run {run}: {text}");
    }
}

/// The test binary is killed when a random number of its tests have ended, 200 times.
#[test]
fn a_run_that_is_killed_leaves_nothing() {
    on_a_machine_of_its_own("kills").env("NSTESTS_STRESS", stress()).succeed();
}

fn stress() -> std::ffi::OsString {
    std::env::var_os("NSTESTS_STRESS").unwrap_or_default()
}

#[test]
#[ignore = "fixture of another test"]
fn kills() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let before = survivors::machine();
    let mut alive = 0;
    for kill in 0..count(200, 10) {
        // xorshift64: Marsaglia, "Xorshift RNGs", 2003.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let wanted = (random % 100) as usize;
        let arguments: &[&str] =
            if kill % 2 == 0 { &["ports::"] } else { &["ports::", "--nocapture"] };
        let running = libtest(arguments).start();
        eventually("the end of some tests", || {
            (running.text().matches(" ... ok").count() >= wanted).then_some(())
        });
        alive += usize::from(survivors::processes(running.case()).len() > 1);
        running.signal(Signal::SIGKILL);
        running.end();
        assert_eq!(survivors::machine(), before, "after kill {kill}, {wanted} tests");
    }
    assert!(alive > 0, "no test was running at any kill");
}
