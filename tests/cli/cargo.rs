//! `nstest wrap` and `cargo nstest test`: suites of others, unchanged.

use std::fs;
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use nstest_tests::cargo::outside_of_test;

use crate::command::{Ended, cargo_nstest, nstest};
use crate::directory::Directory;

#[test]
fn a_binary_that_lists_its_tests_is_not_isolated() {
    let script = "[ -d /run/nstest ] && echo isolated; echo \"$1: test\"";
    for (first, listed) in [("--list", "--list: test\n"), ("--exact", "isolated\n--exact: test\n")]
    {
        let mut command = nstest(&["wrap", "--", "./suite", first]);
        let directory = Directory::new("lists");
        let suite = directory.path().join("suite");
        fs::write(&suite, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&suite, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
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
    let ended = under_nextest(&package("nextest"));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let chosen = "nstest: cargo nextest run: a network namespace for each test\n";
    assert!(ended.stderr.contains(chosen), "{}", ended.stderr);
    assert!(ended.stderr.contains("2 passed"), "{}", ended.stderr);
}

fn under_nextest(package: &Directory) -> Ended {
    nstest_tests::programs::need(&["cargo-nextest"]);
    for pipe in ["one", "two"] {
        let _ = mkfifo(&package.path().join(pipe), Mode::S_IRWXU); // it may exist
    }
    let mut command = in_package(package, &["test", "--test", "suite", "--test-threads=2"]);
    Ended::of(command.env("MEET", package.path()))
}

/// Of itself, nextest does not use the runner for tests with a wrapper script.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn a_wrapper_script_of_nextest_keeps_the_namespaces_or_is_refused() {
    let package = package("wrapper");
    fs::create_dir(package.path().join(".config")).unwrap();
    let with_script = |keys: &str| {
        let text = format!(
            "experimental = [\"wrapper-scripts\"]\n[scripts.wrapper.w]\ncommand = \"env A=1\"\n{keys}\n\
             [[profile.default.scripts]]\nfilter = \"all()\"\nrun-wrapper = \"w\"\n"
        );
        fs::write(package.path().join(".config/nextest.toml"), text).unwrap();
        under_nextest(&package)
    };
    let refused = with_script("");
    assert_eq!(refused.status, Some(125), "{refused:?}");
    let help = "add `target-runner = \"within-wrapper\"` below [scripts.wrapper.w]";
    assert!(refused.stderr.contains(help), "{refused:?}");
    let ended = with_script("target-runner = \"within-wrapper\"");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("2 passed"), "{}", ended.stderr);
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
        "\n#[test]\nfn cargo_has_its_own_environment() {{\n    \
         assert_eq!(std::env::var_os({variable:?}), None);\n}}\n"
    );
    fs::write(package.path().join("tests/suite.rs"), SUITE.to_owned() + &checks).unwrap();
    let arguments = ["test", "--no-nextest", "--test", "suite", "--", "--test-threads=1"];
    for target in ["'cfg(unix)'", &native] {
        for runner in ["'/missing'", "['/missing']"] {
            let text = format!("[target.{target}]\nrunner = {runner}\n");
            fs::write(&configuration, &text).unwrap();
            let ended = Ended::of(in_package(&package, &arguments));
            assert!(ended.stdout.contains("3 passed"), "{text}: {ended:?}");
        }
    }
}
