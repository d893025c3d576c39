//! `docs/public-api.txt` lists the public API, so that each change of it is seen in a review.
//! This test compares it with what rustdoc shows of `nstest` with all features: declarations,
//! functions of types, and implementations of traits, those of `Send` and `Sync`, too. Blanket
//! implementations, and what is hidden from the documentation, are not in the list.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use expect_test::expect_file;

/// Traits of the standard library that are not stable.
const UNSTABLE: [&str; 3] = ["Freeze", "StructuralPartialEq", "UnsafeUnpin"];

const HEADING: &str = "# The public API of nstest with all features. `UPDATE_EXPECT=1 ./check api` writes this file.\n\n";

#[test]
fn the_public_api_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target");
    let documentation = target.join("doc/nstest");
    // cargo may have documented private items there.
    let _ = std::fs::remove_dir_all(&documentation);
    let status = Command::new(env!("CARGO"))
        .args(["doc", "--quiet", "--package", "nstest", "--no-deps", "--all-features"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(&root)
        .status();
    assert!(status.expect("start cargo").success(), "cargo doc failed");
    let mut pages = BTreeMap::new();
    read(&documentation, "nstest", &mut pages);
    assert!(pages.len() > 50, "only {} items are documented", pages.len());
    let list: String = pages.into_iter().map(|(path, lines)| listed(&path, &lines)).collect();
    expect_file![root.join("docs/public-api.txt")].assert_eq(&format!("{HEADING}{list}"));
}

fn listed(path: &str, lines: &[String]) -> String {
    let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!("{path}\n{lines}")
}

/// Reads the page of each item of a module, and of those below it.
fn read(directory: &Path, module: &str, pages: &mut BTreeMap<String, Vec<String>>) {
    for entry in std::fs::read_dir(directory).expect("read the documentation") {
        let path = entry.expect("read an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            read(&path, &format!("{module}::{name}"), pages);
        } else if let [kind, item, "html"] = name.split('.').collect::<Vec<_>>()[..] {
            let text = std::fs::read_to_string(&path).expect("read a page");
            pages.insert(format!("{module}::{item} ({kind})"), items(&text, kind));
        }
    }
}

/// What the page of an item declares.
fn items(page: &str, kind: &str) -> Vec<String> {
    let page = page.split("id=\"blanket-implementations\"").next().unwrap_or_default();
    let mut found = Vec::new();
    if let Some(code) = between(page, "<pre class=\"rust item-decl\"><code>", "</code></pre>") {
        found.push(text(code));
    }
    let (mut functions, mut implementations) = (Vec::new(), Vec::new());
    for section in page.split("<section id=\"").skip(1) {
        let class = between(section, "class=\"", "\"").unwrap_or_default();
        let Some(header) = between(section, "class=\"code-header\">", "</h") else { continue };
        let header = text(header);
        let of_trait = class.contains("trait-impl") || kind == "trait";
        match class {
            "impl" if header.starts_with("impl") => implementations.push(header),
            "method" | "associatedconstant" if !of_trait => functions.push(header),
            _ => {}
        }
    }
    let is_unstable =
        |line: &str| UNSTABLE.iter().any(|name| line.contains(&format!(" {name} for ")));
    implementations.retain(|line| line.contains(" for ") && !is_unstable(line));
    implementations.sort();
    implementations.dedup();
    found.extend(functions);
    // Those that are only a name stand on one line.
    let is_name = |line: &str| line.split(' ').count() == 4 && !line.contains('<');
    let (names, others): (Vec<_>, Vec<_>) =
        implementations.into_iter().partition(|line| kind != "trait" && is_name(line));
    let names: Vec<&str> = names.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    if !names.is_empty() {
        found.push(format!("impl {}", names.join(", ")));
    }
    found.extend(others);
    found
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

/// The text of HTML, on one line.
fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.replace("</div>", " ").replace("<div", " <div").split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, after)| after));
    }
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace("( ", "(").replace(", )", ")")
}

#[test]
fn declarations_are_read() {
    let page = r#"<pre class="rust item-decl"><code><div class="code-attribute">#[must_use]</div>pub struct
        A&lt;<a href="b">B</a>&gt;(<span>/* private fields */</span>);</code></pre>
        <section id="impl-A" class="impl"><h3 class="code-header">impl <a>A</a></h3></section>
        <section id="method.new" class="method"><h4 class="code-header">pub fn <a>new</a>() -&gt; A</h4></section>
        <section id="impl-Clone-for-A" class="impl"><h3 class="code-header">impl Clone for A</h3></section>
        <section id="method.clone" class="method trait-impl"><h4 class="code-header">fn clone(&amp;self)</h4></section>
        <h2 id="blanket-implementations"></h2>
        <section id="impl-Any-for-T" class="impl"><h3 class="code-header">impl Any for T</h3></section>"#;
    assert_eq!(
        items(page, "struct"),
        ["#[must_use] pub struct A<B>(/* private fields */);", "pub fn new() -> A", "impl Clone"]
    );
}
