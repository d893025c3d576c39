//! Builds the book by mdBook, without a warning, and checks what a browser follows: each
//! link of each page, and each anchor in a link.
//!
//! `tests/architecture` checks the links in the sources, without mdBook. This test finds what
//! they do not show: mdBook's own anchors, its side bar, files that it does not copy.

mod html;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use mdbook_driver::MDBook;

#[test]
fn the_book_builds_without_a_warning_and_its_links_have_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize();
    let root = root.expect("the repository is there");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("book");
    let warnings = warnings::during(|| build(&root.join("docs"), &built));
    assert!(warnings.is_empty(), "warnings of mdBook:\n{}", warnings.join("\n"));

    let pages = pages(&built);
    assert!(pages.len() > 20, "only {} pages were built", pages.len());
    let mut broken = Vec::new();
    let mut checked = 0;
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !is_elsewhere(link)) {
            checked += 1;
            if let Err(what) = follow(path, link, &pages, &built, &root) {
                broken.push(format!("{}: {link}: {what}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links without a target:\n{}", broken.join("\n"));
    assert!(checked > 1000, "only {checked} links were found");
    fs::remove_dir_all(&built).expect("remove the book");
}

fn build(book: &Path, built: &Path) {
    let mut book = MDBook::load(book).expect("load the book");
    // A page of SUMMARY.md that does not exist is an error.
    book.config.build.create_missing = false;
    book.config.build.build_dir = built.to_owned();
    book.build().expect("build the book");
}

/// A page that mdBook wrote, by its path in the book.
type Pages = BTreeMap<PathBuf, html::Page>;

fn pages(built: &Path) -> Pages {
    let mut pages = Pages::new();
    let mut directories = vec![built.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("read a directory of the book") {
            let path = entry.expect("read an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "html") {
                let name = path.strip_prefix(built).expect("it is in the book").to_owned();
                let text = fs::read_to_string(&path).expect("read a page");
                pages.insert(name, html::read(&text));
            }
        }
    }
    // A server shows it at any address, so its links begin at the root of the server.
    pages.remove(Path::new("404.html"));
    pages
}

fn is_elsewhere(link: &str) -> bool {
    ["https:", "http:", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
}

fn follow(
    from: &Path,
    link: &str,
    pages: &Pages,
    built: &Path,
    root: &Path,
) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(p, a)| (p, Some(a)));
    let path = path.split('?').next().unwrap_or_default();
    let directory = from.parent().expect("a page is in a directory");
    let Some(target) =
        (if path.is_empty() { Some(from.to_owned()) } else { join(directory, path) })
    else {
        // A file of the repository. The pages are in docs/src, as the built ones in the book.
        let outside = root.join("docs/src").join(directory).join(path);
        return if outside.exists() { Ok(()) } else { Err("no such file in the repository") };
    };
    if !built.join(&target).is_file() {
        return Err("no such file in the book");
    }
    let Some(anchor) = anchor.filter(|anchor| !anchor.is_empty()) else { return Ok(()) };
    let ids: Option<&BTreeSet<String>> = pages.get(&target).map(|page| &page.ids);
    match ids {
        Some(ids) if ids.contains(anchor) => Ok(()),
        _ => Err("no such heading"),
    }
}

/// The path that a relative link leads to, or none if it leaves the book.
fn join(directory: &Path, link: &str) -> Option<PathBuf> {
    let mut joined = PathBuf::new();
    for component in directory.join(link).components() {
        match component {
            Component::ParentDir => joined.pop().then_some(())?,
            Component::Normal(name) => joined.push(name),
            _ => {}
        }
    }
    Some(joined)
}

#[test]
fn a_link_without_a_target_is_found() {
    let a = html::read(r##"<h1 id="top">x</h1><a href="b/c.html#d">c</a>"##);
    let pages = Pages::from([(PathBuf::from("a.html"), a)]);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = |link| follow(Path::new("a.html"), link, &pages, here, here);
    assert_eq!(check("#top"), Err("no such file in the book"));
    assert_eq!(check("../a"), Err("no such file in the repository"));
    assert_eq!(join(Path::new("a/b"), "../../c.html"), Some(PathBuf::from("c.html")));
    assert_eq!(join(Path::new("a"), "../../c.html"), None);
}
