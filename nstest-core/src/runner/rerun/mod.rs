//! The command that runs a test again, alone and in the same way.

mod target;

use std::io;
use std::path::{Path, PathBuf};

use super::settings;
use super::test::Test;
use crate::evidence::shown::{self, quoted};
use target::Package;

/// The command for a test that libtest knows by `name`. `target` has the arguments by which
/// cargo finds the test's target, each with a space behind it.
pub(super) fn command(name: &str, target: &str, plan: Option<&str>, seed: Option<u64>) -> String {
    let mut command = String::new();
    if let Some(plan) = plan {
        command.push_str(&format!("{}={} ", settings::PLAN, quoted(plan)));
    }
    if let Some(seed) = seed {
        command.push_str(&format!("{}={seed} ", settings::SEED));
    }
    let name = shown::word(name.as_ref(), "_:#");
    command.push_str(&format!("cargo test {target}-- --include-ignored --exact {name}"));
    command
}

/// A program and its arguments, for a shell.
#[cfg(feature = "cli")]
pub(super) fn command_line(words: &[std::ffi::OsString]) -> String {
    let words: Vec<String> = words.iter().map(|it| shown::path(Path::new(it))).collect();
    words.join(" ")
}

/// The arguments by which cargo finds the test's target: `-p shop --test orders`. Cargo and
/// nextest tell a test binary its package.
pub(super) fn target_arguments(test: &Test) -> String {
    let Ok(name) = std::env::var("CARGO_PKG_NAME") else { return String::new() };
    let mut arguments = format!("-p {name} ");
    let directory = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let manifest = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    let exists = |file: &str| directory.join(file).is_file();
    let root = binary().ok().and_then(|binary| target::root(&binary));
    let package =
        Package { name: &name, root: root.as_deref(), manifest: &manifest, exists: &exists };
    if let Some(argument) = target::argument(test.krate(), &package) {
        arguments.push_str(&argument);
        arguments.push(' ');
    }
    arguments
}

/// The kind of the target of a test binary, if another target of its package can have the same
/// name.
pub(super) fn ambiguous_kind(test: &Test, binary: &Path) -> Option<&'static str> {
    let kind = target::kind(&target::root(binary)?);
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default().replace('-', "_");
    match kind {
        "lib" => None,
        "test" if test.krate() != package => None,
        kind => Some(kind),
    }
}

/// The test binary. It may be gone, or rebuilt, by now.
pub(super) fn binary() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(text.map_or_else(|| path.clone(), PathBuf::from))
}
