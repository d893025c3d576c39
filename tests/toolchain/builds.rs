//! Builds with other settings: coverage, `panic = "abort"`, the stub.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::expect;
use nstest_tests::cargo::{cargo, workspace};
use nstest_tests::driver::normal;

const TESTS: &str = r#"
use nstest::netns_test;

macro_rules! covered {
    ($($name:ident)*) => { $(#[netns_test] fn $name() { std::hint::black_box(line!()); })* };
}
mod covered {
    use super::*;
    covered!(a b c d e f g h);
}

#[netns_test]
#[should_panic(expected = "as expected")]
fn panics() {
    panic!("just as expected");
}

#[netns_test]
#[should_panic(expected = "as expected")]
async fn panics_async() {
    panic!("just as expected");
}

mod fails {
    use super::*;

    #[netns_test]
    #[ignore]
    fn panics() {
        panic!("no luck");
    }

    #[netns_test]
    #[ignore]
    #[should_panic(expected = "as expected")]
    fn panics_otherwise() {
        panic!("otherwise");
    }

    #[netns_test]
    #[ignore]
    #[should_panic]
    fn exits() {
        std::process::exit(0);
    }

    #[netns_test]
    #[ignore]
    #[should_panic]
    fn aborts() {
        std::process::abort();
    }

    #[netns_test]
    #[ignore]
    fn returns_err() -> Result<(), String> {
        Err("no luck".into())
    }
}
"#;

/// A crate that is kept between runs, so that only the first run builds nstest.
struct Built {
    directory: PathBuf,
    flags: &'static str,
    arguments: &'static [&'static str],
}

impl Built {
    fn new(name: &str, flags: &'static str, arguments: &'static [&'static str]) -> Self {
        let user = nix::unistd::getuid();
        let directory = std::env::temp_dir().join(format!("nstest-{name}-{user}"));
        std::fs::create_dir_all(directory.join("tests")).unwrap();
        let manifest = format!(
            "[package]\nname = \"{name}\"\nedition = \"2024\"\n[workspace]\n[lib]\npath = \"lib.rs\"\n\
             [dependencies]\nnstest = {{ path = {:?} }}\n[profile.dev]\ndebug = false\nincremental = false\npanic = \"{}\"\n",
            workspace().join("nstest"),
            if arguments.is_empty() { "unwind" } else { "abort" },
        );
        let keep = |file: &str, text: &str| {
            let path = directory.join(file);
            if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
                std::fs::write(path, text).unwrap();
            }
        };
        keep("Cargo.toml", &manifest);
        keep("lib.rs", "");
        keep("tests/all.rs", TESTS);
        let lock = std::fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
        if !directory.join("Cargo.lock").exists() {
            keep("Cargo.lock", &lock);
        }
        Self { directory, flags, arguments }
    }

    fn test(&self, arguments: &[&str], with: impl FnOnce(&mut Command)) -> Output {
        let mut command = cargo();
        command.args(["test", "--quiet", "--test", "all"]).args(self.arguments);
        command.arg("--").args(arguments).current_dir(&self.directory);
        command.env("CARGO_TARGET_DIR", self.directory.join("target"));
        command.env("RUSTFLAGS", self.flags).env("RUST_BACKTRACE", "0");
        for name in ["CARGO_ENCODED_RUSTFLAGS", "LLVM_PROFILE_FILE", "RUST_TEST_THREADS"] {
            command.env_remove(name);
        }
        with(&mut command);
        command.output().unwrap()
    }
}

fn profiles(directory: &Path) -> Vec<u64> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let profiles = entries.filter(|e| e.path().extension().is_some_and(|e| e == "profraw"));
    profiles.map(|entry| entry.metadata().unwrap().len()).collect()
}

/// Every body is PID 2, and must not overwrite the counters of another.
#[test]
fn coverage_of_every_body_is_kept() {
    let built = Built::new("coverage", "-Cinstrument-coverage", &[]);
    // Builds first, so that the profiles of cargo and of the build do not count.
    built.test(&["--list"], |_| {});
    for round in 0..3 {
        let kept = built.directory.join(format!("profiles-{round}"));
        let _ = std::fs::remove_dir_all(&kept);
        std::fs::create_dir(&kept).unwrap();
        let output = built.test(&["covered::", "--test-threads=8"], |command| {
            command.env("LLVM_PROFILE_FILE", kept.join("%p.profraw"));
        });
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let sizes = profiles(&kept);
        // Eight bodies and their parent.
        assert_eq!(sizes.len(), 9, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size == sizes[0] && *size > 0), "{sizes:?}");
    }
}

fn results(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.windows(8).any(|text| text == b"running "), "it did not build: {stderr}");
    let text = normal(&String::from_utf8_lossy(&output.stdout));
    let mut lines: Vec<&str> =
        text.lines().filter(|line| line.starts_with("test ") && line.contains(" ... ")).collect();
    lines.sort_unstable();
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// With `panic = "abort"`, libtest starts a process for each test, and nstest another one.
/// The message comes from the panic hook.
#[test]
fn panic_abort_gives_the_same_verdicts() {
    let built = Built::new("abort", "", &["-Zpanic-abort-tests"]);
    // The flag is for nightly; the compiler is the same.
    let output = built.test(&["--include-ignored", "--format=pretty"], |command| {
        command.env("RUSTC_BOOTSTRAP", "1");
    });
    expect![[r#"
        test covered::a ... ok
        test covered::b ... ok
        test covered::c ... ok
        test covered::d ... ok
        test covered::e ... ok
        test covered::f ... ok
        test covered::g ... ok
        test covered::h ... ok
        test fails::aborts - should panic ... FAILED
        test fails::exits - should panic ... FAILED
        test fails::panics ... FAILED
        test fails::panics_otherwise - should panic ... FAILED
        test fails::returns_err ... FAILED
        test panics - should panic ... ok
        test panics_async - should panic ... ok
    "#]]
    .assert_eq(&results(&output));
}

/// The stub compiles, and its tests are ignored for a reason that shows.
#[test]
fn the_stub_ignores_tests() {
    let built = Built::new("stub", "--cfg nstest_stub", &[]);
    expect![[r#"
        test covered::a ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::b ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::c ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::d ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::e ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::f ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::g ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test covered::h ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test fails::aborts ... ignored
        test fails::exits ... ignored
        test fails::panics ... ignored
        test fails::panics_otherwise ... ignored
        test fails::returns_err ... ignored
        test panics ... ignored, nstest: needs Linux, with network namespaces (stub build)
        test panics_async ... ignored, nstest: needs Linux, with network namespaces (stub build)
    "#]]
    .assert_eq(&results(&built.test(&["--format=pretty"], |_| {})));
    let output = built.test(&["--include-ignored", "--format=pretty", "fails::"], |_| {});
    expect![[r#"
        test fails::aborts - should panic ... FAILED
        test fails::exits - should panic ... FAILED
        test fails::panics ... FAILED
        test fails::panics_otherwise - should panic ... FAILED
        test fails::returns_err ... FAILED
    "#]]
    .assert_eq(&results(&output));
}
