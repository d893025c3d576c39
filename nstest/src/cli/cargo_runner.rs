//! Makes nstest the target runner of cargo, which starts test binaries.

use std::ffi::{OsStr, OsString};

use serde_json::Value;

use super::cargo_config::{self, CargoConfig};

/// Finds out what is configured, and replaces it.
///
/// # Errors
/// Why that is not possible.
pub(super) fn install(
    cargo: &OsStr,
    arguments: &[OsString],
    runner: Vec<String>,
) -> Result<CargoRunner, String> {
    let read = |overrides: &[&OsStr]| {
        let config = CargoConfig::read(cargo, overrides);
        config.map_err(|error| format!("cannot read cargo's configuration: {error}"))
    };
    let overrides = cargo_config::overrides(arguments);
    let config = read(&overrides)?;
    let targets = targets(arguments, &config);
    if !overrides.is_empty() {
        let files = read(&[])?;
        let array = |target: &&String| config.runner(target).is_some_and(Value::is_array);
        let mut given =
            targets.iter().filter(array).filter(|it| config.runner(it) != files.runner(it));
        if let Some(target) = given.next() {
            return Err(format!(
                "`--config` has a runner for the target {target}; leave it out, since nstest itself is the runner"
            ));
        }
    }
    CargoRunner::new(&config, &targets, runner)
}

/// What has cargo use nstest as the runner of each target.
#[derive(Debug, Default)]
pub(super) struct CargoRunner {
    /// Of its command line.
    pub(super) options: Vec<String>,
    pub(super) variables: Vec<(String, String)>,
}

impl CargoRunner {
    /// cargo joins arrays of a key, and refuses an array beside a string. So a string replaces a
    /// string, and a variable replaces an array of a file. cargo divides both at white space.
    fn new(config: &CargoConfig, targets: &[String], words: Vec<String>) -> Result<Self, String> {
        let configured = targets.iter().find(|target| config.runner(target).is_some());
        if let Some(target) = configured.filter(|_| words[0].contains(char::is_whitespace)) {
            return Err(format!(
                "cargo's configuration has a runner for the target {target}, which nstest cannot replace, since the path of this program has white space: {}; install it in another directory",
                words[0]
            ));
        }
        let (arrays, others): (Vec<_>, Vec<_>) =
            targets.iter().partition(|it| config.runner(it).is_some_and(Value::is_array));
        let names: Vec<String> = arrays.into_iter().map(|it| variable(it)).collect();
        let words = without_variables(&names, words);
        let line = words.join(" ");
        let quoted: Vec<String> = words.iter().map(|word| toml_string(word)).collect();
        let array = format!("[{}]", quoted.join(", "));
        let option = |target: &String| {
            let string = config.runner(target).map(|_| toml_string(&line));
            let value = string.as_ref().unwrap_or(&array);
            format!("target.{}.runner = {value}", toml_string(target))
        };
        // The last one is for any other target.
        let all = config.runner(ALL).is_none().then(|| format!("target.'{ALL}'.runner = {array}"));
        let options = others.into_iter().map(option).chain(all);
        let options = options.flat_map(|option| ["--config".to_owned(), option]).collect();
        let variables = names.into_iter().map(|name| (name, line.clone())).collect();
        Ok(Self { options, variables })
    }
}

/// The key of all targets. That with the name of a target has precedence over it.
const ALL: &str = "cfg(all())";

/// The targets of this machine, and those that are asked for.
fn targets(arguments: &[OsString], config: &CargoConfig) -> Vec<String> {
    let mut targets: Vec<String> =
        ["gnu", "musl"].map(|env| format!("{}-unknown-linux-{env}", std::env::consts::ARCH)).into();
    let given = cargo_config::values_of(arguments, &["--target"]);
    let given = given.chain(std::env::var("CARGO_BUILD_TARGET"));
    targets.extend(given.map(|it| cargo_config::target_name(&it)));
    targets.extend(config.targets());
    targets.sort();
    targets.dedup();
    targets
}

/// The environment variable that is the runner of this target.
fn variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_RUNNER", target.to_uppercase().replace(['-', '.'], "_"))
}

/// The runner, and test binaries do not get these variables: they may start cargo, too.
fn without_variables(names: &[String], runner: Vec<String>) -> Vec<String> {
    if names.is_empty() {
        return runner;
    }
    let unset = names.iter().flat_map(|name| ["-u".to_owned(), name.clone()]);
    ["env".to_owned()].into_iter().chain(unset).chain(runner).collect()
}

/// A basic string of TOML.
fn toml_string(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn targets_of_all_sources_are_known() {
        let arguments = ["--target", "a", "--lib", "--target=b.json"].map(OsString::from);
        let config = CargoConfig::from(json!({"build": {"target": "c"}}));
        let targets = targets(&arguments, &config);
        for target in ["a", "b", "c"] {
            assert!(targets.contains(&target.to_owned()), "{targets:?}");
        }
    }

    #[test]
    fn a_runner_replaces_what_is_configured() {
        let config = CargoConfig::from(json!({
            "target": {"s": {"runner": "sudo -E"}, "a-1": {"runner": ["sudo"]}}
        }));
        let of = |config: &CargoConfig, program: &str| {
            CargoRunner::new(config, &words("s|a-1|n"), words(&format!("{program}|wrap|--")))
        };
        let runner = of(&config, "/nstest").unwrap();
        let line = "env -u CARGO_TARGET_A_1_RUNNER /nstest wrap --";
        assert_eq!(runner.variables, [("CARGO_TARGET_A_1_RUNNER".to_owned(), line.to_owned())]);
        let array = r#"["env", "-u", "CARGO_TARGET_A_1_RUNNER", "/nstest", "wrap", "--"]"#;
        let options = [
            "--config",
            &format!(r#"target."s".runner = "{line}""#),
            "--config",
            &format!(r#"target."n".runner = {array}"#),
            "--config",
            &format!("target.'cfg(all())'.runner = {array}"),
        ];
        assert_eq!(runner.options, options);
        assert!(of(&config, "/my programs/nstest").unwrap_err().contains("white space"));
        let others = CargoConfig::from(json!({"target": {"cfg(all())": {"runner": "sudo"}}}));
        let runner = of(&others, "/my programs/nstest").unwrap();
        assert!(runner.variables.is_empty());
        assert!(runner.options.iter().all(|option| !option.contains("cfg")), "{runner:?}");
    }

    #[test]
    fn paths_are_quoted_as_toml() {
        assert_eq!(toml_string("/a b/c"), r#""/a b/c""#);
        assert_eq!(toml_string("a\"b\\c\n"), r#""a\"b\\c\u000A""#);
    }
}
