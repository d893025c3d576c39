//! Runs fixtures: ignored tests of the calling test's binary. Most of them fail
//! deliberately. A test starts the binary again for its fixtures, and asserts the output
//! that a user would see.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::directory::Directory;
use crate::{marks, raw, survivors};

/// Runs a fixture that fails, and returns the output that libtest shows for it.
#[must_use]
#[track_caller]
pub fn failure(fixture: &str) -> String {
    Run::of(&[fixture]).run().failure_of(fixture)
}

/// Runs a fixture that passes, and returns the output that libtest shows for it.
#[must_use]
#[track_caller]
pub fn success(fixture: &str) -> String {
    Run::of(&[fixture]).args(["--show-output"]).run().success_of(fixture)
}

/// Runs a fixture that passes and prints nothing.
///
/// # Panics
/// If it fails, or if libtest shows anything else.
#[track_caller]
pub fn passes_silently(fixture: &str) {
    Run::of(&[fixture]).run().passed_silently(fixture);
}

/// The path of this test binary.
fn binary() -> PathBuf {
    std::env::current_exe().expect("know the test binary")
}

/// A run of the test binary that has not started yet.
#[must_use]
#[derive(Debug)]
pub struct Run {
    command: Command,
    case: Directory,
}

impl Run {
    /// Runs only these fixtures, with libtest's defaults.
    pub fn of(fixtures: &[&str]) -> Self {
        Self::exactly(Command::new(binary()), fixtures)
    }

    /// Runs only these fixtures, by way of a command that takes a program and its arguments.
    pub fn under(mut command: Command, fixtures: &[&str]) -> Self {
        command.arg(binary());
        Self::exactly(command, fixtures)
    }

    fn exactly(command: Command, fixtures: &[&str]) -> Self {
        Self::in_front(command).args(["--ignored", "--exact"]).args(fixtures)
    }

    /// Runs `command`, which runs fixtures. It gets a process group of its own.
    pub fn in_front(mut command: Command) -> Self {
        let case = Directory::new("case");
        let private = |name: &str| {
            ["NSTEST", "RUST_TEST_", "RUST_MIN_STACK", "NEXTEST"]
                .iter()
                .any(|p| name.starts_with(p))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| private(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.env(marks::VARIABLE, case.path()).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command.process_group(0);
        Self { command, case }
    }

    /// Adds arguments for libtest.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The directory of this run.
    #[must_use]
    pub fn case(&self) -> &Path {
        self.case.path()
    }

    /// The command, for its other settings.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Starts the run.
    ///
    /// # Panics
    /// If the command does not start.
    pub fn start(mut self) -> Running {
        // Both streams go to one file, which keeps their order, as a terminal does. A
        // process that kept a pipe open would keep the driver waiting.
        raw::default_signals();
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0); // fixtures crash deliberately
        let output = memfd_create("output", MFdFlags::MFD_CLOEXEC).expect("make a file");
        let output = File::from(output);
        let stream = || Stdio::from(output.try_clone().expect("duplicate a descriptor"));
        self.command.stdout(stream()).stderr(stream());
        let child = self.command.spawn().expect("start the fixtures");
        Running { child: Some(child), output, case: self.case, start: Instant::now() }
    }

    /// Starts the run and waits for its end.
    #[track_caller]
    pub fn run(self) -> Outcome {
        self.start().end()
    }

    /// Starts the run and waits for its end without a deadline: it has a deadline for
    /// each of the runs that it starts.
    ///
    /// # Panics
    /// If it fails, with its output.
    #[track_caller]
    pub fn succeed(mut self) {
        let output = self.command.output().expect("start the fixtures");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
    }
}

/// A run of the test binary that has started.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    output: File,
    case: Directory,
    start: Instant,
}

impl Running {
    /// Waits until a fixture has set a mark.
    #[track_caller]
    pub fn wait_for(&self, mark: &str) {
        let path = self.case.path().join(mark);
        marks::eventually(mark, || path.exists().then_some(()));
    }

    /// Sets a mark that a fixture waits for.
    pub fn set(&self, mark: &str) {
        std::fs::write(self.case.path().join(mark), "").expect("set a mark");
    }

    /// The output so far.
    #[must_use]
    pub fn text(&self) -> String {
        Output(&self.output).text()
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        let id = self.child.as_ref().map_or(0, Child::id);
        Pid::from_raw(i32::try_from(id).unwrap_or_default())
    }

    /// The directory of this run.
    #[must_use]
    pub fn case(&self) -> &Path {
        self.case.path()
    }

