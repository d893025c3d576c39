//! What `cargo nstest test` has to know about nextest.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

use super::cargo_config::values_of;

/// The file of a workspace, below its root.
const CONFIGURATION: &str = ".config/nextest.toml";

/// The profile from which each other one takes what it does not set.
const DEFAULT_PROFILE: &str = "default";

/// Whether it is installed: cargo looks for it beside the programs that it installs, and in `PATH`.
pub(super) fn is_installed(cargo_home: Option<PathBuf>) -> bool {
    let installed = cargo_home.map(|home| home.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("cargo-nextest{}", std::env::consts::EXE_SUFFIX);
    installed.into_iter().chain(std::env::split_paths(&path)).any(|dir| dir.join(&name).is_file())
}

/// A wrapper script that nextest is configured to start tests with, in place of the target runner,
/// and the file that says so. Such tests would not be isolated.
pub(super) fn script_in_place_of_the_runner(
    cargo: &OsStr,
    arguments: &[OsString],
) -> Option<(PathBuf, String)> {
    let profile = value_of(arguments, &["--profile", "-P"])
        .or_else(|| std::env::var("NEXTEST_PROFILE").ok())
        .unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    configurations(cargo, arguments).into_iter().find_map(|file| {
        // What is wrong with it, nextest reports.
        let text = std::fs::read_to_string(&file).ok()?;
        let script = without_runner(&text.parse().ok()?, &profile)?;
        Some((file, script))
    })
}

/// The files that nextest reads, with these arguments.
fn configurations(cargo: &OsStr, arguments: &[OsString]) -> Vec<PathBuf> {
    let of_tools = values_of(arguments, &["--tool-config-file"]);
    let of_tools = of_tools.filter_map(|it| it.split_once(':').map(|(_, file)| file.into()));
    let own = value_of(arguments, &["--config-file"]).map(PathBuf::from);
    own.or_else(|| of_workspace(cargo, arguments)).into_iter().chain(of_tools).collect()
}

/// The file of the workspace, if there is one.
fn of_workspace(cargo: &OsStr, arguments: &[OsString]) -> Option<PathBuf> {
    let manifest = value_of(arguments, &["--manifest-path"]);
    let current = std::env::current_dir().ok()?;
    let package = manifest.as_deref().map(|it| current.join(it));
    let package = package.as_deref().and_then(Path::parent).unwrap_or(&current);
    let mut above = package.ancestors().map(|directory| directory.join(CONFIGURATION));
    // cargo is asked only if it matters.
    let nearest = above.find(|file| file.exists())?;
    let mut command = Command::new(cargo);
    command.args(["locate-project", "--workspace", "--message-format", "plain"]);
    command.args(manifest.iter().flat_map(|it| ["--manifest-path", it]));
    let output = command.output().ok().filter(|output| output.status.success());
    // Without a workspace, tests can be those of an archive.
    let Some(output) = output else { return Some(nearest) };
    let manifest = String::from_utf8(output.stdout).ok()?;
    Some(Path::new(manifest.trim()).parent()?.join(CONFIGURATION))
}

fn value_of(arguments: &[OsString], names: &[&str]) -> Option<String> {
    values_of(arguments, names).next()
}

/// The name of a wrapper script that this profile starts tests with, and that does not keep the
/// runner.
fn without_runner(configuration: &Table, profile: &str) -> Option<String> {
    let scripts = configuration.get("scripts").and_then(|it| it.get("wrapper"));
    let used = profiles(configuration, profile).into_iter().flat_map(|profile| {
        let rules = profile.get("scripts").and_then(Value::as_array);
        rules.into_iter().flatten().filter_map(|rule| rule.get("run-wrapper")?.as_str())
    });
    used.filter(|name| scripts.and_then(|it| it.get(name)).is_some_and(|it| !keeps_runner(it)))
        .map(str::to_owned)
        .next()
}

/// A profile, and those from which it inherits.
fn profiles<'a>(configuration: &'a Table, profile: &str) -> Vec<&'a Value> {
    let all = configuration.get("profile");
    let mut names = vec![profile];
    let mut found = Vec::new();
    while let Some(name) = names.pop() {
        let profile = all.and_then(|it| it.get(name));
        found.extend(profile);
        let parent = profile.and_then(|it| it.get("inherits")).and_then(Value::as_str);
        let parent = parent.unwrap_or(DEFAULT_PROFILE);
        // nextest refuses profiles that inherit in a circle.
        if name != DEFAULT_PROFILE && found.len() < 100 {
            names.push(parent);
        }
    }
    found
}

