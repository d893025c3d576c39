//! The documentation is consistent with the code, and examples and commands are those of
//! users.

use std::path::{Path, PathBuf};

use crate::{imports, tree};

pub(crate) const BOOK: &str = "docs/src";

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
pub(crate) fn pages() -> Vec<PathBuf> {
    let mut pages = tree::files(BOOK, "md");
    let shown = ["README", "CONTRIBUTING", "CHANGELOG", "SECURITY", "CODE_OF_CONDUCT"];
    pages.extend(shown.map(|name| PathBuf::from(format!("{name}.md"))));
    pages
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

/// Hidden lines (`# use …`) are not copied with the example.
#[test]
fn examples_import_their_attributes() {
    let mut broken = Vec::new();
    let mut found = 0;
    let sources = ["nstest/src", "nstest-core/src", "nstest-macros/src"];
    for file in sources.iter().flat_map(|directory| tree::files(directory, "rs")) {
        for example in examples(&tree::read(&file)) {
            let used = ["netns_test", "netns"].into_iter().filter(|name| {
                [']', '('].iter().any(|end| example.contains(&format!("#[{name}{end}")))
            });
            for name in used {
                found += 1;
                let mut imports = example.lines().filter(|line| line.starts_with("use nstest::"));
                let words = |line: &str| {
                    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
                };
                if !imports.any(words) {
                    broken.push(format!("{}: `{name}` in\n{example}", file.display()));
                }
            }
        }
    }
    assert!(found > 10, "only {found} attributes were found");
    tree::none("examples that do not import an attribute which they use", &broken);
}

/// The blocks of code in the documentation of a source file, without hidden lines.
fn examples(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter_map(|l| l.strip_prefix("///").or_else(|| l.strip_prefix("//!")));
    let text: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    let blocks = text.join("\n");
    let is_shown = |line: &&str| *line != "#" && !line.starts_with("# ");
    let shown = |block: &str| block.lines().filter(is_shown).collect::<Vec<_>>().join("\n");
    blocks.split("```").skip(1).step_by(2).map(shown).collect()
}

#[test]
fn examples_are_recognised() {
    let text = "/// a\n/// ```\n/// # use b;\n/// use c;\n/// #[d]\n/// ```\nfn e() {}\n    //! ```\n    //! f\n    //! ```\n";
    assert_eq!(examples(text), ["\nuse c;\n#[d]", "\nf"]);
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