    /// Sends a signal to its process, but not to its process group.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("send a signal");
    }

    /// Waits until the run and every process that it started have ended.
    ///
    /// # Panics
    /// If it does not end, or if a process outlives it.
    #[track_caller]
    pub fn end(mut self) -> Outcome {
        let mut child = self.child.take().expect("ended once");
        let (send, ended) = std::sync::mpsc::channel();
        let waiter = std::thread::spawn(move || {
            let _ = send.send(child.wait());
            child
        });
        let Ok(status) = ended.recv_timeout(marks::DEADLINE) else {
            panic!(
                "no end within {:?}, processes {:#?}, output: {}",
                marks::DEADLINE,
                survivors::processes(self.case.path()),
                Output(&self.output).text()
            );
        };
        let status = status.expect("wait for the fixtures");
        let took = self.start.elapsed();
        drop(waiter.join());
        if status.code().is_some() {
            // The runner has waited for each process.
            assert_eq!(survivors::processes(self.case.path()), [""; 0], "survivors");
        } else {
            marks::eventually("the end of all processes", || {
                survivors::processes(self.case.path()).is_empty().then_some(())
            });
        }
        let output = self.output.try_clone().expect("duplicate a descriptor");
        Outcome { status, took, output }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

struct Output<'a>(&'a File);

impl Output<'_> {
    fn text(&self) -> String {
        // Reads by position, since the writer shares the offset.
        let mut bytes = vec![0; self.0.metadata().map_or(0, |data| data.len() as usize)];
        self.0.read_exact_at(&mut bytes, 0).expect("read the output");
        String::from_utf8(bytes).unwrap_or_else(|error| {
            // Output that libtest does not capture need not be UTF-8.
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status of the process.
    pub status: ExitStatus,
    /// The time from start to end.
    pub took: Duration,
    output: File,
}

impl Outcome {
    /// The output without what nstest prints after verdicts, which repeats parts of it.
    #[must_use]
    pub fn text(&self) -> String {
        without_evidence(&self.whole_text())
    }

    /// The whole output.
    #[must_use]
    pub fn whole_text(&self) -> String {
        Output(&self.output).text()
    }

    /// The whole output, as bytes.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.output
    }

    /// libtest's result of each test and the output of failed tests, without what differs
    /// from run to run.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = normal(&self.text());
        let mut shown = String::new();
        let mut lists = 0;
        for line in text.lines() {
            match line {
                "failures:" => lists += 1,
                _ if line.starts_with("running ") || line.starts_with("test result: ") => {}
                _ if lists == 2 || (line.is_empty() && shown.ends_with("\n\n")) => {}
                "" if shown.is_empty() => {}
                _ => {
                    shown.push_str(line);
                    shown.push('\n');
                }
            }
        }
        let end = shown.trim_end().len();
        shown.truncate(end);
        shown + "\n"
    }

    /// The part of [`shown`](Self::shown) below the name of the only fixture, which failed.
    ///
    /// # Panics
    /// If libtest shows anything else.
    #[must_use]
    #[track_caller]
    pub fn failure_of(&self, fixture: &str) -> String {
        self.between(&format!("test {fixture} ... FAILED\n\n---- {fixture} stdout ----\n"), "")
    }

    /// The part of [`shown`](Self::shown) below the name of the only fixture, which passed.
    /// It needs libtest's `--show-output`.
    ///
    /// # Panics
    /// If libtest shows anything else.
    #[must_use]
    #[track_caller]
    pub fn success_of(&self, fixture: &str) -> String {
        let before = format!("test {fixture} ... ok\n\nsuccesses:\n\n---- {fixture} stdout ----\n");
        self.between(&before, &format!("\nsuccesses:\n    {fixture}\n"))
    }

    /// Asserts that the only fixture passed, and that libtest shows nothing else.
    ///
    /// # Panics
    /// If it failed, or if libtest shows anything else.
    #[track_caller]
    pub fn passed_silently(&self, fixture: &str) {
        assert_eq!(self.shown(), format!("test {fixture} ... ok\n"));
    }

    #[track_caller]
    fn between(&self, before: &str, after: &str) -> String {
        let shown = self.shown();
        let found = shown.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let Some(found) = found else {
            panic!("output without {before:?} before and {after:?} after it: {shown}");
        };
        found.to_owned()
    }
}

/// The text without what nstest prints after the verdict, which the target `evidence` tests.
fn without_evidence(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        let text = line.trim_start(); // nextest indents it
        inside |= text.starts_with("=== nstest: ");
        if !inside {
            kept.push_str(line);
        }
        inside &= !text.starts_with("[[ATTACHMENT|") && !text.starts_with("nstest: no record: ");
    }
    kept
}

/// The text without the evidence, the binary's path, line numbers and thread ids.
#[must_use]
pub fn normal(text: &str) -> String {
    let text = without_evidence(text);
    let text = text.replace(&*binary().to_string_lossy(), "BINARY");
    // The package that builds the same sources for musl.
    let text =
        text.replace("tests/musl/../", "tests/").replace("nstest-tests-musl", "nstest-tests");
    let text = number_after(&text, ".rs:", ":", "LINE");
    let text = number_after(&text, ".rs:LINE:", "", "COLUMN");
    number_after(&text, "' (", ")", "TID")
}

/// Replaces each number between `before` and `after`.
fn number_after(text: &str, before: &str, after: &str, name: &str) -> String {
    let mut pieces = text.split(before);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        result.push_str(before);
        if rest.len() < piece.len() && rest.starts_with(after) {
            result.push_str(name);
            result.push_str(rest);
        } else {
            result.push_str(piece);
        }
    }
    result
}
