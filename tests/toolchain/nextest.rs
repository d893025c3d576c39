//! Under cargo-nextest, which runs each test in a process of its own, and has its own
//! checks for tests that hang or leak processes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nstest_tests::cargo::nextest;
use nstest_tests::driver::{Outcome, Run};

/// A run of ignored tests of the target `runner`, under this configuration.
fn run(filter: &str, configuration: &str) -> Outcome {
    start(filter, configuration).run()
}

fn start(filter: &str, configuration: &str) -> Run {
    let mut command = nextest(&format!("binary(=runner) and ({filter})"));
    command.args(["--run-ignored", "only"]);
    let mut run = Run::in_front(command);
    let path: PathBuf = run.case().join("nextest.toml");
    std::fs::write(&path, format!("[profile.default]\n{configuration}\n")).unwrap();
    run.command().arg("--config-file").arg(path);
    run
}

/// Every `Run` asserts that no process survives. nextest sends SIGTERM, which leaves the time for a
/// message.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn a_timeout_of_nextest_leaves_a_message_only() {
    let slow = "slow-timeout = { period = \"1s\", terminate-after = 1, grace-period = \"1s\" }";
    let text = run("test(=signals::waits)", slow).text();
    assert!(text.contains("TIMEOUT"), "{text}");
    assert!(text.contains("1 timed out"), "{text}");
    assert!(text.contains("the test did not end before SIGTERM"), "{text}");
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn a_daemon_is_not_reported_as_a_leak() {
    let leak = "leak-timeout = { period = \"500ms\", result = \"fail\" }";
    let text = run("test(=processes::leaves_a_daemon_that_holds_the_output)", leak).text();
    assert!(text.contains("1 test run: 1 passed,"), "{text}");
    assert!(!text.contains("LEAK"), "{text}");
}

/// Each of the two explorations is a process, and starts several processes.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn explorations_of_several_processes_share_their_jobs() {
    let both = start("test(/^exploration::is_alone/)", "test-threads = 2");
    let text = both.env("NSTEST_JOBS", "1").run().text();
    assert!(text.contains("2 tests run: 2 passed"), "{text}");
}

/// nextest reports the same as libtest for each fixture that needs no driver.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn both_runners_agree() {
    let modules = ["verdict::", "crashes::", "should_panic::"];
    let filter = modules.map(|module| format!("test(/^{module}/)")).join(" or ");
    let text = run(&filter, "").text();
    let mut seen = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(verdict), Some(name)) = (words.next(), line.split_whitespace().last()) else {
            continue;
        };
        if modules.iter().any(|module| name.starts_with(module)) {
            seen.insert(name.to_owned(), verdict == "PASS");
        }
    }
    let passing: Vec<&String> = seen.iter().filter(|(_, passes)| **passes).map(|s| s.0).collect();
    assert_eq!(
        passing,
        [
            "should_panic::matches",
            "should_panic::matches_anything",
            "verdict::a_thread_panics",
            "verdict::forks_and_returns_twice",
            "verdict::passes",
        ],
        "{text}"
    );
    assert_eq!(seen.len(), 31, "{seen:#?}");
}
