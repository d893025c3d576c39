//! One name, one thing: no two types of the runtime have the same name.

use std::collections::BTreeMap;

use crate::source::code;
use crate::tree;

/// Files and directories that belong to tests, and the module that replaces others.
const EXEMPT: [&str; 5] = ["tests", "tests.rs", "testing.rs", "recorded", "stub"];

#[test]
fn each_name_stands_for_one_type() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in tree::files("nstest-core/src", "rs") {
        if file.iter().any(|part| EXEMPT.iter().any(|name| part == *name)) {
            continue;
        }
        for name in types(&code(&tree::read(&file))) {
            places.entry(name).or_default().push(file.display().to_string());
        }
    }
    let broken: Vec<String> = places
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    tree::none("names that stand for more than one type", &broken);
}

/// The names of the types and traits that a text defines. The associated types of a trait
/// are not among them: their names are the trait's.
fn types(code: &str) -> Vec<String> {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    let mut names = Vec::new();
    for line in code[..end].lines() {
        let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
        // `pub(in crate::world)` is two words.
        let word = words.find(|word| !word.starts_with("crate::")).unwrap_or_default();
        let is_item = matches!(word, "struct" | "enum" | "trait" | "union")
            || (word == "type" && !line.starts_with(' '));
        let name = words.next().filter(|_| is_item).unwrap_or_default();
        let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
        names.extend((!name.is_empty()).then_some(name));
    }
    names
}

#[test]
fn types_are_found_and_associated_types_are_not() {
    let code = "pub(in crate::a) struct A<T>;\nimpl B for A {\n    type Err = E;\n}\ntype C = u8;\n\
                    enum D {}\nfn f(x: struct_like) {}";
    assert_eq!(types(code), ["A", "C", "D"]);
}
