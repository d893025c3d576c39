//! cargo and cargo-nextest, for what needs another runner or another build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The cargo that runs this test, or the one that the user would.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// The directory of the workspace.
///
/// # Panics
/// If this package is nowhere.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

/// cargo-nextest over the targets of this package, as they are built now: cargo
/// is asked once what there is, and not again for each run. `filter` is a filterset.
///
/// # Panics
/// If there is no cargo-nextest.
#[must_use]
pub fn nextest(filter: &str) -> Command {
    static DESCRIBED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    let (metadata, binaries) = DESCRIBED.get_or_init(|| {
        // Beside this binary, for whose build it holds; whole at any time, since others
        // may be at it as well.
        let binary = std::env::current_exe().expect("this program");
        let save = |name: &str, arguments: &[&str]| {
            let output = cargo().args(arguments).output().expect("start cargo");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let own = binary.with_extension(format!("{name}-{}", std::process::id()));
            let path = binary.with_extension(format!("{name}.json"));
            std::fs::write(&own, output.stdout).expect("keep what cargo said");
            std::fs::rename(&own, &path).expect("rename it");
            path
        };
        let list = [
            &["nextest", "list", "--package", "nstest-tests"][..],
            &["--list-type", "binaries-only", "--message-format", "json"],
        ];
        (save("metadata", &["metadata", "--format-version", "1"]), save("binaries", &list.concat()))
    });
    let mut command = cargo();
    command.args(["nextest", "run", "--color", "never", "--no-fail-fast"]);
    command.arg("--cargo-metadata").arg(metadata).arg("--binaries-metadata").arg(binaries);
    command.args(["--workspace-remap"]).arg(workspace());
    command.args(["-E", filter]);
    command
}

/// Builds a benchmark that another one starts, since cargo tells a bench only where
/// programs (`[[bin]]`) are, and a program has no libtest main. It is fresh mostly.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn bench(name: &str) -> PathBuf {
    let output = cargo()
        .args(["bench", "-p", "nstest-tests", "--bench", name, "--no-run"])
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("cargo starts");
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = messages.lines().find_map(|line| {
        let (_, rest) = line.split_once(r#""executable":""#)?;
        Some(rest.split_once('"')?.0)
    });
    path.unwrap_or_else(|| panic!("cargo did not build {name}: {}", output.status)).into()
}
