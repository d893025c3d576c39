//! Runs fixtures below the calling test, in its namespaces: with an uplink, or in a named
//! network namespace. [`driver`](crate::driver) runs them apart from it.

use std::process::Command;

/// Starts this test binary again for one of its `#[ignore]`d tests, a fixture.
///
/// # Panics
/// If the path of the binary is unknown.
#[must_use]
pub fn fixture(name: &str) -> Command {
    let binary = std::env::current_exe().expect("know the test binary");
    let mut command = Command::new(binary);
    command.args(arguments(name));
    command
}

/// The arguments with which libtest runs one fixture and does not capture its output.
#[must_use]
pub fn arguments(name: &str) -> [&str; 4] {
    ["--exact", name, "--ignored", "--nocapture"]
}

/// Runs a fixture, and returns whether it passed, and its output.
///
/// # Panics
/// If it does not start, or if there is no such fixture.
#[must_use]
pub fn outcome(mut command: Command) -> (bool, String) {
    let output = command.output().expect("start the fixture");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("running 1 test"), "there is no such fixture: {command:?}\n{text}");
    (output.status.success(), text)
}

/// Asserts that a fixture passes.
///
/// # Panics
/// If it fails, with its output.
pub fn passes(command: Command) {
    let (passed, text) = outcome(command);
    assert!(passed, "{text}");
}

/// Asserts that a fixture fails, and that its output contains each of `wanted`.
///
/// # Panics
/// If it passes, or its output lacks one.
pub fn fails(command: Command, wanted: &[&str]) {
    let (passed, text) = outcome(command);
    assert!(!passed, "it passes:\n{text}");
    for words in wanted {
        assert!(text.contains(words), "without {words:?}:\n{text}");
    }
}
