//! `cargo nstest test`: a test suite in network namespaces, by nextest or `cargo test`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use super::cargo_runner::{self, CargoRunner};
use super::run::World;
use super::{FAILED, nextest};
use clap::Args;
use clap::error::ErrorKind;
use nstest_core::private::cli::replace_process;

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
        let mut command = Command::new(&cargo);
        if let Err(refused) = self.complete(&mut command) {
            return refused;
        }
        let error = replace_process(&mut command);
        super::run::not_started(&cargo, &error)
    }

    /// Completes a command of cargo. An error has been printed.
    fn complete(&self, command: &mut Command) -> Result<(), ExitCode> {
        let (of_cargo, others) = self.arguments.split_at(self.separator());
        let uses_nextest = !self.no_nextest && nextest::is_installed(cargo_homes().next());
        check_options(of_cargo, uses_nextest)?;
        let cargo = command.get_program().to_owned();
        let failed = |message| super::fail(FAILED, message);
        let runner = self.runner().and_then(|words| cargo_runner::install(&cargo, of_cargo, words));
        let CargoRunner { options, variables } = runner.map_err(failed)?;
        // Of several options for one key, nextest takes the first, and cargo the last.
        if uses_nextest {
            check_scripts(&cargo, of_cargo).map_err(failed)?;
            super::say(format_args!(
                "nstest: cargo nextest run: a network namespace for each test; no doctests"
            ));
            command.args(["nextest", "run"]).args(options).args(of_cargo);
        } else {
            let why = if self.no_nextest { "" } else { " (cargo-nextest is not installed)" };
            super::say(format_args!(
                "nstest: cargo test{why}: a network namespace for each test binary"
            ));
            command.arg("test").args(of_cargo).args(options);
        }
        if takes_separator(&self.arguments) {
            command.arg("--");
        }
        command.args(others).envs(variables);
        Ok(())
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
}

/// Refuses options of nstest among those of cargo, and what nextest does not do.
fn check_options(of_cargo: &[OsString], uses_nextest: bool) -> Result<(), ExitCode> {
    let mut test = CargoTest::augment_args(clap::Command::new("cargo nstest test"));
    let own: Vec<String> =
        test.get_arguments().filter_map(|it| Some(format!("--{}", it.get_long()?))).collect();
    let given = of_cargo.iter().map(|it| it.to_string_lossy());
    let mut names = given.map(|it| it.split('=').next().unwrap_or_default().to_owned());
    let wrong = if let Some(name) = names.find(|name| own.contains(name)) {
        format!("`{name}` is an option of nstest: these come before those of cargo and nextest")
    } else if uses_nextest && of_cargo.iter().any(|it| it == "--doc") {
        "nextest runs no doctests, but cargo test does: `cargo nstest test --no-nextest --doc`"
            .to_owned()
    } else {
        return Ok(());
    };
    Err(super::refuse(&test.error(ErrorKind::UnknownArgument, wrong)))
}

/// Refuses wrapper scripts of nextest with which tests are not isolated.
fn check_scripts(cargo: &OsStr, of_cargo: &[OsString]) -> Result<(), String> {
    let found = nextest::script_in_place_of_the_runner(cargo, of_cargo);
    found.map_or(Ok(()), |(file, script)| {
        Err(format!(
            "`{}` has nextest start tests with the wrapper script `{script}`, and without namespaces; add `target-runner = \"within-wrapper\"` below [scripts.wrapper.{script}]",
            file.display()
        ))
    })
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
