//! Runs cargo and cargo-nextest, for tests that need another runner or another build.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::programs::need;

/// A command for the cargo that runs this test, or the one in `PATH`.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    outside_of_test(command.current_dir(workspace()));
    command
}

/// Has a cargo run as outside of a test, without the variables that cargo sets for a test. The
/// build script of ring depends on them: with others, this cargo and the next one would compile
/// ring and all above it again.
pub fn outside_of_test(cargo: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
}

/// The directory of the workspace.
///
/// # Panics
/// If this package is in the root directory.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in the workspace")
}

/// The packages and features of `./check`: with others, cargo would compile much again.
const BUILT: [&str; 3] = [
    "--workspace",
    "--features",
    if cfg!(feature = "programs") {
        "nstest-tests/programs,nstest-tests-recipes/programs"
    } else {
        ""
    },
];

/// Has cargo-nextest write an archive of these targets of this package. `filter` is a filterset.
///
/// # Panics
/// If cargo-nextest is not installed, or fails.
pub fn archive(filter: &str, path: &Path) {
    need(&["cargo-nextest"]);
    let mut command = cargo();
    command.args(["nextest", "archive"]).args(BUILT).args(["-E", filter, "--archive-file"]);
    let output = command.arg(path).output().expect("start cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A command for cargo-nextest that runs the targets of this package as they are built
/// now. cargo lists them once, and not again for each run. `filter` is a filterset.
///
/// # Panics
/// If cargo-nextest is not installed, or cargo cannot list the targets.
#[must_use]
pub fn nextest(filter: &str) -> Command {
    static DESCRIBED: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    let (metadata, binaries) = DESCRIBED.get_or_init(|| {
        need(&["cargo-nextest"]);
        // The lists are for this build, so they are beside this binary. They are renamed
        // into place, since other processes may read them at any time.
        let binary = std::env::current_exe().expect("this program");
        let save = |name: &str, arguments: &[&str]| {
            let output = cargo().args(arguments).output().expect("start cargo");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let own = binary.with_extension(format!("{name}-{}", std::process::id()));
            let path = binary.with_extension(format!("{name}.json"));
            std::fs::write(&own, output.stdout).expect("keep the output of cargo");
            std::fs::rename(&own, &path).expect("rename it");
            path
        };
        let list = [
            &["nextest", "list"][..],
            &BUILT,
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

/// Builds a benchmark that another benchmark starts, and returns its path. It cannot be a
/// `[[bin]]`, whose path cargo would pass, since it needs libtest's main function.
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
    // cargo builds the programs of the package, too.
    let target = format!(r#""name":"{name}""#);
    let path = messages.lines().filter(|line| line.contains(&target)).find_map(|line| {
        let (_, rest) = line.split_once(r#""executable":""#)?;
        Some(rest.split_once('"')?.0)
    });
    path.unwrap_or_else(|| panic!("cargo did not build {name}: {}", output.status)).into()
}
