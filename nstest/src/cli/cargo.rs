//! `cargo nstest test`: a test suite in network namespaces, by nextest or `cargo test`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;
use nstest_core::private::cli::replace_process;
use serde_json::Value;

use super::cargo_config::{self, CargoConfig};
use super::run::World;
use super::{FAILED, USAGE, nextest};

/// Runs the tests of a package in network namespaces of their own.
///
/// With nextest, each test has namespaces of its own; with `cargo test`, each test binary.
/// Nothing in the package has to change. Options of this command come before those of cargo.
///
/// nextest runs no doctests: `cargo nstest test --no-nextest --doc` does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo nstest test
  cargo nstest test --peers 1 -p my-server -E 'binary(net)'
  cargo nstest test --no-nextest -p my-server -- --test-threads=1")]
pub(super) struct CargoTest {
    /// Use `cargo test`, also if nextest is installed.
    #[arg(long)]
    no_nextest: bool,

    #[command(flatten)]
    world: World,

    /// Arguments of `cargo nextest run` or `cargo test`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

impl CargoTest {
    pub(super) fn execute(self) -> ExitCode {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let runner = match self.runner().and_then(|runner| self.install(&cargo, runner)) {
            Ok(runner) => runner,
            Err(error) => return super::fail(FAILED, error),
        };
        let Runner { options, variables } = runner;
        let (of_cargo, others) = self.arguments.split_at(self.separator());
        let mut command = Command::new(&cargo);
        // Of several options for one key, cargo takes the last, and nextest the first.
        if self.no_nextest || !nextest::is_installed(cargo_homes().next()) {
            let why = if self.no_nextest { "" } else { " (cargo-nextest is not installed)" };
            super::say(format_args!(
                "nstest: cargo test{why}: a network namespace for each test binary"
            ));
            command.arg("test").args(of_cargo).args(options);
        } else {
            let found = nextest::script_in_place_of_the_runner(&cargo, &self.arguments);
            if let Some((file, script)) = found {
                let file = file.display();
                return super::fail(
                    FAILED,
                    format_args!(
                        "`{file}` has nextest start tests with the wrapper script `{script}`, and without namespaces; add `target-runner = \"within-wrapper\"` below [scripts.wrapper.{script}]"
                    ),
                );
            }
            if wants_doctests(&self.arguments) && !takes_separator(&self.arguments) {
                return super::fail(
                    USAGE,
                    "nextest runs no doctests, but cargo test does: `cargo nstest test --no-nextest --doc`",
                );
            }
            super::say(format_args!(
                "nstest: cargo nextest run: a network namespace for each test; no doctests"
            ));
            command.args(["nextest", "run"]).args(options).args(of_cargo);
        }
        if takes_separator(&self.arguments) {
            command.arg("--");
        }
        let error = replace_process(command.args(others).envs(variables));
        super::run::not_started(&cargo, &error)
    }

    /// Where the arguments end that are for cargo or nextest.
    fn separator(&self) -> usize {
        if takes_separator(&self.arguments) {
            return 0;
        }
        let separator = self.arguments.iter().position(|it| it == "--");
        separator.unwrap_or(self.arguments.len())
    }

    /// What starts test binaries: this program.
    fn runner(&self) -> Result<Vec<String>, String> {
        let program = std::env::current_exe();
        let program = program.map_err(|error| format!("cannot find this program: {error}"))?;
        let mut words = vec![program.to_string_lossy().into_owned(), "wrap".to_owned()];
        words.extend(self.world.arguments());
        words.push("--".to_owned());
        Ok(words)
    }

    /// How cargo is told the runner of each target.
    fn install(&self, cargo: &OsStr, runner: Vec<String>) -> Result<Runner, String> {
        let before = &self.arguments[..self.separator()];
        let read = |overrides: &[&OsStr]| {
            let config = CargoConfig::read(cargo, overrides);
            config.map_err(|error| format!("cannot read cargo's configuration: {error}"))
        };
        let overrides = cargo_config::overrides(before);
        let config = read(&overrides)?;
        let targets = targets(before, &config);
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
        Runner::new(&config, &targets, runner)
    }
}

/// How cargo is told the runner.
#[derive(Debug, Default)]
struct Runner {
    /// Of its command line.
    options: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Runner {
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
    let arguments: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
    let mut targets: Vec<String> =
        ["gnu", "musl"].map(|env| format!("{}-unknown-linux-{env}", std::env::consts::ARCH)).into();
    let next = arguments.windows(2).filter(|pair| pair[0] == "--target").map(|pair| &*pair[1]);
    let same = arguments.iter().filter_map(|it| it.strip_prefix("--target="));
    targets.extend(next.chain(same).map(cargo_config::target_name));
    targets.extend(std::env::var("CARGO_BUILD_TARGET").map(|it| cargo_config::target_name(&it)));
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

/// Whether cargo is asked for doctests only.
fn wants_doctests(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|it| *it != "--").any(|it| it == "--doc")
}

/// Whether these arguments began with `--`, which is for cargo: clap takes it for itself.
fn takes_separator(arguments: &[OsString]) -> bool {
    let separators = |all: &mut dyn Iterator<Item = OsString>| all.filter(|it| it == "--").count();
    separators(&mut std::env::args_os()) > separators(&mut arguments.iter().cloned())
}

/// The directory of cargo's own files is the first of these.
fn cargo_homes() -> impl Iterator<Item = PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let user = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    home.into_iter().chain(user)
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
            Runner::new(config, &words("s|a-1|n"), words(&format!("{program}|wrap|--")))
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
