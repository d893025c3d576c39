//! No circles between the files of a directory.
//!
//! `imports` checks the modules directly below `src`. This checks every directory below
//! them: two of its files must not need each other, directly or through others. A
//! directory that is used like a file counts as one. `mod.rs` is the map of its directory
//! and does not count; what it re-exports belongs to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::source::code;
use crate::tree;

/// Files and directories that belong to tests.
const TESTS: [&str; 5] = ["tests", "tests.rs", "testing.rs", "snapshots", "recorded"];

#[test]
fn files_of_a_directory_form_no_circle() {
    let mut broken = Vec::new();
    for package in ["nstest", "nstest-core", "nstest-macros"] {
        let source = format!("{package}/src");
        for (directory, files) in circles(&Crate::read(&source)) {
            let place = [std::slice::from_ref(&source), directory.as_slice()].concat().join("/");
            broken.push(format!("{place}: {}", files.join(", ")));
        }
    }
    tree::none("files of a directory that need each other", &broken);
}

/// A module, by its names from the root of its crate.
type Module = Vec<String>;

/// The text of a crate's modules without comments, literals and tests.
#[derive(Default)]
struct Crate(BTreeMap<Module, String>);

impl Crate {
    fn read(source: &str) -> Self {
        let mut modules = Self::default();
        for file in tree::files(source, "rs") {
            let below = file.strip_prefix(source).expect("it was found there");
            if !below.iter().any(|part| TESTS.iter().any(|name| part == *name)) {
                modules.add(below, &tree::read(&file));
            }
        }
        modules
    }

    fn add(&mut self, file: &Path, text: &str) {
        let mut module: Module =
            file.with_extension("").iter().map(|part| part.to_string_lossy().into()).collect();
        if module.last().is_some_and(|name| name == "mod" || name == "lib") {
            module.pop();
        }
        let text = code(text);
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        self.0.insert(module, text[..end].to_owned());
    }

    /// Whether there is a module of this name in `directory`.
    fn contains(&self, directory: &[String], name: &str) -> bool {
        self.0.keys().any(|module| {
            module.starts_with(directory) && module.get(directory.len()).is_some_and(|n| n == name)
        })
    }

    /// Where an item is defined, if the module before it re-exports it.
    fn definition(&self, path: Module) -> Module {
        for length in 0..path.len() {
            let (directory, rest) = path.split_at(length);
            let Some(text) = self.0.get(directory) else { continue };
            if self.contains(directory, &rest[0]) {
                continue;
            }
            let exported = statements(text).filter(|(exported, _)| *exported);
            let found = exported
                .flat_map(|(_, tree)| paths(directory, tree))
                .find(|path| path.last() == Some(&rest[0]) && *path != directory);
            if let Some(mut found) = found.filter(|found| found.len() <= path.len() + 2) {
                found.extend_from_slice(&rest[1..]);
                return found;
            }
        }
        path
    }
}

/// The circles in every directory of a crate.
fn circles(modules: &Crate) -> Vec<(Module, Vec<String>)> {
    let mut needs: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, text) in &modules.0 {
        for path in used(module, text) {
            let path = modules.definition(path);
            let common = module.iter().zip(&path).take_while(|(a, b)| a == b).count();
            let (Some(from), Some(to)) = (module.get(common), path.get(common)) else { continue };
            let directory = &module[..common];
            if modules.contains(directory, to) && !directory.is_empty() {
                let files = needs.entry(directory.to_vec()).or_default();
                files.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    let mut found = Vec::new();
    for (directory, needs) in needs {
        let mut rest: BTreeSet<&String> = needs.keys().collect();
        while let Some(first) = rest.pop_first() {
            let mut circle = vec![first.clone()];
            rest.retain(|other| {
                let both = reaches(&needs, first, other) && reaches(&needs, other, first);
                circle.extend(both.then(|| (*other).clone()));
                !both
            });
            if circle.len() > 1 {
                found.push((directory.clone(), circle));
            }
        }
    }
    found
}

fn reaches(needs: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let (mut seen, mut pending) = (BTreeSet::new(), vec![from]);
    while let Some(file) = pending.pop() {
        for next in needs.get(file).into_iter().flatten() {
            if next == to {
                return true;
            }
            if seen.insert(next) {
                pending.push(next);
            }
        }
    }
    false
}

/// The paths that a module uses in its statements and its code. Its re-exports are not
/// among them.
fn used(module: &[String], text: &str) -> Vec<Module> {
    let mut code = text.to_owned();
    for (exported, tree) in statements(text) {
        if exported {
            code = code.replace(tree, "");
        }
    }
    let mut found = Vec::new();
    for (word, from) in [
        ("crate::", &[] as &[String]),
        ("super::", &module[..module.len().saturating_sub(1)]),
        ("self::", module),
    ] {
        for (at, _) in code.match_indices(word) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c == '$' || c == '_' || c == ':' || c.is_alphanumeric()) {
                found.extend(paths(from, &code[at + word.len()..]));
            }
        }
    }
    found
}

/// The trees of all `use` statements, and whether they are public.
fn statements(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.match_indices("use ").filter_map(|(at, word)| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default().trim();
        let tree = text[at + word.len()..].split(';').next()?;
        (line.is_empty() || line.starts_with("pub")).then_some((!line.is_empty(), tree))
    })
}

/// The paths of a `use` tree, or the one path of an expression.
fn paths(from: &[String], tree: &str) -> Vec<Module> {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        return items(group).iter().flat_map(|item| paths(from, item)).collect();
    }
    let word: String = tree.chars().take_while(|c| *c == '_' || c.is_alphanumeric()).collect();
    let to = match word.as_str() {
        "" | "self" => from.to_vec(),
        "crate" => Vec::new(),
        "super" => from[..from.len().saturating_sub(1)].to_vec(),
        _ => [from, std::slice::from_ref(&word)].concat(),
    };
    match tree[word.len()..].trim_start().strip_prefix("::") {
        Some(rest) => paths(&to, rest),
        None => vec![to],
    }
}

/// The items of a brace group, up to its end.
fn items(group: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => {
                items.push(&group[start..at]);
                break;
            }
            ',' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
            }
            _ => depth += i32::from(c == '{') - i32::from(c == '}'),
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

#[test]
fn circles_are_found_through_other_files_and_re_exports() {
    let mut modules = Crate::default();
    for (file, text) in [
        ("a/mod.rs", "mod b;\npub(crate) use d::D;\nuse b::B;"),
        ("a/b.rs", "use super::c::{self, C};\npub struct B;"),
        ("a/c.rs", "use super::D;\npub struct C;"),
        ("a/d.rs", "pub struct D;\nfn f() { crate::a::b::g(); }"),
        ("a/e.rs", "use super::{b::B, c};"),
        ("f.rs", "use crate::a::D;"),
    ] {
        modules.add(Path::new(file), text);
    }
    let names = |names: &[&str]| names.iter().map(|name| String::from(*name)).collect::<Vec<_>>();
    assert_eq!(circles(&modules), [(names(&["a"]), names(&["b", "c", "d"]))]);
}
