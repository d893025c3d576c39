//! The recipes of the book: all files are on a page, and need the versions that are tested.

use std::path::Path;

use crate::{listings, tree};

const PAGES: &str = "docs/src/recipes";
const FILES: &str = "tests/recipes";

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
            is_test && !listings::files(&pages).any(|shown| file == Path::new(shown))
        })
        .map(|file| file.display().to_string())
        .collect();
    tree::none(&format!("recipes that no page of {PAGES} shows"), &broken);
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

#[test]
fn requirements_are_recognised() {
    let page = "```toml\n[dev-dependencies]\na = \"1\"\n\n[[bench]]\nb = \"2\"\n```\n";
    assert_eq!(toml(page).collect::<Vec<_>>(), ["a = \"1\""]);
    assert_eq!(requirement("a = \"1.2\""), Some(("a", "1.2")));
    assert_eq!(requirement("a = { version = \"1\", features = [\"b\"] }"), Some(("a", "1")));
}
