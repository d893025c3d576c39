//! The arguments by which cargo finds the target of a test: `--test faults`, `--lib`.
//!
//! Cargo does not tell a test binary which target it is. The binary knows the name of its
//! crate, and cargo tells it the package. The manifest and the files of the package show which
//! targets have this name. If several have it, none is named, and cargo runs all of the package.

/// The kinds of targets besides the library, with their directories.
const KINDS: [(&str, &str); 4] =
    [("test", "tests"), ("bin", "src/bin"), ("example", "examples"), ("bench", "benches")];

/// What there is to know about a package.
pub(super) struct Package<'a> {
    pub(super) name: &'a str,
    /// The text of its Cargo.toml.
    pub(super) manifest: &'a str,
    /// Whether a file exists in its directory.
    pub(super) exists: &'a dyn Fn(&str) -> bool,
}

/// The argument for the target with this crate name; `None` if it is not certain.
pub(super) fn argument(krate: &str, package: &Package<'_>) -> Option<String> {
    let Package { name, manifest, exists } = *package;
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
    found.pop().filter(|_| found.is_empty())
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
        let exists = |file: &str| files.contains(&file);
        argument(krate, &Package { name: "my-shop", manifest, exists: &exists })
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
        let benchmark = of("it", "", &["tests/it.rs", "benches/it.rs"]);
        assert_eq!(benchmark.as_deref(), Some("--test it"));
    }
}
