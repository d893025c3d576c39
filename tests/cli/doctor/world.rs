//! Worlds that refuse something, and the doctor in them. What it says must be what `nstest run`
//! finds there.

use std::process::Command;

use nix::libc;
use nstest_tests::raw;

use crate::command::{Ended, nstest};

const CAN: &str = "nstest doctor: this machine can run nstest's tests";
const CANNOT: &str = "nstest doctor: this machine cannot run nstest's tests.\n";
/// What is said if tests run, and those with nodes do not.
const NODES: &str = "nodes and faults";
const FAULTS: &str = "faults";

type Filter = Box<dyn Fn(&mut Command)>;

/// What a process meets that refuses something.
#[derive(Default)]
pub(crate) struct World {
    /// A command that executes its arguments there.
    words: Vec<String>,
    /// Installs a seccomp filter.
    filter: Option<Filter>,
}

impl World {
    /// What a command creates, which executes its arguments there.
    pub(crate) fn within(command: &str) -> Self {
        let words = command.split_whitespace().map(str::to_owned).collect();
        Self { words, ..Self::default() }
    }

    /// After a script of bash has run there.
    pub(crate) fn after(mut self, script: &str) -> Self {
        let script = format!(r#"set -e; {script}; exec "$0" "$@""#);
        self.words.extend(["bash", "-c", &script].map(str::to_owned));
        self
    }

    /// With a seccomp filter.
    pub(super) fn filtered(filter: impl Fn(&mut Command) + 'static) -> Self {
        Self { words: Vec::new(), filter: Some(Box::new(filter)) }
    }

    /// With a filter that answers a call with an errno.
    pub(super) fn without_call(
        call: libc::c_long,
        errno: i32,
        argument: Option<(u32, i32)>,
    ) -> Self {
        Self::filtered(move |command| raw::refuse_in(command, call, errno, argument))
    }

    /// `nstest`, there.
    pub(crate) fn nstest(&self, arguments: &[&str]) -> Ended {
        self.run(nstest(arguments))
    }

    /// A program, there.
    pub(super) fn run(&self, program: Command) -> Ended {
        let mut command = match self.words.split_first() {
            None => program,
            Some((first, others)) => {
                let mut command = Command::new(first);
                command.args(others).arg(program.get_program()).args(program.get_args());
                command
            }
        };
        if let Some(filter) = &self.filter {
            filter(&mut command);
        }
        Ended::of(command)
    }

    /// `nstest doctor`, of which the verdict must be true.
    #[track_caller]
    pub(super) fn doctor(&self) -> Ended {
        let ended = self.nstest(&["doctor"]);
        let alone = self.nstest(&["run", "--", "true"]);
        let with_node = self.nstest(&["run", "--peers=1", "--", "true"]);
        let with_fault = self.nstest(&["run", "--peers=1", "--condition=delay 1ms", "--", "true"]);
        let ran = [&alone, &with_node, &with_fault].map(|ended| ended.status == Some(0));
        let line = ended.verdict();
        let tests = line.starts_with(CAN);
        let can = tests || line.contains("only `nstest run`");
        let said = [can, can && !line.contains(NODES), can && !line.contains(FAULTS)];
        assert_eq!(said, ran, "{ended:?}\n{alone:?}\n{with_node:?}\n{with_fault:?}");
        let status = if tests && ran[2] && !line.contains("code in nodes") { 0 } else { 1 };
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(status), ""), "{ended:?}");
        for line in ["   cause: \n", "   help:  \n"] {
            assert!(!ended.stdout.contains(line), "{line}: {ended:?}");
        }
        ended
    }
}

impl Ended {
    /// The last line of the doctor, without what is optional.
    fn verdict(&self) -> String {
        let line = self.stdout.lines().next_back().unwrap_or_default();
        let line = line.split(" Optional, and missing: ").next().unwrap_or_default();
        format!("{line}\n")
    }

    /// Checks that the doctor names this first: the code, the cause and the remedy, of which there
    /// is one for each container runtime.
    #[track_caller]
    pub(super) fn names(&self, code: &str, cause: &str, help: &[&str]) -> &Self {
        let first = self.stdout.split("\n\n").next().unwrap_or_default();
        let lines: Vec<&str> = first.lines().collect();
        let begins = |line: usize, with: &str, has: &str| {
            lines.get(line).is_some_and(|line| line.starts_with(with) && line.contains(has))
        };
        let named = begins(0, "1. ", &format!("[{code}]"))
            && begins(1, "   cause: ", cause)
            && help.iter().any(|help| begins(2, "   help:  ", help));
        assert!(named, "{code}, {cause}, {help:?}:\n{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(super) fn begins_with(&self, first: &str) {
        assert!(self.stdout.starts_with(first), "{first}: {}", self.stdout);
    }

    #[track_caller]
    pub(super) fn is_unusable(&self) {
        assert_eq!(self.verdict(), CANNOT, "{}", self.stdout);
    }

    #[track_caller]
    pub(super) fn lacks_nodes(&self) {
        let verdict = format!("{CAN}, except for: {NODES}");
        assert!(self.verdict().starts_with(&verdict), "{}", self.stdout);
    }

    /// Tests run, and those with faults do not.
    #[track_caller]
    pub(super) fn lacks_faults(&self) {
        let verdict = format!("{CAN}, except for: {FAULTS}");
        assert!(self.verdict().starts_with(&verdict), "{}", self.stdout);
    }

    /// Usable, except for this.
    #[track_caller]
    pub(super) fn lacks(&self, what: &str) {
        assert_eq!(self.verdict(), format!("{CAN}, except for: {what}.\n"), "{}", self.stdout);
    }

    /// Usable, and nothing more is said.
    #[track_caller]
    pub(super) fn is_fine(&self) {
        assert_eq!(self.verdict(), format!("{CAN}.\n"), "{}", self.stdout);
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
    }
}
