//! The names that libtest has for a test, and libtest's command line.

use std::ffi::OsString;

use super::test::Test;
use crate::error::{Error, ErrorCode, Result};
use crate::sync::lock;

impl Test {
    /// The path by which `--exact` finds the function, if its attribute registered it:
    /// libtest leaves out the crate's name.
    pub(super) fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, modules)) => format!("{modules}::{}", self.function),
            None => self.function.to_owned(),
        }
    }

    /// The name of the crate that the function is in.
    pub(super) fn krate(&self) -> &'static str {
        self.module.split("::").next().unwrap_or_default()
    }

    /// The names under which libtest may know the test, the likeliest first. libtest
    /// names the thread of a test after it, except when it runs the test on the main
    /// thread. Called on the thread on which libtest called the wrapper.
    pub(super) fn names(&self) -> Vec<String> {
        names(self.path(), std::thread::current().name(), self.options.registers)
    }

    /// # Errors
    /// If it was called with this name before: two attributes registered one function,
    /// and libtest would report only one of the two.
    pub(super) fn refuse_second_call(&self, name: &str) -> Result<()> {
        let mut called = lock(&self.called);
        if called.iter().any(|before| before == name) {
            return Err(Error::new(
                ErrorCode::RegisteredTwice,
                format!("run the test `{name}` a second time"),
            )
            .source("libtest called it twice in one run, so another attribute registers the function, too")
            .help("remove its #[test]; or, under a macro that makes tests of its own, use #[netns] on a sync function and #[nstest::test] on an async one"));
        }
        called.push(name.to_owned());
        Ok(())
    }
}

fn names(path: String, thread: Option<&str>, registers: bool) -> Vec<String> {
    match thread {
        None | Some("main") => vec![path],
        Some(thread) if thread == path => vec![path],
        Some(thread) if registers => vec![path, thread.to_owned()],
        Some(thread) => vec![thread.to_owned(), path],
    }
}

/// The arguments that make libtest run the test `name` and no other. The user's own
/// arguments are not forwarded, since they may not suit a second run.
pub(super) fn arguments(argv0: OsString, name: &str) -> Vec<OsString> {
    // rusty-fork reads these arguments in the body, and takes what follows `--nocapture` for
    // its value. `--include-ignored` must get through: without it, the process that
    // rusty-fork starts would run nothing, and pass.
    let fixed = ["--include-ignored", "--nocapture", "--test-threads=1", "-q"];
    let mut arguments = vec![argv0, "--exact".into(), name.into()];
    arguments.extend(fixed.map(OsString::from));
    arguments
}

/// Whether libtest runs tests that are ignored: with other arguments, the running test is none.
pub(super) fn runs_ignored(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().any(|a| a == "--ignored" || a == "--include-ignored")
}

/// Whether libtest lets tests print as they run.
pub(super) fn streams_output() -> bool {
    std::env::args_os().any(|a| a == "--nocapture" || a == "--no-capture")
        || std::env::var_os("RUST_TEST_NOCAPTURE").is_some_and(|value| value != "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Options;

    #[test]
    fn the_path_leaves_out_the_crate() {
        let path = |module, function| Test::new(module, function, Options::DEFAULT).path();
        assert_eq!(path("crate", "f"), "f");
        assert_eq!(path("crate::a::b", "r#match"), "a::b::r#match");
    }

    #[test]
    fn ignored_tests_run_only_if_they_are_asked_for() {
        let runs = |arguments: &[&str]| runs_ignored(arguments.iter().map(OsString::from));
        assert!(runs(&["tests", "--ignored", "a"]) && runs(&["tests", "a", "--include-ignored"]));
        assert!(!runs(&["tests"]) && !runs(&["tests", "--exact", "ignored", "--nocapture"]));
    }

    #[test]
    fn the_name_of_the_thread_comes_first_if_another_macro_registered_the_test() {
        let of = |thread, registers| names("f".into(), thread, registers);
        assert_eq!(of(Some("main"), true), ["f"]);
        assert_eq!(of(None, false), ["f"]);
        assert_eq!(of(Some("f"), true), ["f"]);
        assert_eq!(of(Some("f::case_1"), true), ["f", "f::case_1"]);
        assert_eq!(of(Some("f::case_1"), false), ["f::case_1", "f"]);
    }
}
