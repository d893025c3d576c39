//! A listing that shows a file is the text of this file. The pages contain the text itself, so
//! that a listing is there wherever a page is read: in the book, in a checkout, on a code host.
//!
//! On the line before such a block of code, a comment names the file, by its path from the root:
//! `<!-- from: tests/recipes/src/tunnel.rs -->`. `UPDATE_EXPECT=1` writes all listings.

use std::fmt::Write as _;

use expect_test::expect_file;

use crate::documentation::{BOOK, pages};
use crate::tree;

#[test]
fn listings_are_the_text_of_their_files() {
    let mut found = 0;
    for page in pages() {
        let text = tree::read(&page);
        found += files(&text).count();
        let renewed = renew(&text, |file| shown(&tree::read(file)));
        let renewed = renewed.unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        expect_file![tree::root().join(&page)].assert_eq(&renewed);
    }
    assert!(found > 20, "only {found} listings were found");
}

/// Only mdBook carries out its directives: who reads the page elsewhere sees the directive.
#[test]
fn pages_have_no_directives_of_mdbook() {
    let pages = tree::files(BOOK, "md").into_iter();
    let broken = pages.filter(|page| tree::read(page).contains("{{#"));
    let broken: Vec<String> = broken.map(|page| page.display().to_string()).collect();
    tree::none("pages with `{{#…}}`; write `<!-- from: FILE -->` before the listing", &broken);
}

/// The files that the listings of a page show.
pub(crate) fn files(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter_map(file)
}

fn file(line: &str) -> Option<&str> {
    line.strip_prefix("<!-- from: ")?.strip_suffix(" -->")
}

/// What a listing shows of a file: not the attributes by which the workspace ignores tests.
fn shown(text: &str) -> String {
    let ignores = |line: &&str| line.starts_with("#[") && line.contains("ignore = \"");
    text.lines().filter(|line| !ignores(line)).flat_map(|line| [line, "\n"]).collect()
}

/// A page with the text of the files in its listings.
fn renew(page: &str, text: impl Fn(&str) -> String) -> Result<String, String> {
    let mut renewed = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(renewed, "{line}");
        let Some(file) = file(line) else { continue };
        let fence = lines.next().filter(|line| line.starts_with("```"));
        let fence = fence.ok_or_else(|| format!("no listing follows `{line}`"))?;
        let end = lines.find(|line| *line == "```");
        let end = end.ok_or_else(|| format!("the listing of `{file}` has no end"))?;
        let _ = write!(renewed, "{fence}\n{}{end}\n", text(file));
    }
    Ok(renewed)
}

#[test]
fn listings_are_recognised_and_renewed() {
    let page = "a\n<!-- from: b.rs -->\n```rust\nold\n```\nc\n```\nd\n```\n";
    let renewed = page.replace("old", "new");
    assert_eq!(files(page).collect::<Vec<_>>(), ["b.rs"]);
    assert_eq!(renew(page, |_| "new\n".to_owned()), Ok(renewed));
    assert!(renew("<!-- from: b.rs -->\na\n", |_| String::new()).is_err());
    assert!(renew("<!-- from: b.rs -->\n```\na\n", |_| String::new()).is_err());
    let text =
        "#[test]\n#[ignore = \"a\"]\n#[cfg_attr(b, ignore = \"c\")]\nfn d(\n    #[ignore] e: F,\n";
    assert_eq!(shown(text), "#[test]\nfn d(\n    #[ignore] e: F,\n");
}
