//! The stable names of the kinds of errors.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The stable name of a kind of error, printed as `nstest[code]`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The name of the code, in lower case, with `-` between words.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(ErrorCode::$variant => $text,)*
                }
            }
        }
    };
}

codes! {
    /// A step of setting up the test's namespaces failed, and no known cause fits.
    Setup = "setup",
    /// An argument or an environment variable of nstest has an invalid value.
    Config = "config",
    /// The test did not end within its timeout.
    Timeout = "timeout",
    /// A signal killed the test's process.
    Signal = "signal",
    /// The test's process ended before the test did.
    EarlyExit = "early-exit",
    /// The test's process closed the pipe through which it reports its result.
    VerdictLost = "verdict-lost",
    /// The test function passed, or panicked as it should, but then its process ended with an
    /// error.
    ExitAfterPass = "exit-after-pass",
    /// The test binary was started again, but did not run this test.
    NotStarted = "not-started",
    /// One test function is registered with libtest more than once.
    RegisteredTwice = "registered-twice",
    /// A private variable of the runner is in the environment, but the runner did not set it.
    StaleEnvironment = "stale-environment",
    /// Inline mode was requested, but the process may not create a network namespace.
    Inline = "inline",
    /// A network namespace could not be created, opened, entered or named, or a thread, program
    /// or socket in a node could not be started.
    Namespace = "namespace",
    /// A node, LAN or interface cannot have this name.
    Name = "name",
    /// Another object already has this name.
    NameTaken = "name-taken",
    /// A subnet cannot be read, or a LAN cannot use it.
    Subnet = "subnet",
    /// Two subnets that one node would see have addresses in common.
    SubnetOverlap = "subnet-overlap",
    /// A subnet has no free address.
    SubnetFull = "subnet-full",
    /// An interface cannot have this address.
    Address = "address",
    /// A node has no address of the requested kind.
    NoAddress = "no-address",
    /// A node cannot have this route.
    Route = "route",
    /// The default routes of some routers form a loop.
    RouteCycle = "route-cycle",
    /// A router cannot translate or filter as requested.
    Nat = "nat",
    /// The userspace part of a fault cannot be set up.
    Wire = "wire",
    /// An object is in use and cannot be removed, or is taken and cannot be claimed.
    InUse = "in-use",
    /// A test cannot have more of something: interfaces of a node, nodes, LANs, resolvers.
    TooMany = "too-many",
    /// The named object does not exist.
    NotFound = "not-found",
    /// A condition did not become true before its deadline.
    Deadline = "deadline",
    /// A fault, or a value of one, is invalid.
    Fault = "fault",
    /// A fault plan cannot be read.
    Plan = "plan",
    /// Two faults cannot be active at the same time.
    PlanConflict = "plan-conflict",
    /// A declared fault affected no packet.
    FaultUnmatched = "fault-unmatched",
    /// Exploration found points at which the test fails, or no point to try.
    Exploration = "exploration",
    /// This platform has no network namespaces.
    Platform = "platform",
    /// The machine allows no user namespace, or no further one.
    UsernsLimit = "userns-limit",
    /// The machine allows no network namespace, or no further one.
    NetnsLimit = "netns-limit",
    /// The machine allows no namespace of another kind, or no further one.
    NamespaceLimit = "namespace-limit",
    /// The user namespace of the process is nested too deep.
    UsernsDepth = "userns-depth",
    /// The process runs in a chroot, in which no user namespace can be created.
    Chroot = "chroot",
    /// The children of the process are in another PID namespace than it.
    NoInit = "no-init",
    /// The process's user or group id has no mapping in its own user namespace.
    UnmappedId = "unmapped-id",
    /// A seccomp filter refuses a system call.
    Seccomp = "seccomp",
    /// A seccomp filter kills the process that makes a system call.
    SeccompKill = "seccomp-kill",
    /// The process limit of the user is reached.
    Nproc = "nproc",
    /// The process limit of the machine or of the cgroup is reached.
    PidsLimit = "pids-limit",
    /// `kernel.unprivileged_userns_clone` is 0.
    UsernsCloneSysctl = "userns-clone-sysctl",
    /// AppArmor refuses a user namespace, or an operation in it.
    Apparmor = "apparmor",
    /// Root without CAP_SETFCAP cannot map itself into a user namespace.
    Setfcap = "setfcap",
    /// A fresh `/proc` or `/sys` is refused, because parts of the present one are hidden.
    ProcMasked = "proc-masked",
    /// `/proc/sys` is read-only.
    ProcSysReadOnly = "proc-sys-read-only",
    /// WSL 1 has no namespaces.
    Wsl1 = "wsl1",
    /// The kernel was built without a kind of namespace.
    NoNamespaces = "no-namespaces",
    /// The kernel is too old.
    OldKernel = "old-kernel",
    /// The process is not dumpable, so that it may not write its own files in `/proc`.
    NotDumpable = "not-dumpable",
    /// A resource limit of the process, such as `ulimit -v`, is too low.
    ResourceLimit = "resource-limit",
    /// SELinux refuses a user namespace, or an operation in it.
    Selinux = "selinux",
    /// No procfs is mounted on `/proc`.
    NoProc = "no-proc",
    /// A directory or a file that every Linux system has is missing, such as `/run`, or something
    /// else is there.
    MissingPath = "missing-path",
    /// The process or the machine has too many open files.
    OpenFiles = "open-files",
    /// The arguments and the environment are too big for a new process.
    EnvTooBig = "env-too-big",
    /// The test binary could not be executed again.
    Exec = "exec",
    /// A netlink socket could not be opened, or the kernel refused a request about links,
    /// addresses, routes, filters or sockets.
    Netlink = "netlink",
    /// A kernel setting could not be read or written.
    Sysctl = "sysctl",
    /// A test requests an uplink, and the machine cannot provide one.
    Uplink = "uplink",
    /// An error that nstest did not make: [`Error::other`](super::Error::other).
    Other = "other",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_kebab_case() {
        let mut seen = std::collections::HashSet::new();
        for code in ErrorCode::ALL {
            assert!(seen.insert(code.as_str()), "{code} twice");
            assert!(
                code.as_str()
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
        }
    }

    #[test]
    fn the_troubleshooting_page_has_a_section_for_each_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/troubleshooting.md");
        let page = std::fs::read_to_string(path).unwrap();
        let mut headings: Vec<&str> =
            page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let mut codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        headings.sort_unstable();
        codes.sort_unstable();
        assert_eq!(headings, codes);
    }
}
