//! What the code of some modules must not name.
//!
//! `docs/src/architecture.md` calls some modules pure, and says that `sys` does not know
//! tests. Both are checked by the identifiers in the code. Comments, literals and tests do
//! not count.

use std::path::PathBuf;

use crate::source::code;
use crate::tree;

/// A file or directory, and the identifiers that would make it impure.
const PURE: [(&str, &[&str]); 2] = [
    (
        "nstest-core/src/runner/verdict.rs",
        &[
            "print",
            "println",
            "eprint",
            "eprintln",
            "dbg",
            "panic",
            "unwrap",
            "expect",
            "assert",
            "unreachable",
            "Instant",
            "SystemTime",
            "env",
            "fs",
            "io",
            "thread",
        ],
    ),
    (
        "nstest-core/src/topology",
        &["Instant", "SystemTime", "env", "fs", "io", "thread", "libc", "nix"],
    ),
];

#[test]
fn pure_modules_name_nothing_impure() {
    let mut broken = Vec::new();
    for (path, impure) in PURE {
        for file in sources(path) {
            let code = without_tests(&tree::read(&file));
            for identifier in identifiers(&code).filter(|name| impure.contains(name)) {
                broken.push(format!("{}: {identifier}", file.display()));
            }
        }
    }
    tree::none("a pure module prints, panics, or reads a clock or the machine", &broken);
}

/// `sys` uses no other module either: see the table of imports.
#[test]
fn sys_does_not_know_tests() {
    let mut broken = Vec::new();
    for file in sources("nstest-core/src/sys") {
        for identifier in identifiers(&without_tests(&tree::read(&file))) {
            let about_tests =
                |word: &String| ["test", "tests", "libtest", "verdict"].contains(&word.as_str());
            if words(identifier).iter().any(about_tests) {
                broken.push(format!("{}: {identifier}", file.display()));
            }
        }
    }
    tree::none("identifiers about tests in nstest-core/src/sys", &broken);
}

fn sources(path: &str) -> Vec<PathBuf> {
    let mut files = if path.ends_with(".rs") { vec![path.into()] } else { tree::files(path, "rs") };
    files.retain(|file| !file.iter().any(|part| part == "tests"));
    files
}

fn without_tests(text: &str) -> String {
    let code = code(text);
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].replace("#[cfg(test)]", "")
}

fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|name| !name.is_empty())
}

/// The words of an identifier in snake case or camel case, in lower case.
fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lowercase = false;
    for c in identifier.chars() {
        if c == '_' || (c.is_uppercase() && lowercase) {
            words.push(String::new());
        }
        lowercase = c.is_lowercase();
        words
            .last_mut()
            .expect("there is always one")
            .extend(c.to_lowercase().filter(|c| *c != '_'));
    }
    words
}

#[test]
fn identifiers_are_split_into_words() {
    assert_eq!(words("of_TestContext"), ["of", "test", "context"]);
    assert_eq!(words("SCHED_ATTR"), ["sched", "attr"]);
    assert_eq!(words("contest"), ["contest"]);
}
