//! The command that runs a test again, alone and in the same way.

mod target;

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use super::test::Test;
use super::{libtest, settings};
use crate::evidence::shown::{self, quoted};
use target::Package;

/// The command for a test that libtest knows by `name`. `selection` has the arguments before
/// `--exact`, each with a space behind it: see [`selection`].
pub(super) fn command(
    name: &str,
    selection: &str,
    plan: Option<&str>,
    seed: Option<u64>,
) -> String {
    let mut command = String::new();
    if let Some(plan) = plan {
        command.push_str(&format!("{}={} ", settings::PLAN, quoted(plan)));
    }
    if let Some(seed) = seed {
        command.push_str(&format!("{}={seed} ", settings::SEED));
    }
    let name = shown::word(name.as_ref(), "_:#");
    command.push_str(&format!("cargo test {selection}--exact {name}"));
    command
}

/// A program and its arguments, for a shell.
#[cfg(feature = "cli")]
pub(super) fn command_line(words: &[std::ffi::OsString]) -> String {
    let words: Vec<String> = words.iter().map(|it| shown::path(Path::new(it))).collect();
    words.join(" ")
}

/// The arguments by which cargo finds the test's target, and libtest the test, if it is ignored:
/// `-p shop --test orders -- --include-ignored`.
pub(super) fn selection(test: &Test) -> String {
    let ignored = if libtest::runs_ignored(env::args_os()) { "--include-ignored " } else { "" };
    format!("{}-- {ignored}", target_arguments(test))
}

/// `-p shop --test orders`. Cargo and nextest tell a test binary its package.
fn target_arguments(test: &Test) -> String {
    let Ok(name) = env::var("CARGO_PKG_NAME") else { return String::new() };
    let mut arguments = format!("-p {name} ");
    let directory = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
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
    let package = env::var("CARGO_PKG_NAME").unwrap_or_default().replace('-', "_");
    match kind {
        "lib" => None,
        "test" if test.krate() != package => None,
        kind => Some(kind),
    }
}

/// The test binary. It may be gone, or rebuilt, by now.
pub(super) fn binary() -> io::Result<PathBuf> {
    let path = env::current_exe()?;
    let text = path.to_str().and_then(|path| path.strip_suffix(" (deleted)"));
    Ok(text.map_or_else(|| path.clone(), PathBuf::from))
}
