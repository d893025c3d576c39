//! The arguments by which cargo finds the target of a test: `--test faults`, `--lib`.
//!
//! Cargo does not tell a test binary which target it is. The binary knows the name of its
//! crate, and cargo tells it the package. The manifest and the files of the package show which
//! targets have this name. If several have it, the file that rustc leaves beside the binary says
//! which source it was made of. Without that file, none is named, and cargo runs all of the
//! package.

use std::path::Path;

/// The kinds of targets besides the library, with their directories.
const KINDS: [(&str, &str); 4] =
    [("test", "tests"), ("bin", "src/bin"), ("example", "examples"), ("bench", "benches")];

/// What there is to know about a package.
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    /// The source file of the target's crate, if it is known.
    pub(super) root: Option<&'a str>,
    /// The text of its Cargo.toml.
    pub(super) manifest: &'a str,
    /// Whether a file exists in its directory.
    pub(super) exists: &'a dyn Fn(&str) -> bool,
}

/// The argument for the target with this crate name; `None` if it is not certain.
pub(super) fn argument(krate: &str, package: &Package<'_>) -> Option<String> {
    let Package { name, root, manifest, exists } = *package;
    let is_it = |target: &str| target.replace('-', "_") == krate;
    let libraries = declared(manifest, "[lib]");
    let mut found = Vec::new();
    if libraries.iter().any(|name| is_it(name))
        || libraries.is_empty() && is_it(name) && exists("src/lib.rs")
    {
        found.push("--lib".to_owned());
    }
    if is_it(name) && exists("src/main.rs") {
        found.push(format!("--bin {name}"));
    }
    for (kind, directory) in KINDS {
        // `cargo test` runs these only if they are named.
        if matches!(kind, "example" | "bench") && !found.is_empty() {
            break;
        }
        let declared = declared(manifest, &format!("[[{kind}]]"));
        let declared = declared.into_iter().filter(|name| is_it(name)).map(str::to_owned);
        let discovered = [krate.to_owned(), krate.replace('_', "-")].into_iter().filter(|name| {
            exists(&format!("{directory}/{name}.rs"))
                || exists(&format!("{directory}/{name}/main.rs"))
        });
        found.extend(declared.chain(discovered).map(|name| format!("--{kind} {name}")));
    }
    found.dedup();
    if let (true, Some(kind)) = (found.len() > 1, root.map(kind)) {
        let of_kind = format!("--{kind}");
        found.retain(|argument| argument.split(' ').next() == Some(&of_kind));
    }
    found.pop().filter(|_| found.is_empty())
}

/// The kind of the target that is made of this source file.
pub(super) fn kind(root: &str) -> &'static str {
    let parts: Vec<&str> = root.split('/').collect();
    let is_below = |directory: &str| parts.iter().rev().skip(1).take(2).any(|it| *it == directory);
    if parts.ends_with(&["src", "main.rs"]) || root.contains("src/bin/") {
        return "bin";
    }
    let of_tests = [("tests", "test"), ("examples", "example"), ("benches", "bench")];
    let kind = of_tests.into_iter().find(|(directory, _)| is_below(directory));
    kind.map_or("lib", |(_, kind)| kind)
}

/// The source file of the crate that a binary was made of. rustc writes it as the first one into
/// a file beside the binary, in the syntax of make.
pub(super) fn root(binary: &Path) -> Option<String> {
    let rules = std::fs::read_to_string(binary.with_extension("d")).ok()?;
    first_source(&rules).map(str::to_owned)
}

/// The first source in rules for make. A path with a space in it is cut off there.
fn first_source(rules: &str) -> Option<&str> {
    let (_, sources) = rules.lines().next()?.split_once(": ")?;
    sources.split_ascii_whitespace().next()
}

/// The names of the targets that a manifest declares under a header such as `[[test]]`.
fn declared<'a>(manifest: &'a str, header: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    let mut is_inside = false;
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            is_inside = line.starts_with(header);
        } else if let (true, Some((key, value))) = (is_inside, line.split_once('=')) {
            if key.trim() == "name" {
                names.extend(value.split('"').nth(1));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(krate: &str, manifest: &str, files: &[&str]) -> Option<String> {
        made_of(None, krate, manifest, files)
    }

    fn made_of(root: Option<&str>, krate: &str, manifest: &str, files: &[&str]) -> Option<String> {
        let exists = |file: &str| files.contains(&file);
        argument(krate, &Package { name: "my-shop", root, manifest, exists: &exists })
    }

    #[test]
    fn a_target_is_found_by_its_file() {
        let files = ["src/lib.rs", "tests/it.rs", "tests/big-one/main.rs", "src/bin/tool.rs"];
        for (krate, argument) in [
            ("my_shop", Some("--lib")),
            ("it", Some("--test it")),
            ("big_one", Some("--test big-one")),
            ("tool", Some("--bin tool")),
            ("other", None),
        ] {
            assert_eq!(of(krate, "", &files).as_deref(), argument, "{krate}");
        }
        assert_eq!(of("my_shop", "", &["src/main.rs"]).as_deref(), Some("--bin my-shop"));
    }

    #[test]
    fn a_target_is_found_in_the_manifest() {
        let manifest = "[package]\nname = \"my-shop\"\n\n[lib]\nname = \"core\"\n\n\
                        [[test]]\nname = \"all-of-it\" # all\npath = \"it/main.rs\"\n\n\
                        [[bench]]\nname=\"speed\"\n\n[dependencies]\nname = \"1\"\n";
        for (krate, argument) in [
            ("core", Some("--lib")),
            ("all_of_it", Some("--test all-of-it")),
            ("speed", Some("--bench speed")),
            ("my_shop", None),
        ] {
            assert_eq!(of(krate, manifest, &["src/lib.rs"]).as_deref(), argument, "{krate}");
        }
        let also_a_file = of("it", "[[test]]\nname = \"it\"\n", &["tests/it.rs"]);
        assert_eq!(also_a_file.as_deref(), Some("--test it"));
    }

    #[test]
    fn no_target_is_named_if_two_have_the_name() {
        assert_eq!(of("my_shop", "", &["src/lib.rs", "src/main.rs"]), None);
        assert_eq!(of("my_shop", "", &["src/lib.rs", "tests/my_shop.rs"]), None);
        let both = ["src/lib.rs", "src/main.rs", "tests/my_shop.rs"];
        for (root, argument) in [
            ("shop/src/lib.rs", "--lib"),
            ("src/main.rs", "--bin my-shop"),
            ("shop/tests/my_shop.rs", "--test my_shop"),
        ] {
            assert_eq!(made_of(Some(root), "my_shop", "", &both).as_deref(), Some(argument));
        }
        let benchmark = of("it", "", &["tests/it.rs", "benches/it.rs"]);
        assert_eq!(benchmark.as_deref(), Some("--test it"));
    }

    #[test]
    fn the_first_source_is_that_of_the_crate() {
        let rules = "/t/debug/deps/shop-0123.d: shop/src/main.rs shop/src/a.rs\n\na: b\n";
        assert_eq!(first_source(rules), Some("shop/src/main.rs"));
        assert_eq!(kind("shop/src/main.rs"), "bin");
        for (root, kind_of_it) in [
            ("/tests/shop/src/lib.rs", "lib"),
            ("src/bin/tool/main.rs", "bin"),
            ("tests/it/main.rs", "test"),
            ("benches/speed.rs", "bench"),
        ] {
            assert_eq!(kind(root), kind_of_it, "{root}");
        }
    }
}
