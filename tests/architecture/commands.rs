//! The commands of the pages, of the scripts and of the workflow for GitHub name what exists:
//! packages, targets, features, steps of `./check`, local actions.

use std::path::{Path, PathBuf};

use crate::documentation::pages;
use crate::tree;

#[test]
fn commands_name_what_exists() {
    let packages = packages();
    let mut broken = Vec::new();
    let mut checked = 0;
    for file in pages().into_iter().chain(scripts()) {
        for command in commands(&file, &tree::read(&file)) {
            for name in named(&command, &packages) {
                checked += 1;
                if let Err(what) = name {
                    broken.push(format!("{}: {command}: {what}", file.display()));
                }
            }
        }
    }
    assert!(checked > 60, "only {checked} names were found");
    tree::none("commands that name what does not exist", &broken);
}

fn scripts() -> impl Iterator<Item = PathBuf> {
    let scripts = ["check", ".ci/run", "docs/picture/make"].map(PathBuf::from);
    let actions = [".github/workflows", ".github/actions"];
    scripts
        .into_iter()
        .chain(actions.into_iter().flat_map(|directory| tree::files(directory, "yml")))
}

/// A package of the workspace.
struct Package {
    name: String,
    directory: PathBuf,
    manifest: String,
}

fn packages() -> Vec<Package> {
    let root = tree::read("Cargo.toml");
    let members = root.lines().find_map(|line| line.strip_prefix("members = ["));
    let members = members.expect("Cargo.toml has members").trim_end_matches(']').split(", ");
    let package = |member: &str| {
        let directory = PathBuf::from(member.trim_matches('"'));
        let manifest = tree::read(directory.join("Cargo.toml"));
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = "));
        let name = name.expect("a package has a name").trim_matches('"').to_owned();
        Package { name, directory, manifest }
    };
    members.map(package).collect()
}

impl Package {
    /// Whether it has a target of a kind: `test` or `bench`.
    fn has_target(&self, kind: &str, name: &str) -> bool {
        let listed = format!("[[{kind}]]\nname = \"{name}\"\n");
        let directory = if kind == "test" { "tests" } else { "benches" };
        let file = self.directory.join(directory).join(format!("{name}.rs"));
        self.manifest.contains(&listed) || tree::root().join(file).is_file()
    }

    fn has_feature(&self, name: &str) -> bool {
        let features = self.manifest.split("[features]\n").nth(1).unwrap_or_default();
        let features = features.split("\n[").next().unwrap_or_default();
        features.lines().any(|line| line.starts_with(&format!("{name} = [")))
    }
}

/// The lines of a file that can be commands, without comments. In Markdown, code has a line of
/// its own or stands between backticks.
fn commands(file: &Path, text: &str) -> Vec<String> {
    let is_page = file.extension().is_some_and(|extension| extension == "md");
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| is_page || !line.trim_start().starts_with('#'));
    let parts = lines.flat_map(|line| if is_page { line.split('`') } else { line.split('\0') });
    parts.map(|part| part.split(" #").next().unwrap_or_default().trim().to_owned()).collect()
}

/// What a command names, each with the reason if it does not exist.
fn named(command: &str, packages: &[Package]) -> Vec<Result<(), String>> {
    let words = command.split_whitespace().map(|word| word.trim_matches(['"', ';']));
    // What follows `--` is for another program.
    let words: Vec<&str> = words.take_while(|word| *word != "--").collect();
    let after = |option: &str| -> Vec<&str> {
        let pairs = words.windows(2).filter(|pair| pair[0] == option);
        pairs.map(|pair| pair[1]).filter(|value| !value.contains('$')).collect()
    };
    let exists = |is: bool, what: String| if is { Ok(()) } else { Err(format!("no {what}")) };
    let package = |name: &str| packages.iter().find(|package| package.name == name);
    let mut found = Vec::new();
    if words.contains(&"cargo") {
        // Others are those of a reader.
        let own: Vec<&str> =
            after("-p").into_iter().filter(|name| name.starts_with("nstest")).collect();
        found.extend(
            own.iter().map(|name| exists(package(name).is_some(), format!("package {name}"))),
        );
        let own: Vec<&Package> = own.into_iter().filter_map(package).collect();
        for (option, kind) in [("--test", "test"), ("--bench", "bench")] {
            for name in after(option).into_iter().filter(|_| !own.is_empty()) {
                let is = own.iter().any(|package| package.has_target(kind, name));
                found.push(exists(is, format!("{kind} {name}")));
            }
        }
        for feature in after("--features").iter().flat_map(|list| list.split(',')) {
            let is = match feature.split_once('/') {
                Some((name, feature)) => package(name).is_some_and(|it| it.has_feature(feature)),
                None => own.is_empty() || own.iter().any(|package| package.has_feature(feature)),
            };
            found.push(exists(is, format!("feature {feature}")));
        }
    }
    if let Some(at) = words.iter().position(|word| *word == "./check") {
        let steps = words[at + 1..].iter().filter(|word| **word != "--without");
        let steps = steps.take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()));
        let script = tree::read("check");
        let is = |step: &str| script.contains(&format!("\ncheck_{step}() {{"));
        found.extend(steps.map(|step| exists(is(step), format!("step {step}"))));
    }
    for path in after("uses:").into_iter().filter_map(|action| action.strip_prefix("./")) {
        let action = tree::root().join(path).join("action.yml");
        found.push(exists(action.is_file(), format!("action {path}")));
    }
    found
}

#[test]
fn names_in_commands_are_recognised() {
    let packages = packages();
    let wrong = |command: &str| -> Vec<String> {
        named(command, &packages).into_iter().filter_map(Result::err).collect()
    };
    assert_eq!(wrong("cargo test -p nstest-tests --test names; -- --test no"), [""; 0]);
    assert_eq!(wrong("cargo test -p nstest-no --test a"), ["no package nstest-no"]);
    assert_eq!(wrong("cargo test -p nstest-tests --test no"), ["no test no"]);
    assert_eq!(wrong("cargo bench -p nstest-tests --bench no"), ["no bench no"]);
    assert_eq!(wrong("cargo check -p nstest --features cli,no"), ["no feature no"]);
    assert_eq!(wrong("cargo test --features nstest/cli,nstest/no"), ["no feature nstest/no"]);
    assert_eq!(wrong("cargo test -p shop --test orders"), [""; 0]);
    assert_eq!(wrong("as_user ./check --without lint no"), ["no step no"]);
    assert_eq!(wrong("- uses: ./.github/actions/no"), ["no action .github/actions/no"]);
    let page = "a `./check a` b\n```sh\ncargo test \\\n    -p b # c\n```";
    let found = commands(Path::new("a.md"), page);
    assert!(found.contains(&"./check a".to_owned()), "{found:?}");
    assert!(found.contains(&"cargo test      -p b".to_owned()), "{found:?}");
    assert_eq!(commands(Path::new("a.yml"), "# cargo\n- run: cargo"), ["- run: cargo"]);
}
