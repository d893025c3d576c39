//! Exploration under cargo-nextest, where each test is a process.

use nstest_tests::cargo::nextest;
use nstest_tests::driver::Run;

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn nextest_shows_the_same_report() {
    let mut command = nextest("binary(=exploration) and test(=retries::counts_twice)");
    command.args(["--run-ignored", "only"]);
    let text = Run::in_front(command).run().text();
    assert!(text.contains("1 test run: 0 passed, 1 failed"), "{text}");
    for line in [
        "nstest[exploration]: the test passes without faults, but fails in 1 of ",
        "first failure: server ingress tcp port 7000 #1 data nth 1: then reset",
        "ordered once, counted 2 times",
    ] {
        assert!(text.contains(line), "without {line:?}: {text}");
    }
}
