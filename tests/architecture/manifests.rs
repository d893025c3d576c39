//! Which packages may depend on which.

use crate::tree;

/// The packages of the workspace that each of its packages may depend on. The
/// macros and the runtime do not know each other: the expansion goes through
/// `::nstest::__private`.
const SIBLINGS: [(&str, &[&str]); 3] =
    [("nstest", &["nstest-core", "nstest-macros"]), ("nstest-core", &[]), ("nstest-macros", &[])];

/// The same for `dev-dependencies`: the examples of the runtime's documentation
/// import the facade, as users do.
const DEV_SIBLINGS: [(&str, &str); 1] = [("nstest-core", "nstest")];

/// anyhow hides what failed; the system is called through nix, which re-exports
/// the libc that it was built with.
const NEVER: [&str; 2] = ["anyhow", "libc"];

#[test]
fn packages_depend_only_on_the_siblings_they_may() {
    let mut broken = Vec::new();
    for (package, allowed) in SIBLINGS {
        for dependency in dependencies(package) {
            let sibling = dependency.name.starts_with("nstest");
            let for_examples =
                dependency.dev && DEV_SIBLINGS.contains(&(package, dependency.name.as_str()));
            if sibling && !for_examples && !allowed.contains(&dependency.name.as_str()) {
                broken.push(format!("{package} → {}", dependency.name));
            }
            if NEVER.contains(&dependency.name.as_str()) && !dependency.dev {
                broken.push(format!("{package} → {}", dependency.name));
            }
        }
    }
    tree::none("dependencies that must not be", &broken);
}

#[test]
fn tokio_is_optional() {
    let broken: Vec<String> = dependencies("nstest-core")
        .into_iter()
        .filter(|d| d.name == "tokio" && !d.dev && !d.line.contains("optional = true"))
        .map(|d| d.line)
        .collect();
    tree::none("a sync test needs no runtime", &broken);
}

#[test]
fn siblings_are_pinned() {
    let manifest = tree::read("Cargo.toml");
    let value = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let version = manifest.lines().find(|line| line.starts_with("version = ")).and_then(value);
    let version = version.expect("the workspace has a version");
    let pin = format!("version = \"={version}\"");
    let broken: Vec<String> = manifest
        .lines()
        .filter(|line| line.starts_with("nstest") && !line.contains(&pin))
        .map(str::to_owned)
        .collect();
    tree::none(&format!("packages of one release name each other by {pin}"), &broken);
}

struct Dependency {
    name: String,
    line: String,
    dev: bool,
}

/// One line each, as cargo's own formatting has them.
fn dependencies(package: &str) -> Vec<Dependency> {
    let mut table = String::new();
    let mut found = Vec::new();
    for line in tree::read(format!("{package}/Cargo.toml")).lines() {
        if line.starts_with('[') {
            table = line.trim_matches(['[', ']']).to_owned();
        } else if let (true, Some(end)) =
            (table.ends_with("dependencies"), line.find(['.', ' ', '=']))
        {
            found.push(Dependency {
                name: line[..end].to_owned(),
                line: line.to_owned(),
                dev: table.ends_with("dev-dependencies"),
            });
        }
    }
    assert!(!found.is_empty(), "{package} has no dependencies: is its manifest read right?");
    found
}

/// The badges in README.md are files of the repository, so that they need no other site.
#[test]
fn badges_agree_with_the_manifest() {
    let manifest = tree::read("Cargo.toml");
    let value = |key: &str| {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{key} = ")));
        line.and_then(|line| line.split('"').nth(1)).expect("the manifest has the key").to_owned()
    };
    let limits = tree::read("docs/src/limits.md");
    let linux = limits.lines().find_map(|line| line.strip_prefix("## Linux "));
    let linux = linux.expect("docs/src/limits.md has a heading with the version of Linux");
    let readme = tree::read("README.md");
    let mut broken = Vec::new();
    for (name, label, shown, described) in [
        ("rust", "Rust", format!("{}+", value("rust-version")), "Rust "),
        ("licence", "licence", value("license"), "MIT or Apache-2.0"),
        ("platform", "platform", format!("Linux {linux}+"), "Linux "),
    ] {
        let badge = tree::read(format!("docs/src/picture/{name}.svg"));
        if !badge.contains(&format!("<title>{label}: {shown}</title>")) {
            broken.push(format!("docs/src/picture/{name}.svg: it should say {shown}"));
        }
        let version = shown.trim_start_matches(described).trim_end_matches('+');
        let line = readme.lines().find(|line| line.contains(&format!("picture/{name}.svg")));
        if name != "licence" && !line.is_some_and(|line| line.contains(version)) {
            broken.push(format!("README.md: the text of the badge {name} should say {version}"));
        }
    }
    tree::none("badges that do not agree with the manifest", &broken);
}
