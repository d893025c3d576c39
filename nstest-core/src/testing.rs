//! Runs a unit test of this crate in namespaces of its own.
//!
//! The tests of this crate cannot use `#[netns_test]`. A process with several threads, such as
//! libtest, cannot enter a new user namespace (unshare(2)). So the test starts its own binary
//! again, under unshare(1).

use std::process::Command;

const INSIDE: &str = "NSTEST_CORE_TEST_IS_ISOLATED";

/// Runs `body` as root of new user, network and mount namespaces. `body` must be a closure
/// that is written in the test function itself.
pub(crate) fn isolated<F: FnOnce()>(body: F) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let path = std::any::type_name::<F>();
    let name = path
        .strip_prefix("nstest_core::")
        .and_then(|path| path.strip_suffix("::{{closure}}"))
        .unwrap_or_else(|| panic!("{path} is not a closure in a test of this crate"));
    let binary = std::env::current_exe().expect("this test's own binary");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--"])
        .arg(binary)
        .args([name, "--exact", "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare(1) of util-linux");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    print!("{text}");
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{name}, isolated: {}\n{errors}",
        output.status
    );
    eprint!("{errors}");
}
