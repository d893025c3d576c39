//! Fixtures under an uplink or a joined namespace: run by a command of the
//! case's own making, where [`driver`](crate::driver) has one.

use std::process::Command;

/// Starts this test binary again for one of its `#[ignore]`d tests, a fixture.
///
/// # Panics
/// If the binary is gone.
#[must_use]
pub fn fixture(name: &str) -> Command {
    let binary = std::env::current_exe().expect("a test has a binary");
    let mut command = Command::new(binary);
    command.args(arguments(name));
    command
}

/// What makes libtest run one fixture, and show what it prints.
#[must_use]
pub fn arguments(name: &str) -> [&str; 4] {
    ["--exact", name, "--ignored", "--nocapture"]
}

/// What a fixture printed, and whether it passed.
///
/// # Panics
/// If it could not be started, or if there is no such fixture.
#[must_use]
pub fn outcome(mut command: Command) -> (bool, String) {
    let output = command.output().expect("the fixture starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("running 1 test"), "there is no such fixture: {command:?}\n{text}");
    (output.status.success(), text)
}

/// Asserts that a fixture passes.
///
/// # Panics
/// With what it printed, if it fails.
pub fn passes(command: Command) {
    let (passed, text) = outcome(command);
    assert!(passed, "{text}");
}

/// Asserts that a fixture fails, and that its words contain all of `wanted`.
///
/// # Panics
/// If it passes, or says something else.
pub fn fails(command: Command, wanted: &[&str]) {
    let (passed, text) = outcome(command);
    assert!(!passed, "it passes:\n{text}");
    for words in wanted {
        assert!(text.contains(words), "without {words:?}:\n{text}");
    }
}
