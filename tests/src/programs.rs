//! Programs that tests start and that a fresh machine may lack, such as real servers.
//!
//! A test that needs one is ignored unless this package's feature `programs` is on:
//! `#[cfg_attr(not(feature = "programs"), ignore = "needs nginx; run ./check test")]`.
//! It starts what [`find`] returns, so that its failure names a missing program and
//! the package that has it.

use std::path::{Path, PathBuf};

/// Each line: a program, and what installs it.
const LIST: &str = include_str!("../../.ci/programs");

/// The path of a program. Besides `PATH`, it looks where Debian keeps programs of
/// administrators and of PostgreSQL.
///
/// # Panics
/// If the machine lacks the program, or `.ci/programs` does.
#[must_use]
#[track_caller]
pub fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    found(program, std::env::split_paths(&path).chain(administrators).chain(postgres()))
}

#[track_caller]
fn found(program: &str, mut directories: impl Iterator<Item = PathBuf>) -> PathBuf {
    let Some(remedy) = remedy(program) else { panic!("list `{program}` in .ci/programs") };
    directories
        .find_map(|directory| Some(directory.join(program)).filter(|path| path.is_file()))
        .unwrap_or_else(|| panic!("cannot find `{program}`: run `./check test`, or {remedy}"))
}

/// Finds each of them, for a test that starts them by way of a shell.
///
/// # Panics
/// As [`find`].
#[track_caller]
pub fn need(programs: &[&str]) {
    for program in programs {
        let _ = find(program);
    }
}

/// Whether `.ci/programs` has this program.
#[must_use]
pub fn is_listed(program: &str) -> bool {
    remedy(program).is_some()
}

/// The command that installs a program of the list.
fn remedy(program: &str) -> Option<String> {
    let source = LIST.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(program)).then(|| words.next())?
    })?;
    Some(match source.strip_prefix("cargo:") {
        Some(name) => format!("`cargo install --locked {name}`"),
        None => format!("`apt-get install {source}` (the package on Debian and Ubuntu)"),
    })
}

/// The directories of PostgreSQL's programs: Debian has one for each version.
fn postgres() -> impl Iterator<Item = PathBuf> {
    let versions = Path::new("/usr/lib/postgresql").read_dir().into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_a_command_that_installs_it() {
        assert_eq!(remedy("cargo-nextest").unwrap(), "`cargo install --locked cargo-nextest`");
        assert!(remedy("ss").unwrap().starts_with("`apt-get install iproute2`"));
        assert_eq!(remedy("no-such-program"), None);
    }

    #[test]
    #[should_panic(expected = "run `./check test`, or `apt-get install nginx-light`")]
    fn a_missing_program_is_reported_with_its_package() {
        let _ = found("nginx", std::iter::empty());
    }
}
