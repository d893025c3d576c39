//! `nstest wrap` and `cargo nstest test`: suites of others, unchanged.

use std::fs;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use nstest_tests::cargo::outside_of_test;
use nstest_tests::directory::Directory;
use nstest_tests::executable;

use crate::command::{Ended, cargo_nstest, nstest};

#[test]
fn a_binary_that_lists_its_tests_is_not_isolated() {
    let script = "[ -d /run/nstest ] && echo isolated; echo \"$1: test\"";
    for (first, listed) in [("--list", "--list: test\n"), ("--exact", "isolated\n--exact: test\n")]
    {
        let mut command = nstest(&["wrap", "--", "./suite", first]);
        let directory = Directory::new("cli-lists");
        executable::script(directory.path().join("suite"), script);
        command.current_dir(directory.path());
        let ended = Ended::of(command);
        let expected = (Some(0), listed, "");
        assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), expected);
    }
    Ended::of(nstest(&["wrap"])).is_refused();
    Ended::of(nstest(&["wrap", "--wrong", "true"])).is_refused();
    assert_eq!(Ended::of(nstest(&["wrap", "./missing", "--list"])).status, Some(127));
}

/// Both tests bind the same port. With MEET, a directory with two pipes, each holds it until the
/// other has tried to bind it.
const SUITE: &str = r#"
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

fn binds(own: &str, other: &str) {
    let listener = TcpListener::bind("127.0.0.1:8080");
    if let Some(directory) = std::env::var_os("MEET") {
        // For reading and writing, so that opening waits for no other (fifo(7)).
        let open = |name: &str| -> File {
            let mut options = OpenOptions::new();
            options.read(true).write(true).open(Path::new(&directory).join(name)).unwrap()
        };
        let (mut own, mut other) = (open(own), open(other));
        other.write_all(b"x").unwrap();
        own.read_exact(&mut [0]).unwrap();
    }
    listener.unwrap();
    assert!(Path::new("/run/nstest").exists(), "it is not isolated");
}

#[test]
fn one() {
    binds("one", "two");
}

#[test]
fn two() {
    binds("two", "one");
}
"#;

