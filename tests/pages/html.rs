//! The links and anchors of a page. mdBook writes attributes in one form: `name="value"`.

use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(crate) struct Page {
    /// The values of `href` and `src`.
    pub(crate) links: Vec<String>,
    /// The values of `id`.
    pub(crate) ids: BTreeSet<String>,
}

pub(crate) fn read(text: &str) -> Page {
    let mut page = Page::default();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = after(comment, "-->");
            continue;
        }
        let tag = &rest[..end_of_tag(rest)];
        rest = &rest[tag.len()..];
        for (name, value) in attributes(tag) {
            match name {
                "href" | "src" => page.links.push(value),
                "id" => drop(page.ids.insert(value)),
                _ => {}
            }
        }
        // What looks like a tag in a script is none.
        for element in ["script", "style"] {
            if tag.split_whitespace().next() == Some(element) {
                rest = after(rest, &format!("</{element}"));
            }
        }
    }
    page
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// Where the tag ends: a `>` in a value does not end it.
fn end_of_tag(text: &str) -> usize {
    let mut quoted = false;
    let end = text.find(|c| {
        quoted ^= c == '"';
        c == '>' && !quoted
    });
    end.unwrap_or(text.len())
}

fn attributes(tag: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = tag;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once("=\"")?;
        let (value, after) = after.split_once('"')?;
        rest = after;
        let name = before.split_whitespace().last().unwrap_or_default();
        Some((name, value.replace("&amp;", "&")))
    })
}

#[test]
fn links_and_anchors_are_read() {
    let page = read(
        r##"<!-- <a href="no"> --><p id="a">1 &lt; 2 href="no"</p>
        <a class="x > y" href="b.html?c&amp;d#e">b</a><img src="f.png"/>
        <script src="g.js">"<a href='no'>" + '<i id="no">'</script><i id="h">"##,
    );
    assert_eq!(page.links, ["b.html?c&d#e", "f.png", "g.js"]);
    assert_eq!(page.ids.into_iter().collect::<Vec<_>>(), ["a", "h"]);
}
