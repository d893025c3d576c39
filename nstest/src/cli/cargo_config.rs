//! What cargo's configuration says of targets and of their runners.
//!
//! cargo itself is asked. It reads the files of all directories above, what these include, and
//! `--config`. Its command for that is unstable, which RUSTC_BOOTSTRAP permits.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// All that is configured.
#[derive(Debug)]
pub(super) struct CargoConfig(Value);

impl CargoConfig {
    /// `overrides`: the options `--config` of cargo's command line.
    ///
    /// # Errors
    /// What cargo prints, if something in it is wrong.
    pub(super) fn read(cargo: &OsStr, overrides: &[&OsStr]) -> Result<Self, String> {
        let mut command = Command::new(cargo);
        command.args(["config", "get", "-Z", "unstable-options", "--format", "json"]);
        command.args(overrides).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TERM_COLOR", "never");
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        serde_json::from_slice(&output.stdout).map(Self).map_err(|error| error.to_string())
    }

    /// `build.target`: one or several.
    pub(super) fn targets(&self) -> Vec<String> {
        let target = &self.0["build"]["target"];
        let all = target.as_array().map_or(std::slice::from_ref(target), Vec::as_slice);
        all.iter().filter_map(Value::as_str).map(target_name).collect()
    }

    /// `target.TARGET.runner`: a string or an array.
    pub(super) fn runner(&self, target: &str) -> Option<&Value> {
        self.0["target"][target].get("runner")
    }
}

#[cfg(test)]
impl From<Value> for CargoConfig {
    fn from(config: Value) -> Self {
        Self(config)
    }
}

/// The options `--config` among arguments of cargo.
pub(super) fn overrides(arguments: &[OsString]) -> Vec<&OsStr> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter().map(OsString::as_os_str);
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            found.extend(arguments.next().map(|value| [argument, value]).into_iter().flatten());
        } else if argument.as_encoded_bytes().starts_with(b"--config=") {
            found.push(argument);
        }
    }
    found
}

/// The values of an option of cargo or nextest, in each of its forms: `--name value`,
/// `--name=value`, `-n value`, `-nvalue`.
pub(super) fn values_of<'a>(
    arguments: &'a [OsString],
    names: &'a [&str],
) -> impl Iterator<Item = String> + 'a {
    let text = |argument: &OsString| argument.to_string_lossy().into_owned();
    arguments.iter().enumerate().filter_map(move |(index, argument)| {
        let argument = text(argument);
        names.iter().find_map(|name| match argument.strip_prefix(name)? {
            "" => arguments.get(index + 1).map(text),
            value if name.starts_with("--") => value.strip_prefix('=').map(str::to_owned),
            value => Some(value.trim_start_matches('=').to_owned()),
        })
    })
}

/// The name of a target in keys and variables. A target can also be given as a file.
pub(super) fn target_name(target: &str) -> String {
    let file = target.strip_suffix(".json").and_then(|path| Path::new(path).file_name()?.to_str());
    file.unwrap_or(target).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn targets_and_runners_are_found() {
        let config = CargoConfig::from(json!({
            "build": {"target": ["a", "sub/b.json"]},
            "target": {"a": {"runner": "x"}, "b": {"linker": "l"}},
        }));
        assert_eq!(config.targets(), ["a", "b"]);
        assert_eq!(config.runner("a"), Some(&json!("x")));
        assert!(["b", "c"].iter().all(|target| config.runner(target).is_none()));
        assert_eq!(CargoConfig::from(json!({"build": {"target": "c"}})).targets(), ["c"]);
        assert!(CargoConfig::from(json!({})).targets().is_empty());
    }

    #[test]
    fn overrides_are_options_with_a_value() {
        let arguments = ["--lib", "--config", "a=1", "--config=b", "--config-file=c", "--config"];
        let arguments = arguments.map(OsString::from);
        assert_eq!(overrides(&arguments), ["--config", "a=1", "--config=b"]);
    }
}