/// A package with tests that collide on a port.
fn package(name: &str) -> Directory {
    let directory = Directory::new(name);
    fs::create_dir(directory.path().join("tests")).unwrap();
    let manifest = "[package]\nname = \"suite\"\nedition = \"2021\"\n[workspace]\n";
    fs::write(directory.path().join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    fs::write(directory.path().join("src/lib.rs"), "").unwrap();
    fs::write(directory.path().join("tests/suite.rs"), SUITE).unwrap();
    directory
}

fn in_package(directory: &Directory, arguments: &[&str]) -> Command {
    let mut command = cargo_nstest(arguments);
    command.current_dir(directory.path()).env("CARGO_TARGET_DIR", directory.path().join("target"));
    outside_of_test(&mut command);
    // It would have precedence over the runner of all targets.
    let target = std::env::consts::ARCH.to_uppercase();
    command.env(format!("CARGO_TARGET_{target}_UNKNOWN_LINUX_GNU_RUNNER"), "./missing");
    command
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn tests_that_collide_on_a_port_pass_under_nextest() {
    let ended = under_nextest(&package("nextest"), &[]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let chosen = "nstest: cargo nextest run: a network namespace for each test; no doctests\n";
    assert!(ended.stderr.contains(chosen), "{}", ended.stderr);
    assert!(ended.stderr.contains("2 passed"), "{}", ended.stderr);
}

fn under_nextest(package: &Directory, options: &[&str]) -> Ended {
    nstest_tests::programs::need(&["cargo-nextest"]);
    for pipe in ["one", "two"] {
        let _ = mkfifo(&package.path().join(pipe), Mode::S_IRWXU); // it may exist
    }
    let suite = ["test", "--test", "suite", "--test-threads=2"];
    let mut command = in_package(package, &[&suite[..], options].concat());
    Ended::of(command.env("MEET", package.path()))
}

/// nextest has no such option. cargo is a script here that prints its arguments.
#[test]
fn doctests_alone_are_refused_under_nextest() {
    const CARGO: &str = "[ \"$1\" != config ] || { echo '{}'; exit; }; echo \"$@\"";
    let package = package("doctests");
    let cargo = executable::script(package.path().join("cargo"), CARGO);
    executable::script(package.path().join("cargo-nextest"), "");
    let path = format!("{}:{}", package.path().display(), std::env::var("PATH").unwrap());
    let with_nextest = |arguments: &[&str]| {
        let mut command = in_package(&package, arguments);
        Ended::of(command.env("PATH", &path).env("CARGO", &cargo))
    };
    for arguments in [&["test", "--doc"][..], &["test", "--workspace", "--doc", "--", "name"]] {
        let refused = with_nextest(arguments);
        refused.is_refused();
        assert!(refused.stderr.contains("`cargo nstest test --no-nextest --doc`"), "{refused:?}");
    }
    for arguments in [&["test", "--", "--doc"][..], &["test", "-p", "a", "--", "--doc"]] {
        let ended = with_nextest(arguments);
        assert!(ended.stdout.starts_with("nextest run "), "{ended:?}");
    }
    let ended = with_nextest(&["test", "--no-nextest", "--doc"]);
    assert!(ended.stdout.starts_with("test --doc --config "), "{ended:?}");
}

/// Of itself, nextest does not use the runner for tests with a wrapper script.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn a_wrapper_script_of_nextest_keeps_the_namespaces_or_is_refused() {
    let package = package("wrapper");
    fs::create_dir(package.path().join(".config")).unwrap();
    let write = |file: &str, profile: &str, keys: &str| {
        let text = format!(
            "experimental = [\"wrapper-scripts\"]\n[scripts]\nwrapper.w.command = \"env A=1\"\n{keys}\n\
             [profile.ci]\n\
             [[profile.{profile}.scripts]]\nfilter = \"all()\"\nrun-wrapper = \"w\"\n"
        );
        fs::write(package.path().join(file), text).unwrap();
    };
    const FILE: &str = ".config/nextest.toml";
    let refused = |options: &[&str]| {
        let refused = under_nextest(&package, options);
        assert_eq!(refused.status, Some(125), "{refused:?}");
        let help = "add `target-runner = \"within-wrapper\"` below [scripts.wrapper.w]";
        assert!(refused.stderr.contains(help), "{refused:?}");
    };
    let passes = |options: &[&str]| {
        let ended = under_nextest(&package, options);
        assert!(ended.status == Some(0) && ended.stderr.contains("2 passed"), "{ended:?}");
    };
    write(FILE, "default", "");
    refused(&[]);
    refused(&["--profile=ci"]);
    write(FILE, "default", "wrapper.w.target-runner = \"within-wrapper\"");
    passes(&[]);
    write(FILE, "ci", "");
    passes(&[]);
    refused(&["-Pci"]);
    write("other.toml", "default", "");
    refused(&["--config-file", "other.toml"]);
    // From outside of the package.
    write(FILE, "default", "");
    let manifest = package.path().join("Cargo.toml");
    let mut command = in_package(&package, &["test", "--manifest-path"]);
    command.arg(manifest).current_dir("/");
    assert_eq!(Ended::of(command).status, Some(125));
}

#[test]
fn test_binaries_are_isolated_under_cargo_test() {
    let package = package("cargo");
    let arguments = ["test", "--no-nextest", "--test", "suite", "--", "--test-threads=1"];
    let ended = Ended::of(in_package(&package, &arguments));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let chosen = "nstest: cargo test: a network namespace for each test binary\n";
    assert!(ended.stderr.contains(chosen), "{}", ended.stderr);
    assert!(ended.stdout.contains("2 passed"), "{}", ended.stdout);
    // Also where the options of cargo are absent.
    let ended = Ended::of(in_package(&package, &["test", "--no-nextest", "--", "--list"]));
    assert!(ended.stdout.contains("one: test\ntwo: test\n"), "{ended:?}");
    // What is wrong with cargo's arguments, cargo reports.
    let ended = Ended::of(in_package(&package, &["test", "--no-nextest", "--wrong"]));
    assert_eq!(ended.status, Some(1), "{ended:?}");
}

/// Packages with tests that need root have such a runner, for example `sudo -E`.
#[test]
fn runners_that_a_package_configures_are_replaced() {
    let package = package("runners");
    fs::create_dir(package.path().join(".cargo")).unwrap();
    let configuration = package.path().join(".cargo/config.toml");
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let native = format!("{}-unknown-linux-{libc}", std::env::consts::ARCH);
    let variable = format!("CARGO_TARGET_{}_RUNNER", native.to_uppercase().replace('-', "_"));
    let checks = format!(
        r#"
#[test]
fn cargo_has_its_own_environment() {{
    let runner = std::env::var({variable:?}).unwrap_or_default();
    assert!(!runner.contains("nstest"), "{{runner}}");
}}
"#
    );
    fs::write(package.path().join("tests/suite.rs"), SUITE.to_owned() + &checks).unwrap();
    let options = ["test", "--no-nextest", "--peers=1", "--condition", "delay 1ms loss 1%"];
    let run = |others: &[&str]| {
        let suite = ["--test", "suite", "--", "--test-threads=1"];
        Ended::of(in_package(&package, &[&options, others, &suite[..]].concat()))
    };
    let key = |target: &str, runner: &str| format!("target.{target}.runner = {runner}\n");
    let mut texts = Vec::new();
    for target in ["'cfg(unix)'", "'cfg(all())'", &native] {
        texts.extend(["'/missing'", "['/missing']"].map(|runner| key(target, runner)));
    }
    texts.push("include = ['other.toml']\n".to_owned());
    fs::write(package.path().join(".cargo/other.toml"), key(&native, "'/missing'")).unwrap();
    for text in &texts {
        fs::write(&configuration, text).unwrap();
        let ended = run(&[]);
        assert!(ended.stdout.contains("3 passed"), "{text}: {ended:?}");
    }
    // On the command line, cargo lets nothing replace an array.
    for configured in ["", &key(&native, "'/other'")] {
        fs::write(&configuration, configured).unwrap();
        let ended = run(&["--config", &key(&native, "'/missing'")]);
        assert!(ended.stdout.contains("3 passed"), "{ended:?}");
    }
    fs::write(&configuration, "").unwrap();
    let ended = run(&["--config", &key(&native, "['/missing']")]);
    assert_eq!(ended.status, Some(125), "{ended:?}");
    let why = format!("nstest: `--config` has a runner for the target {native}; leave it out");
    assert!(ended.stderr.contains(&why), "{ended:?}");
    let ended = run(&["--config", "wrong"]);
    assert_eq!(ended.status, Some(125), "{ended:?}");
    assert!(ended.stderr.starts_with("nstest: cannot read cargo's configuration: "), "{ended:?}");
}

/// Of two runners on the command line, cargo takes the last, and nextest the first.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn a_runner_on_the_command_line_is_replaced_under_nextest() {
    let package = package("runner-option");
    let runner = |libc: &str| {
        let native = format!("{}-unknown-linux-{libc}", std::env::consts::ARCH);
        ["--config".to_owned(), format!("target.{native}.runner = '/missing'")]
    };
    let options = ["gnu", "musl"].map(runner).concat();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ended = under_nextest(&package, &options);
    assert!(ended.stderr.contains("2 passed"), "{ended:?}");
}

/// cargo divides a runner at white space, if a string or a variable names it.
#[test]
fn a_program_below_a_path_with_a_space_is_the_runner() {
    let package = package("runner's space");
    let programs = package.path().join("my programs");
    fs::create_dir(&programs).unwrap();
    let program = cargo_nstest(&[]).get_program().to_owned();
    let program = executable::copy(program, programs.join("cargo-nstest"));
    let run = || {
        let arguments = ["test", "--no-nextest", "--test", "suite", "--", "--test-threads=1"];
        let command = in_package(&package, &arguments);
        let mut moved = Command::new(&program);
        moved.args(command.get_args()).current_dir(package.path());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => moved.env(name, value),
                None => moved.env_remove(name),
            };
        }
        Ended::of(moved)
    };
    let ended = run();
    assert!(ended.stdout.contains("2 passed"), "{ended:?}");
    fs::create_dir(package.path().join(".cargo")).unwrap();
    let text = format!("target.{}-unknown-linux-gnu.runner = 'env'", std::env::consts::ARCH);
    fs::write(package.path().join(".cargo/config.toml"), text).unwrap();
    let ended = run();
    assert_eq!(ended.status, Some(125), "{ended:?}");
    assert!(ended.stderr.contains("the path of this program has white space"), "{ended:?}");
}
