//! What libtest calls a test, and how libtest itself was called.

use std::ffi::OsString;

use super::Test;

impl Test {
    /// The path by which `--exact` finds the function, if its attribute
    /// registered it: libtest leaves out the crate's name.
    pub(super) fn path(&self) -> String {
        match self.module.split_once("::") {
            Some((_, modules)) => format!("{modules}::{}", self.function),
            None => self.function.to_owned(),
        }
    }

    /// The names under which libtest may know the test that called the wrapper,
    /// the likeliest first. libtest names the thread of a test after it, unless
    /// it runs it on the main one.
    pub(super) fn candidates(&self) -> Vec<String> {
        candidates(self.path(), std::thread::current().name(), self.options.registers)
    }
}

fn candidates(path: String, thread: Option<&str>, registers: bool) -> Vec<String> {
    match thread {
        None | Some("main") => vec![path],
        Some(thread) if thread == path => vec![path],
        Some(thread) if registers => vec![path, thread.to_owned()],
        Some(thread) => vec![thread.to_owned(), path],
    }
}

/// The arguments that make libtest run `name` and nothing else. They are made
/// anew, never forwarded: what the user passed may not suit a second run.
pub(super) fn arguments(argv0: OsString, name: &str) -> Vec<OsString> {
    let fixed = ["--nocapture", "--include-ignored", "--test-threads=1", "-q"];
    let mut arguments = vec![argv0, "--exact".into(), name.into()];
    arguments.extend(fixed.map(OsString::from));
    arguments
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
    fn the_thread_is_asked_first_where_another_macro_registered() {
        let of = |thread, registers| candidates("f".into(), thread, registers);
        assert_eq!(of(Some("main"), true), ["f"]);
        assert_eq!(of(None, false), ["f"]);
        assert_eq!(of(Some("f"), true), ["f"]);
        assert_eq!(of(Some("f::case_1"), true), ["f", "f::case_1"]);
        assert_eq!(of(Some("f::case_1"), false), ["f::case_1", "f"]);
    }
}