/// Whether tests with this script are isolated: it keeps the runner, or is nstest itself.
fn keeps_runner(script: &Value) -> bool {
    let kept = script.get("target-runner").and_then(Value::as_str).is_some_and(|it| it != "ignore");
    let command = script.get("command");
    let command = command.and_then(|it| it.get("command-line")).or(command);
    let program = match command {
        Some(Value::Array(words)) => words.first().and_then(Value::as_str),
        Some(Value::String(line)) => line.split_whitespace().next(),
        _ => None,
    };
    let name = program.and_then(|program| Path::new(program).file_name()?.to_str());
    kept || matches!(name, Some("nstest" | "cargo-nstest"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script `w`, used by the profile `default`.
    fn replacing(script: &str) -> Option<String> {
        let rule = "[[profile.default.scripts]]\nfilter = \"all()\"\nrun-wrapper = \"w\"\n";
        without_runner(&format!("{script}\n{rule}").parse().unwrap(), DEFAULT_PROFILE)
    }

    #[test]
    fn a_script_replaces_the_runner_unless_it_says_otherwise() {
        for replaces in [
            "[scripts.wrapper.w]\ncommand = \"env\"",
            "[scripts.wrapper.w]\ncommand = \"env\"\ntarget-runner = \"ignore\"",
            "  [ scripts . wrapper . \"w\" ] # a comment\ncommand = ['env', 'A=1']",
            "[scripts.wrapper]\nw = { command = { command-line = \"env\", relative-to = \"target\" } }",
            "[scripts]\nwrapper.w.command = \"env\"",
            "scripts.wrapper.w.command = \"env\"",
        ] {
            assert_eq!(replacing(replaces).as_deref(), Some("w"), "{replaces}");
        }
        for keeps in [
            "[scripts.wrapper.w]\ncommand = \"env\"\ntarget-runner = \"within-wrapper\"",
            "[scripts.wrapper.w]\ncommand = \"env\"\ntarget-runner='around-wrapper'",
            "[scripts.wrapper.w]\ncommand = \"nstest wrap --peers 1\"",
            "[scripts.wrapper.w]\ncommand = [\"/a b/nstest\", \"wrap\"]",
            "[scripts.wrapper.v]\ncommand = \"env\"",
            "# [scripts.wrapper.w]",
        ] {
            assert_eq!(replacing(keeps), None, "{keeps}");
        }
    }

    #[test]
    fn the_scripts_of_the_profile_count_and_of_those_above_it() {
        let script = "[scripts.wrapper.w]\ncommand = \"env\"\n[profile.ci]\ninherits = \"base\"\n";
        let used_by = |profile: &str, key: &str| -> Table {
            format!("{script}[[profile.{profile}.scripts]]\n{key} = \"w\"\n").parse().unwrap()
        };
        for (used, profile, replaces) in [
            ("default", "default", true),
            ("default", "ci", true),
            ("base", "ci", true),
            ("ci", "ci", true),
            ("ci", "default", false),
            ("base", "default", false),
        ] {
            let found = without_runner(&used_by(used, "run-wrapper"), profile);
            assert_eq!(found.is_some(), replaces, "{used}, {profile}");
        }
        assert_eq!(without_runner(&used_by("ci", "list-wrapper"), "ci"), None);
    }

    #[test]
    fn options_have_several_forms() {
        for text in ["-P ci", "-Pci", "-P=ci", "--profile ci", "--lib --profile=ci -- --profile x"]
        {
            let arguments: Vec<_> = text.split(' ').map(OsString::from).collect();
            assert_eq!(value_of(&arguments, &["--profile", "-P"]).as_deref(), Some("ci"), "{text}");
        }
        let arguments = ["--profiles=x", "-p", "ci"].map(OsString::from);
        assert_eq!(value_of(&arguments, &["--profile", "-P"]), None);
    }
}
