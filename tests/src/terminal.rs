//! A command on a terminal of its own, which script(1) makes.

use std::ffi::OsStr;
use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use crate::programs::need;

/// A command on a terminal, and what it has shown.
#[derive(Debug)]
pub struct OnTerminal {
    script: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    shown: Vec<u8>,
}

impl OnTerminal {
    /// Runs a command line of a shell. No signal is ignored, although this test may ignore some
    /// (nohup(1), a job in the background): a shell does not trap those.
    ///
    /// # Panics
    /// If script(1) is not installed.
    pub fn run<'a>(
        command: &str,
        environment: impl IntoIterator<Item = (&'a str, &'a OsStr)>,
    ) -> Self {
        need(&["script"]);
        let mut script = Command::new("env")
            .args(["--default-signal", "script", "-qfec", command, "/dev/null"])
            .envs(environment)
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start script(1)");
        let input = script.stdin.take().expect("a pipe");
        let output = BufReader::new(script.stdout.take().expect("a pipe"));
        Self { script, input, output, shown: Vec::new() }
    }

    /// Runs a fixture of this test binary that pauses at its end. `pause` is for NSTEST_PAUSE.
    ///
    /// # Panics
    /// If script(1) is not installed.
    pub fn paused(fixture: &str, pause: &str) -> Self {
        let binary = std::env::current_exe().expect("this binary has a path");
        let run = format!("'{}' --color never --ignored --exact {fixture}", binary.display());
        let environment = [("NSTEST_PAUSE", pause.as_ref()), ("RUST_BACKTRACE", "0".as_ref())];
        Self::run(&run, environment)
    }

    /// Waits for the line that ends what a paused test prints. Returns all until there.
    ///
    /// # Panics
    /// If the test ends before.
    #[track_caller]
    pub fn wait_for_pause(&mut self) -> String {
        self.wait_for("To go on: ");
        self.wait_for("\n");
        self.shown()
    }

    /// All that was shown until now.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads until this text is shown once more.
    ///
    /// # Panics
    /// If the command ends before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let from = self.shown.len();
        while !self.shown[from..].ends_with(text.as_bytes()) {
            let mut byte = [0];
            let read = self.output.read_exact(&mut byte);
            assert!(read.is_ok(), "it ended without `{text}`:\n{}", self.shown());
            self.shown.push(byte[0]);
        }
    }

    /// Types a text.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn type_in(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).expect("the terminal takes input");
    }

    /// Removes the terminal by SIGKILL for script(1).
    ///
    /// # Panics
    /// If script(1) cannot be killed.
    pub fn close(&mut self) -> ExitStatus {
        self.script.kill().expect("kill script(1)");
        self.script.wait().expect("it ends")
    }

    /// The status that the command ended with, and all that was shown.
    ///
    /// # Panics
    /// If script(1) cannot be awaited.
    #[must_use]
    pub fn end(mut self) -> (Option<i32>, String) {
        self.output.read_to_end(&mut self.shown).expect("read what it shows");
        let status = self.script.wait().expect("it ends");
        (status.code(), self.shown())
    }
}
