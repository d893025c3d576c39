//! The description of `events.jsonl` and the sample of it are true.

use super::*;

/// A page of the book, or a file of this package.
fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// How the page names a type.
fn type_name(rust: &str) -> String {
    let inner = |prefix: &str| rust.strip_prefix(prefix)?.strip_suffix('>');
    if let Some(optional) = inner("Option<") {
        return format!("{} or null", type_name(optional));
    }
    if let Some(item) = inner("Vec<") {
        return format!("list of {}s", type_name(item));
    }
    match rust {
        "String" => "text".to_owned(),
        "bool" => "boolean".to_owned(),
        "u8" | "u32" | "u64" => "number".to_owned(),
        "Fate" => "fate".to_owned(),
        other => panic!("name {other} for the page"),
    }
}

/// The page has a section for each kind, in the order of the source, with a table of its
/// fields: name, type, meaning.
#[test]
fn the_book_describes_all_kinds_and_fields() {
    let page = read("../docs/src/events.md");
    let sections: Vec<&str> = page.split("\n### `").skip(1).collect();
    let described: Vec<String> = sections
        .iter()
        .map(|section| {
            let name = section.split('`').next().unwrap_or_default();
            let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
            let fields = rows.map(|row| {
                let mut cells = row.split(" | ");
                let field = cells.next().unwrap_or_default().trim_end_matches('`');
                format!("{field}: {}", cells.next().unwrap_or_default())
            });
            format!("{name} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let expected: Vec<String> = KINDS
        .iter()
        .map(|(name, fields)| {
            let fields = fields.iter().map(|(name, rust)| format!("{name}: {}", type_name(rust)));
            format!("{name} {{ {} }}", fields.collect::<Vec<_>>().join(", "))
        })
        .collect();
    if let Some(kind) = expected.iter().find(|kind| !described.contains(kind)) {
        panic!("describe in docs/src/events.md: {kind}\nthe page has: {described:#?}");
    }
    assert_eq!(described, expected, "docs/src/events.md has more, or another order");
}

/// The sample is what tests of the report show, so all kinds and fields in it exist.
#[test]
fn the_sample_has_the_form_of_records() {
    for line in read("src/evidence/report/sample.jsonl").lines() {
        let mut names = line.split(",\"").skip(1).filter_map(|rest| rest.split_once("\":"));
        let (_, rest) = names.next().unwrap_or_else(|| panic!("no event: {line}"));
        let kind = KINDS.iter().find(|(name, _)| rest.trim_matches('"') == *name);
        let (_, fields) = kind.unwrap_or_else(|| panic!("no kind {rest}: {line}"));
        for (name, _) in names {
            let of_fate = ["fault", "delay"].contains(&name);
            let known = of_fate || fields.iter().any(|(field, _)| *field == name);
            assert!(known, "no field `{name}`: {line}");
        }
    }
}
