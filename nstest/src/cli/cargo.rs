//! `cargo nstest test`: a test suite in network namespaces, by nextest or `cargo test`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::Args;
use nstest_core::private::cli::replace_process;

use super::run::World;
use super::{FAILED, nextest};

/// Runs the tests of a package in network namespaces of their own.
///
/// With nextest, each test has namespaces of its own; with `cargo test`, each test binary.
/// Nothing in the package has to change. Options of this command come before those of cargo.
#[derive(Debug, Args)]
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
        let runner = match self.runner() {
            Ok(runner) => runner,
            Err(error) => {
                return super::fail(FAILED, format_args!("cannot find this program: {error}"));
            }
        };
        let mut command = Command::new(&cargo);
        let targets = targets(&self.arguments);
        let (keys, runner) = if configures_a_runner() && !divided(&runner) {
            let names = variables(&targets);
            let runner = without_variables(&names, runner);
            command.envs(names.into_iter().map(|name| (name, runner.join(" "))));
            (runner_keys(&[]), runner)
        } else {
            (runner_keys(&targets), runner)
        };
        let words: Vec<String> = runner.iter().map(|word| toml_string(word)).collect();
        let runner = format!("[{}]", words.join(", "));
        let runners =
            keys.iter().flat_map(|key| ["--config".to_owned(), format!("{key} = {runner}")]);
        if self.no_nextest || !nextest::is_installed(cargo_homes().next()) {
            let why = if self.no_nextest { "" } else { " (cargo-nextest is not installed)" };
            super::say(format_args!(
                "nstest: cargo test{why}: a network namespace for each test binary"
            ));
            command.arg("test").args(runners);
        } else {
            if let Some((file, script)) = nextest::script_in_place_of_the_runner() {
                let file = file.display();
                return super::fail(
                    FAILED,
                    format_args!(
                        "`{file}` has nextest start tests with the wrapper script `{script}`, and without namespaces; add `target-runner = \"within-wrapper\"` below [scripts.wrapper.{script}]"
                    ),
                );
            }
            super::say(format_args!(
                "nstest: cargo nextest run: a network namespace for each test"
            ));
            command.args(["nextest", "run"]).args(runners);
        }
        if takes_separator(&self.arguments) {
            command.arg("--");
        }
        let error = replace_process(command.args(&self.arguments));
        super::run::not_started(&cargo, &error)
    }

    /// What starts test binaries: this program.
    fn runner(&self) -> std::io::Result<Vec<String>> {
        let program = std::env::current_exe()?;
        let mut words = vec![program.to_string_lossy().into_owned(), "wrap".to_owned()];
        words.extend(self.world.arguments());
        words.push("--".to_owned());
        Ok(words)
    }
}

/// The targets of this machine, and those that are asked for.
fn targets(arguments: &[OsString]) -> Vec<String> {
    let arguments: Vec<_> = arguments.iter().map(|it| it.to_string_lossy()).collect();
    let mut targets: Vec<String> =
        ["gnu", "musl"].map(|env| format!("{}-unknown-linux-{env}", std::env::consts::ARCH)).into();
    let next = arguments.windows(2).filter(|pair| pair[0] == "--target").map(|pair| &*pair[1]);
    let same = arguments.iter().filter_map(|it| it.strip_prefix("--target="));
    targets.extend(next.chain(same).map(str::to_owned));
    targets.extend(std::env::var("CARGO_BUILD_TARGET"));
    targets.sort();
    targets.dedup();
    targets
}

/// The keys of cargo's configuration that name the target runner. A key with the name of the
/// target has precedence over the others, so it must not keep another runner.
fn runner_keys(targets: &[String]) -> Vec<String> {
    let named = targets.iter().map(|target| format!("target.{}.runner", toml_string(target)));
    ["target.'cfg(all())'.runner".to_owned()].into_iter().chain(named).collect()
}

/// Whether a file of cargo's configuration may name a runner. cargo refuses an array beside a
/// string of the same key. So the runner of a target is then replaced by the environment, which
/// has precedence over files.
fn configures_a_runner() -> bool {
    let current = std::env::current_dir().unwrap_or_default();
    let home = cargo_homes().flat_map(|home| ["config.toml", "config"].map(|it| home.join(it)));
    let above = current
        .ancestors()
        .flat_map(|dir| [".cargo/config.toml", ".cargo/config"].map(|it| dir.join(it)));
    above
        .chain(home)
        .any(|file| std::fs::read_to_string(file).is_ok_and(|it| it.contains("runner")))
}

/// Whether cargo would divide a word of this runner: it divides variables at white space.
fn divided(runner: &[String]) -> bool {
    runner.iter().any(|word| word.contains(char::is_whitespace))
}

/// The environment variables that are the runners of these targets.
fn variables(targets: &[String]) -> Vec<String> {
    let name = |target: &String| target.to_uppercase().replace(['-', '.'], "_");
    targets.iter().map(|target| format!("CARGO_TARGET_{}_RUNNER", name(target))).collect()
}

/// The runner, and test binaries do not get these variables: they may start cargo, too.
fn without_variables(names: &[String], runner: Vec<String>) -> Vec<String> {
    let unset = names.iter().flat_map(|name| ["-u".to_owned(), name.clone()]);
    ["env".to_owned()].into_iter().chain(unset).chain(runner).collect()
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
    use super::*;

    #[test]
    fn the_runners_of_all_targets_are_replaced() {
        let arguments = ["--target", "a", "--lib", "--target=b"].map(OsString::from);
        let keys = runner_keys(&targets(&arguments));
        for key in ["'cfg(all())'", r#""a""#, r#""b""#] {
            assert!(keys.contains(&format!("target.{key}.runner")), "{keys:?}");
        }
    }

    #[test]
    fn a_runner_in_the_environment_removes_itself_from_it() {
        let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        let names = variables(&words("x86_64-unknown-linux-gnu"));
        assert_eq!(names, ["CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER"]);
        let runner = without_variables(&names, words("/bin/cargo-nstest|wrap|--"));
        assert_eq!(runner.join("|"), format!("env|-u|{}|/bin/cargo-nstest|wrap|--", names[0]));
        assert!(!divided(&runner));
        assert!(divided(&words("/my programs/cargo-nstest|wrap")));
    }

    #[test]
    fn paths_are_quoted_as_toml() {
        assert_eq!(toml_string("/a b/c"), r#""/a b/c""#);
        assert_eq!(toml_string("a\"b\\c\n"), r#""a\"b\\c\u000A""#);
    }
}
