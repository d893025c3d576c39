//! The links of the documentation: those within the repository have a target, those to other
//! sites have one spelling. `tests/pages` checks the built book.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::documentation::{BOOK, pages};
use crate::tree;

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

/// Code and messages name pages of the book by their path from the root.
#[test]
fn pages_that_the_code_names_exist() {
    let mut broken = Vec::new();
    let mut found = 0;
    for file in code() {
        let text = tree::read(&file);
        for (at, _) in text.match_indices("docs/src/") {
            let name =
                text[at..].split(|c: char| !c.is_ascii_alphanumeric() && !"/._-#".contains(c));
            let name = name.take(1).collect::<String>();
            let name = name.trim_end_matches(['.', '#']);
            if !name.contains(".md") {
                continue;
            }
            found += 1;
            if !has_target(Path::new("x"), name) {
                broken.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(found > 20, "only {found} pages were found");
    tree::none("pages that do not exist", &broken);
}

/// The sites are not asked: a test needs no network.
#[test]
fn links_to_other_sites_have_one_spelling() {
    let mut spellings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut broken = Vec::new();
    for file in pages().into_iter().chain(code()) {
        let text = tree::read(&file);
        let markdown = file.extension().is_some_and(|extension| extension == "md");
        let text = if markdown { prose(&text) } else { documentation(&text) };
        for link in urls(&text) {
            if let Err(what) = check_url(link) {
                broken.push(format!("{}: {link}: {what}", file.display()));
            }
            let same = spellings.entry(canonical(link)).or_default();
            if !same.iter().any(|other| other == link) {
                same.push(link.to_owned());
            }
        }
    }
    broken.extend(spellings.values().filter(|same| same.len() > 1).map(|same| same.join(" and ")));
    assert!(spellings.len() > 10, "only {} links were found", spellings.len());
    tree::none("links to other sites that are wrong, or have two spellings", &broken);
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

/// The sources of the packages and of the tests.
fn code() -> impl Iterator<Item = PathBuf> {
    let directories = ["nstest", "nstest-core", "nstest-macros", "tests"];
    directories.into_iter().flat_map(|directory| tree::files(directory, "rs"))
}

/// The lines of a source file that rustdoc shows.
fn documentation(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    let shown = lines.filter_map(|l| l.strip_prefix("///").or_else(|| l.strip_prefix("//!")));
    shown.collect::<Vec<_>>().join("\n")
}

fn urls(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "<>()\"`|*[]".contains(c))
        .filter(|word| word.starts_with("https://") || word.starts_with("http://"))
        .map(|word| word.trim_end_matches(['.', ',', ';', ':']))
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let Some(rest) = url.strip_prefix("https://") else { return Err("use https") };
    let host = rest.split(['/', '#', '?']).next().unwrap_or_default();
    if !host.contains('.') || host.ends_with('.') {
        return Err("there is no host in it");
    }
    if host.chars().any(|c| c.is_ascii_uppercase()) {
        return Err("write the host in lower case");
    }
    Ok(())
}

/// What two spellings of a link have in common.
fn canonical(url: &str) -> String {
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let url = url.strip_prefix("www.").unwrap_or(url);
    url.replacen(".html", "", 1).replace("/#", "#").trim_end_matches('/').to_lowercase()
}

#[test]
fn headings_links_and_code_are_recognised() {
    assert_eq!(anchors("# A `b`: c-d\n```sh\n# no\n```\n## E"), ["a-b-c-d", "e"]);
    let text = prose("[a](b.md) `[no](x)` [c](d#e)\n```\n[no](y)\n```\n[f]()");
    assert_eq!(links(&text).collect::<Vec<_>>(), ["b.md", "d#e", ""]);
}

#[test]
fn links_to_other_sites_are_recognised() {
    let found: Vec<&str> =
        urls("[a](https://b.example/c). <https://d.example/>, https://e.f:").collect();
    assert_eq!(found, ["https://b.example/c", "https://d.example/", "https://e.f"]);
    assert_eq!(canonical("http://www.B.example/c/"), canonical("https://b.example/c"));
    assert_ne!(canonical("https://b.example/c#d"), canonical("https://b.example/c"));
    assert!(check_url("http://b.example").is_err() && check_url("https://b").is_err());
}
