//! What holds for every source file.

use std::path::Path;

use nstest_tests::programs::is_listed;

use crate::tree;

/// A file that is longer has more than one subject.
const LINES: usize = 400;

/// The one place for `unsafe` in what users depend on.
const UNSAFE: &str = "nstest-core/src/sys";

#[test]
fn no_file_is_too_long() {
    let mut broken = Vec::new();
    for file in tree::files("", "rs") {
        let lines = tree::read(&file).lines().count();
        if lines > LINES {
            broken.push(format!("{}: {lines}", file.display()));
        }
    }
    tree::none(&format!("files of more than {LINES} lines"), &broken);
}

#[test]
fn unsafe_code_is_in_one_place() {
    let mut broken = Vec::new();
    for package in ["nstest", "nstest-core", "nstest-macros"] {
        for file in tree::files(package, "rs") {
            if file.starts_with(UNSAFE) {
                continue;
            }
            for (number, line) in code(&tree::read(&file)).lines().enumerate() {
                if words(line).any(|word| word == "unsafe") {
                    broken.push(format!("{}:{}", file.display(), number + 1));
                }
            }
        }
    }
    tree::none(&format!("`unsafe` outside {UNSAFE}"), &broken);
}

/// The files with a pause between two looks at something that sends no event.
const MAY_SLEEP: &str = "nstest-core/src/world/ready.rs";

#[test]
fn nothing_sleeps_to_wait() {
    let mut broken = Vec::new();
    for package in ["nstest", "nstest-core", "nstest-macros"] {
        for file in tree::files(package, "rs") {
            if file == Path::new(MAY_SLEEP) {
                continue;
            }
            for (number, line) in code(&tree::read(&file)).lines().enumerate() {
                if words(line).any(|word| matches!(word, "sleep" | "nanosleep" | "usleep")) {
                    broken.push(format!("{}:{}", file.display(), number + 1));
                }
            }
        }
    }
    tree::none("sleeps in the library: wait for the event, with a deadline", &broken);
}

/// What decides about packets: the time comes in with each frame.
const NO_CLOCK: [&str; 2] = ["nstest-core/src/fault", "nstest-core/src/frame"];

#[test]
fn fault_reads_no_clock() {
    let mut broken = Vec::new();
    for directory in NO_CLOCK {
        for file in tree::files(directory, "rs") {
            if file.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            for (number, line) in code(&tree::read(&file)).lines().enumerate() {
                let reads = line.contains("Instant::now")
                    || words(line).any(|word| matches!(word, "SystemTime" | "elapsed"));
                if reads {
                    broken.push(format!("{}:{}", file.display(), number + 1));
                }
            }
        }
    }
    tree::none("clocks where decisions follow from their input alone", &broken);
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// A source text with the contents of its comments and string literals blanked
/// out, line for line. It knows Rust's lexis as far as our own code uses it.
pub(crate) fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let literal = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_end(rest),
            'r' if !code.ends_with(|c: char| c == '_' || c.is_alphanumeric()) => raw_end(rest),
            '\'' => char_end(rest),
            _ => 0,
        };
        if literal == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.extend(rest[..literal].chars().filter(|c| *c == '\n'));
            rest = &rest[literal..];
        }
    }
    code
}

/// The length of a string literal.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw string literal; 0 where there is none.
fn raw_end(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    text[start..].find(&close).map_or(text.len(), |end| start + end + close.len())
}

/// The length of a character literal; 0 for a lifetime.
fn char_end(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, _))) => {
            text[at + 1..].find('\'').map_or(0, |end| at + 1 + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "a // unsafe\n/* unsafe\n*/ b\"un\\\"safe\" r#\"un\"safe\"# '\"' '\\'' &'a c r d";
    assert_eq!(code(text), "a \n\n b   &'a c r d".replace("b   ", "b    "));
    assert_eq!(code(text).lines().count(), text.lines().count());
}

#[test]
fn a_test_that_needs_programs_names_listed_ones() {
    let mut broken = Vec::new();
    for file in tree::files("tests", "rs") {
        for line in tree::read(&file).lines().filter(|line| !line.trim_start().starts_with("//")) {
            let reason = line.split_once("ignore = \"needs ").map(|(_, rest)| rest);
            let Some((programs, rest)) = reason.and_then(|reason| reason.split_once(';')) else {
                continue;
            };
            let is_gated = line.contains("cfg_attr(not(feature = \"programs\"), ");
            let mut unlisted = programs.split(" and ").filter(|program| !is_listed(program));
            if !is_gated || rest != " run ./check test\")]" || unlisted.next().is_some() {
                broken.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
    tree::none("programs that tests need and .ci/programs does not list", &broken);
}
