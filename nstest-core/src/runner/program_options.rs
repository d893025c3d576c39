//! What `nstest run` is asked for, and how it ends. Also for platforms without namespaces.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
use nix::sys::signal::Signal;

use crate::fault::Condition;

/// Takes the place of a test's path. No function can have this name.
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
pub(super) const NAME: &str = "program()";

/// A program, and the world that it gets.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// This binary and its arguments in the process that makes the network, if they are others than
    /// here.
    pub body: Option<Vec<OsString>>,
    /// The number of nodes beside the program's own, called `peer1`, `peer2`, ….
    pub peers: u16,
    /// Whether it has a connection to the network of the machine.
    pub uplink: bool,
    /// What the link of the program's node is like.
    pub condition: Option<Condition>,
    /// Whether it has a default route on which nothing answers.
    pub silent_peer: bool,
    /// TCP ports of the machine's `localhost` that are at the same port of its own.
    pub host_ports: Vec<u16>,
    /// Whether it keeps the user id that it has outside, and has no rights over its network.
    pub no_root: bool,
    /// Which packets a condition loses, repeats and so on.
    pub seed: Option<u64>,
    /// After this time it is asked to end, and then killed.
    pub timeout: Option<Duration>,
    /// The directory of the record that it leaves, if it leaves one.
    pub record: Option<PathBuf>,
    /// Whether the record has the TLS secrets that the program logs.
    pub tls_secrets: bool,
}

impl Program {
    /// Whether nodes must be made, which live as long as the process that makes them.
    pub(super) fn needs_nodes(&self) -> bool {
        self.peers > 0 || self.silent_peer
    }

    /// Whether this binary has to make the network, listen or record, before the program starts.
    pub(super) fn needs_body(&self) -> bool {
        self.needs_nodes() || self.uplink || self.record.is_some() || !self.host_ports.is_empty()
    }
}

/// How a program ended.
#[derive(Debug)]
pub enum ProgramEnd {
    /// With this exit status; with 128 plus its number, if a signal killed it.
    Exited(i32),
    /// It did not end within its time.
    TimedOut(Duration),
    /// It could not be started.
    NotStarted(io::Error),
    /// Its network could not be made, or a test not be entered: the error, which the process there
    /// has returned or printed.
    NotPrepared(String),
}

impl ProgramEnd {
    /// In words, and whether that is a success.
    #[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
    pub(super) fn describe(&self) -> (bool, String) {
        match self {
            Self::Exited(status) => {
                // The process that has started it may report only the status.
                let signal = Signal::try_from(status - 128);
                let signal = signal.map(|it| format!(", 128 + {it}")).unwrap_or_default();
                (*status == 0, format!("it ended with exit status {status}{signal}"))
            }
            Self::TimedOut(timeout) => (false, format!("it did not end within {timeout:?}")),
            Self::NotStarted(error) => (false, format!("it could not be executed: {error}")),
            Self::NotPrepared(report) => (false, format!("it did not begin: {report}")),
        }
    }
}
