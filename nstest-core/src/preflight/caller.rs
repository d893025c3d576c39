//! What the user has started: the remedies name it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What the user has started, and nstest needs namespaces for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A suite of tests.
    #[default]
    Tests,
    /// The command `nstest`: a program in a world of its own, `nstest doctor`.
    Command,
}

static IS_COMMAND: AtomicBool = AtomicBool::new(false);

/// Says that this process is the command `nstest`.
#[cfg(feature = "cli")]
pub(crate) fn set_command() {
    IS_COMMAND.store(true, Relaxed);
}

impl Caller {
    /// That of this process.
    pub(crate) fn current() -> Self {
        if IS_COMMAND.load(Relaxed) { Self::Command } else { Self::Tests }
    }

    /// After "run".
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tests => "the tests",
            Self::Command => "nstest",
        }
    }

    /// Its name, and the verb.
    pub(super) fn runs(self) -> &'static str {
        match self {
            Self::Tests => "the tests run",
            Self::Command => "nstest runs",
        }
    }

    /// The command line that starts it.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Tests => "cargo test",
            Self::Command => "nstest …",
        }
    }

    /// Where a limit is set for it.
    pub(super) fn shell(self) -> &'static str {
        match self {
            Self::Tests => "in the shell that runs the tests",
            Self::Command => "in this shell",
        }
    }

    /// The binary that nstest starts in namespaces.
    pub(crate) fn binary(self) -> &'static str {
        match self {
            Self::Tests => "the test binary",
            Self::Command => "the program `nstest`",
        }
    }

    /// A remedy, and the other one where many tests use a resource at once.
    pub(super) fn or_fewer_at_a_time(self, remedy: String) -> String {
        match self {
            Self::Tests => {
                format!("{remedy}\nor run fewer tests at a time: cargo test -- --test-threads=1")
            }
            Self::Command => remedy,
        }
    }
}
