//! What `cargo nstest test` has to know about nextest.

use std::path::PathBuf;

/// The file of a workspace, below its root.
const CONFIGURATION: &str = ".config/nextest.toml";

/// Whether it is installed: cargo looks for it beside the programs that it installs, and in `PATH`.
pub(super) fn is_installed(cargo_home: Option<PathBuf>) -> bool {
    let installed = cargo_home.map(|home| home.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("cargo-nextest{}", std::env::consts::EXE_SUFFIX);
    installed.into_iter().chain(std::env::split_paths(&path)).any(|dir| dir.join(&name).is_file())
}

/// A wrapper script that nextest is configured to start tests with, in place of the target runner,
/// and the file that says so. Such tests would not be isolated.
pub(super) fn script_in_place_of_the_runner() -> Option<(PathBuf, String)> {
    let current = std::env::current_dir().ok()?;
    current.ancestors().find_map(|directory| {
        let file = directory.join(CONFIGURATION);
        let script = without_runner(&std::fs::read_to_string(&file).ok()?)?;
        Some((file, script))
    })
}

/// The name of a wrapper script without a `target-runner` that keeps the runner.
fn without_runner(configuration: &str) -> Option<String> {
    if !configuration.contains("run-wrapper") {
        return None;
    }
    let tables = configuration.split("\n[").filter_map(|table| table.split_once(']'));
    let scripts = tables.filter_map(|(name, keys)| {
        Some((name.trim_start_matches('[').strip_prefix("scripts.wrapper.")?, keys))
    });
    let mut replacing = scripts.filter(|(_, keys)| {
        let mut lines = keys.lines().map(|line| line.replace([' ', '\'', '"'], ""));
        let value = lines.find_map(|line| line.strip_prefix("target-runner=").map(str::to_owned));
        value.is_none_or(|value| value.starts_with("ignore"))
    });
    replacing.next().map(|(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_replaces_the_runner_unless_it_says_otherwise() {
        let file = |keys: &str| {
            format!(
                "experimental = [\"wrapper-scripts\"]\n[scripts.wrapper.w]\ncommand = \"env\"\n{keys}\n\
                 [[profile.default.scripts]]\nfilter = \"all()\"\nrun-wrapper = \"w\"\n"
            )
        };
        for replaces in ["", "target-runner = \"ignore\""] {
            assert_eq!(without_runner(&file(replaces)).as_deref(), Some("w"), "{replaces}");
        }
        for keeps in ["target-runner = \"within-wrapper\"", "target-runner='around-wrapper'"] {
            assert_eq!(without_runner(&file(keeps)), None, "{keeps}");
        }
        assert_eq!(without_runner(&file("").replace("run-wrapper", "list-wrapper")), None);
        assert_eq!(without_runner("[profile.default]\nretries = 2\n"), None);
    }
}
