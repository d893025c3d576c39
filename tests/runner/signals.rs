//! When the parent is killed or suspended: no process outlives it, and the time during which
//! it is suspended does not count for the timeout.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nstest::netns_test;
use nstest_tests::driver::{Run, Running};
use nstest_tests::marks::{self, eventually};

#[netns_test]
#[ignore = "fixture of another test"]
fn waits() {
    Command::new("setsid").args(["-f", "sleep", "1000"]).status().unwrap();
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    marks::set("ready");
    child.wait().unwrap();
}

/// A shell that runs these tests in the background ignores SIGINT, which is inherited:
/// env(1) takes that back.
fn ready(arguments: &[&str]) -> Running {
    let mut command = Command::new("env");
    command.arg("--default-signal");
    let running = Run::under(command, &["signals::waits"]).args(arguments).start();
    running.wait_for("ready");
    // The runner, init, the body, two children: a process has no environment
    // for the moment of its exec.
    eventually("all processes", || {
        (nstest_tests::survivors::processes(running.case()).len() >= 5).then_some(())
    });
    running
}

/// Every `Run` asserts at its end that no process survives.
#[test]
fn sigkill_of_the_runner_leaves_nothing() {
    for arguments in [&[][..], &["--nocapture"]] {
        let running = ready(arguments);
        running.signal(Signal::SIGKILL);
        assert_eq!(running.end().status.code(), None);
    }
}

/// The terminal sends the signal to the process group.
#[test]
fn ctrl_c_leaves_nothing() {
    let running = ready(&[]);
    killpg(running.pid(), Signal::SIGINT).unwrap();
    assert_eq!(running.end().status.code(), None);
}

#[test]
fn a_closed_terminal_leaves_nothing() {
    let running = ready(&[]);
    killpg(running.pid(), Signal::SIGHUP).unwrap();
    assert_eq!(running.end().status.code(), None);
}

#[netns_test(timeout = "3s")]
#[ignore = "fixture of another test"]
fn waits_for_the_driver() {
    marks::set("ready");
    marks::wait("go");
}

/// The parent is suspended (Ctrl-Z, a debugger) for longer than the timeout.
#[test]
fn suspended_time_does_not_count() {
    let running = Run::of(&["signals::waits_for_the_driver"]).start();
    running.wait_for("ready");
    running.signal(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", running.pid());
    eventually("the stop", || std::fs::read_to_string(&stat).ok()?.contains(") T ").then_some(()));
    // Not a wait for anything: this long it is stopped.
    std::thread::sleep(Duration::from_secs(4));
    running.signal(Signal::SIGCONT);
    running.set("go");
    let outcome = running.end();
    assert!(outcome.status.success(), "{}", outcome.text());
}
