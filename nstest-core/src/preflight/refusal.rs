//! What failed: one operation of setting up a test.

/// A failed step of setting up a test.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    /// The operation and its object: "mount a fresh /proc".
    pub(crate) step: String,
    /// The system call, with the arguments that identify it: `mount("proc", "/proc", …)`.
    pub(crate) call: String,
    /// The errno; 0 for [`Operation::Killed`].
    pub(crate) errno: i32,
    pub(crate) kind: Operation,
}

/// The kind of operation that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A pipe, a pidfd, or another file descriptor.
    Pipe,
    /// The process with its own namespaces.
    Clone,
    /// Further namespaces of the test: those of a node.
    FurtherNamespaces {
        /// The parts between `max_` and `_namespaces` in the names of their sysctls.
        kinds: &'static [&'static str],
    },
    /// setns(2): entering a network namespace, and returning from it.
    Enter,
    /// A socket that nstest needs.
    Socket,
    /// A thread of the test's process.
    Thread,
    /// A write to `uid_map` or `gid_map`.
    IdMap,
    /// A write to `setgroups`.
    SetGroups,
    /// `lo`: its state or its addresses.
    Loopback,
    /// A mount on this path.
    Mount {
        target: String,
    },
    /// The host name.
    Hostname,
    /// A write to this file under `/proc/sys`.
    Sysctl {
        path: String,
    },
    /// The test binary, executed again.
    Exec,
    /// No call failed, but a signal killed the process that sets up the test.
    Killed {
        signal: i32,
    },
    Other,
}
