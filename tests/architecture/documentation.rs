//! The documentation is consistent: links have a target, the table of contents is
//! complete, examples and commands are those of users.

use std::path::{Path, PathBuf};

use crate::{imports, tree};

const BOOK: &str = "docs/src";

#[test]
fn links_have_a_target() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = prose(&tree::read(&page));
        for link in links(&text) {
            let outside = ["https://", "http://", "mailto:"].iter().any(|s| link.starts_with(s));
            // How mdBook marks a chapter that is not written yet.
            let draft = link.is_empty() && page.ends_with("SUMMARY.md");
            if !outside && !draft && !has_target(&page, link) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    tree::none("links without a target", &broken);
}

#[test]
fn the_table_of_contents_is_complete() {
    let summary = tree::read(Path::new(BOOK).join("SUMMARY.md"));
    let listed: Vec<PathBuf> = links(&summary).map(|link| Path::new(BOOK).join(link)).collect();
    let broken: Vec<String> = tree::files(BOOK, "md")
        .into_iter()
        .filter(|page| !page.ends_with("SUMMARY.md") && !listed.contains(page))
        .map(|page| page.display().to_string())
        .collect();
    tree::none(&format!("pages that {BOOK}/SUMMARY.md does not list"), &broken);
}

/// The map lists the modules of each package in the order of the table of imports.
#[test]
fn the_map_lists_all_modules_in_order() {
    let map = tree::read(Path::new(BOOK).join("architecture.md"));
    let mut broken = Vec::new();
    for (package, modules) in imports::TABLE.iter().filter(|(_, modules)| !modules.is_empty()) {
        let section = map.split("\n## ").find(|text| text.starts_with(&format!("`{package}`")));
        let lines = section.unwrap_or_default().lines();
        let rows = lines.skip_while(|line| *line != "| module | what it does |").skip(2);
        let listed: Vec<&str> =
            rows.map_while(|row| row.strip_prefix("| `")?.split('`').next()).collect();
        let expected: Vec<&str> = modules.iter().map(|(name, _)| *name).collect();
        if listed != expected {
            broken.push(format!("{package}: {}", expected.join(", ")));
        }
    }
    tree::none("modules that docs/src/architecture.md should list in this order", &broken);
}

/// The two ways on the map name functions with their files, as `` `name` (`file`) ``.
#[test]
fn functions_on_a_way_are_where_the_map_says() {
    let map = tree::read(Path::new(BOOK).join("architecture.md"));
    let mut broken = Vec::new();
    for (title, home) in [("A condition's way", ""), ("A test's way", "runner")] {
        let way = map.split(&format!("#### {title}\n")).nth(1).expect("the map has this section");
        let way = way.split("\n#").next().unwrap_or_default().replace('\n', " ");
        let parts: Vec<&str> = way.split('`').collect();
        let mut steps = 0;
        for place in parts[1..].windows(3).step_by(2) {
            let [name, between, file] = place else { continue };
            if !between.trim_end().ends_with('(') || !file.ends_with(".rs") {
                continue;
            }
            let source = Path::new("nstest-core/src");
            let directory = if file.starts_with("sys/") { source } else { &source.join(home) };
            let path = directory.join(file);
            let function = format!("fn {name}");
            if !tree::root().join(&path).exists() || !tree::read(&path).contains(&function) {
                broken.push(format!("{name} in {}", path.display()));
            }
            steps += 1;
        }
        assert!(steps > 8, "only {steps} functions were found in {title}");
    }
    tree::none("functions that docs/src/architecture.md names in the wrong file", &broken);
}

/// All pages: the book, and the files that GitHub shows.
fn pages() -> Vec<PathBuf> {
    let mut pages = tree::files(BOOK, "md");
    let shown = ["README", "CONTRIBUTING", "CHANGELOG", "SECURITY", "CODE_OF_CONDUCT"];
    pages.extend(shown.map(|name| PathBuf::from(format!("{name}.md"))));
    pages
}

fn has_target(page: &Path, link: &str) -> bool {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(p, a)| (p, Some(a)));
    let directory = page.parent().expect("a page is in a directory");
    let target = if path.is_empty() { page.to_owned() } else { directory.join(path) };
    if !tree::root().join(&target).exists() {
        return false;
    }
    anchor.is_none_or(|anchor| anchors(&tree::read(&target)).iter().any(|known| known == anchor))
}

/// The anchors that mdBook and GitHub give to headings: lower case, with hyphens for
/// spaces and without punctuation.
fn anchors(text: &str) -> Vec<String> {
    without_fences(text)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The targets of inline links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](").filter_map(|(at, open)| {
        let target = &text[at + open.len()..];
        Some(target[..target.find(')')?].trim())
    })
}

/// The text without code, where something may look like a link.
fn prose(text: &str) -> String {
    let text = without_fences(text);
    text.lines()
        .map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join(""))
        .collect::<Vec<_>>()
        .join("\n")
}

fn without_fences(text: &str) -> String {
    let mut code = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        if !code && !fence {
            lines.push(line);
        }
    }
    lines.join("\n")
}

/// Users depend on `nstest`; an example that imports `nstest_core` does not
/// compile for them.
#[test]
fn examples_import_the_facade() {
    let mut broken = Vec::new();
    let sources = ["nstest", "nstest-core", "nstest-macros"]
        .into_iter()
        .flat_map(|package| tree::files(&format!("{package}/src"), "rs"));
    for file in sources.chain(pages()) {
        let rust = file.extension().is_some_and(|extension| extension == "rs");
        for (number, line) in tree::read(&file).lines().enumerate() {
            let line = line.trim_start();
            let documentation = !rust || line.starts_with("///") || line.starts_with("//!");
            if documentation && line.contains("nstest_core") {
                broken.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    tree::none("documentation that names `nstest_core` instead of `nstest`", &broken);
}

#[test]
fn all_pages_name_the_same_test_command() {
    let command = "./check test";
    let broken: Vec<String> = ["README.md", "CONTRIBUTING.md", "check", ".ci/run"]
        .into_iter()
        .filter(|file| !tree::read(file).lines().any(|line| line.contains(command)))
        .map(str::to_owned)
        .collect();
    tree::none(&format!("files that should name `{command}`, as the others do"), &broken);
}

#[test]
fn headings_links_and_code_are_recognised() {
    assert_eq!(anchors("# A `b`: c-d\n```sh\n# no\n```\n## E"), ["a-b-c-d", "e"]);
    let text = prose("[a](b.md) `[no](x)` [c](d#e)\n```\n[no](y)\n```\n[f]()");
    assert_eq!(links(&text).collect::<Vec<_>>(), ["b.md", "d#e", ""]);
}
