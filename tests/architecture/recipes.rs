//! The recipes of the book are the files that are tested, and need the versions that are tested.

use crate::tree;

const PAGES: &str = "docs/src/recipes";
const FILES: &str = "tests/recipes";

/// mdBook prints an error for an include without a target, and goes on.
#[test]
fn included_listings_exist() {
    let mut broken = Vec::new();
    for page in tree::files("docs/src", "md") {
        let directory = page.parent().expect("a page is in a directory");
        for include in includes(&tree::read(&page)) {
            let (path, anchor) = include.split_once(':').unwrap_or((&include, ""));
            let file = directory.join(path);
            let found = tree::root().join(&file).is_file()
                && (anchor.is_empty() || has_anchor(&tree::read(&file), anchor));
            if !found {
                broken.push(format!("{}: {include}", page.display()));
            }
        }
    }
    tree::none("listings that do not exist", &broken);
}

#[test]
fn all_recipes_are_in_the_book() {
    let pages: String = tree::files(PAGES, "md").into_iter().map(tree::read).collect();
    let broken: Vec<String> = tree::files(FILES, "rs")
        .into_iter()
        .filter(|file| {
            let text = tree::read(file);
            let is_test = ["#[netns", "#[nstest::test]", "nstest::enter()"]
                .iter()
                .any(|mark| text.contains(mark));
            let path = format!("../../../{}", file.display());
            is_test && !includes(&pages).any(|it| it.split(':').next() == Some(&path))
        })
        .map(|file| file.display().to_string())
        .collect();
    tree::none(&format!("recipes that no page of {PAGES} includes"), &broken);
}

/// `name = "version"` or `name = { version = "version", … }`, as cargo's own formatting has it.
#[test]
fn recipes_need_the_versions_that_are_tested() {
    let manifest = tree::read("Cargo.toml");
    let tested = |name: &str| manifest.lines().filter_map(requirement).find(|it| it.0 == name);
    let mut broken = Vec::new();
    for page in tree::files(PAGES, "md") {
        for line in toml(&tree::read(&page)) {
            let Some((name, version)) = requirement(&line) else { continue };
            // `1` of a page is satisfied by what `1.44` of the workspace chooses.
            let is_tested = tested(name).is_some_and(|(_, tested)| {
                tested == version || tested.starts_with(&format!("{version}."))
            });
            if !is_tested {
                broken.push(format!("{}: {line}", page.display()));
            }
        }
    }
    tree::none("dependencies that are not those of Cargo.toml", &broken);
}

fn requirement(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" = ")?;
    let version = match value.strip_prefix('{') {
        Some(table) => table.split_once("version = ")?.1,
        None => value,
    };
    Some((name, version.strip_prefix('"')?.split('"').next()?))
}

/// The lines of `[dev-dependencies]` on a page.
fn toml(page: &str) -> impl Iterator<Item = String> {
    let blocks = page.split("```toml\n[dev-dependencies]\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next()?.split("\n[").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// What a page includes: the path from the page, and behind a colon the anchor.
fn includes(page: &str) -> impl Iterator<Item = String> {
    let parts = page.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next());
    parts.map(|part| part.trim().to_owned()).collect::<Vec<_>>().into_iter()
}

fn has_anchor(file: &str, anchor: &str) -> bool {
    let line = |word: &str| file.lines().any(|it| it.trim() == format!("// {word}: {anchor}"));
    line("ANCHOR") && line("ANCHOR_END")
}

#[test]
fn includes_and_requirements_are_recognised() {
    let page = "```toml\n[dev-dependencies]\na = \"1\"\n\n[[bench]]\nb = \"2\"\n```\n{{#include ../x.rs:y}}\n{{#include z.rs}}";
    assert_eq!(includes(page).collect::<Vec<_>>(), ["../x.rs:y", "z.rs"]);
    assert_eq!(toml(page).collect::<Vec<_>>(), ["a = \"1\""]);
    assert_eq!(requirement("a = \"1.2\""), Some(("a", "1.2")));
    assert_eq!(requirement("a = { version = \"1\", features = [\"b\"] }"), Some(("a", "1")));
    assert!(has_anchor("// ANCHOR: y\n// ANCHOR_END: y\n", "y") && !has_anchor("", "y"));
}
