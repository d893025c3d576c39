//! A process of its own for a test that changes namespaces.
//!
//! This crate cannot use the attribute that it is there for, and a process with
//! threads, such as libtest, cannot enter a new user namespace (unshare(2)): so
//! such a test starts its own binary again, under unshare(1).

use std::process::Command;

const INSIDE: &str = "NSTEST_CORE_TEST_IS_ISOLATED";

/// Runs `body`, which must be a closure written in the test function itself, as
/// root of fresh user, network and mount namespaces.
pub(crate) fn isolated<F: FnOnce()>(body: F) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let path = std::any::type_name::<F>();
    let name = path
        .strip_prefix("nstest_core::")
        .and_then(|path| path.strip_suffix("::{{closure}}"))
        .unwrap_or_else(|| panic!("{path} is no closure of a test of this crate"));
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
