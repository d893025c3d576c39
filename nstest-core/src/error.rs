//! What went wrong: an operation on an object, its cause, and the next step.
//!
//! Every error carries a [`ErrorCode`]: a short name that stays the same between
//! releases and that the troubleshooting page (`docs/src/troubleshooting.md`)
//! explains under a heading of that name.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the body of a test returns when it wants to use `?` on errors of any type.
///
/// ```
/// fn body() -> nstest::TestResult {
///     let port: u16 = "8080".parse()?; // a ParseIntError would name this line
///     assert_eq!(port, 8080);
///     Ok(())
/// }
/// # body().unwrap();
/// ```
pub type TestResult<T = ()> = std::result::Result<T, TestError>;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The stable name of a kind of error, as printed in `nstest[code]`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code there is, for the page that must explain each.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$variant,)*];

            /// The name: lower case, words joined by `-`.
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
    /// A step of setting up the test's namespaces was refused; no cause is known.
    Setup = "setup",
    /// An argument or an environment variable of nstest has a value that it cannot have.
    Config = "config",
    /// The test did not end within its timeout.
    Timeout = "timeout",
    /// The test's process was killed by a signal.
    Signal = "signal",
    /// The test's process ended before the body did.
    EarlyExit = "early-exit",
    /// The test's process closed or lost the pipe on which its verdict travels.
    VerdictLost = "verdict-lost",
    /// The body passed, and then its process ended with another status than 0.
    ExitAfterPass = "exit-after-pass",
    /// The test binary started again did not run this test.
    NotStarted = "not-started",
    /// One test function is registered with libtest more than once.
    RegisteredTwice = "registered-twice",
    /// A private variable of the runner stands in the environment, and no runner put it there.
    StaleEnvironment = "stale-environment",
    /// Inline mode was asked for where the process may not make a network namespace.
    Inline = "inline",
    /// A network namespace could not be made, opened, entered or named.
    Namespace = "namespace",
    /// A name that a node, LAN or interface cannot have.
    Name = "name",
    /// A name that something else has.
    NameTaken = "name-taken",
    /// A subnet that cannot be read, or that a LAN cannot have.
    Subnet = "subnet",
    /// Two subnets that one node would see have addresses in common.
    SubnetOverlap = "subnet-overlap",
    /// A subnet has no address left.
    SubnetFull = "subnet-full",
    /// An address that an interface cannot have.
    Address = "address",
    /// A node has no address of the kind asked for.
    NoAddress = "no-address",
    /// A route that nobody can have.
    Route = "route",
    /// Default routes that lead in a circle.
    RouteCycle = "route-cycle",
    /// A router cannot translate or filter what it was asked to.
    Nat = "nat",
    /// The wire, which takes frames past a stage, cannot be made.
    Wire = "wire",
    /// Something is in use and cannot go, or is taken and cannot be had.
    InUse = "in-use",
    /// Something that was named is not there.
    NotFound = "not-found",
    /// What was waited for had not come when the time was up.
    Deadline = "deadline",
    /// A fault, or a value of one, that cannot be.
    Fault = "fault",
    /// A plan of faults cannot be read.
    Plan = "plan",
    /// Two faults cannot be at the same time.
    PlanConflict = "plan-conflict",
    /// A declared fault affected no packet.
    FaultUnmatched = "fault-unmatched",
    /// Exploration found points at which the test fails, or none that it could try.
    Exploration = "exploration",
    /// This platform has no network namespaces.
    Platform = "platform",
    /// The machine allows no user namespace, or no more.
    UsernsLimit = "userns-limit",
    /// The machine allows no network namespace, or no more.
    NetnsLimit = "netns-limit",
    /// The machine allows no namespace of another kind, or no more.
    NamespaceLimit = "namespace-limit",
    /// The process is in a user or PID namespace nested so deep that it can make none in it.
    UsernsDepth = "userns-depth",
    /// The process runs in a chroot, where no user namespace can be made.
    Chroot = "chroot",
    /// The process's user or group id has no mapping in its own user namespace.
    UnmappedId = "unmapped-id",
    /// A seccomp filter refuses a system call.
    Seccomp = "seccomp",
    /// A seccomp filter kills the process that makes a system call.
    SeccompKill = "seccomp-kill",
    /// The user's limit of processes is reached.
    Nproc = "nproc",
    /// The machine's or the cgroup's limit of processes is reached.
    PidsLimit = "pids-limit",
    /// `kernel.unprivileged_userns_clone` is 0.
    UsernsCloneSysctl = "userns-clone-sysctl",
    /// AppArmor refuses a user namespace, or what a test does in it.
    Apparmor = "apparmor",
    /// Root without CAP_SETFCAP cannot map itself into a user namespace.
    Setfcap = "setfcap",
    /// A fresh `/proc` or `/sys` is refused, since parts of the present one are hidden.
    ProcMasked = "proc-masked",
    /// `/proc/sys` is read-only.
    ProcSysReadOnly = "proc-sys-read-only",
    /// WSL 1 has no namespaces.
    Wsl1 = "wsl1",
    /// The kernel was built without a kind of namespace.
    NoNamespaces = "no-namespaces",
    /// SELinux refuses a user namespace, or what a test does in it.
    Selinux = "selinux",
    /// No procfs is mounted on `/proc`.
    NoProc = "no-proc",
    /// The process or the machine has too many files open.
    OpenFiles = "open-files",
    /// The arguments and the environment are too big for the test's process.
    EnvTooBig = "env-too-big",
    /// The test binary could not be executed again.
    Exec = "exec",
    /// A netlink socket could not be opened, or the kernel refused a request about links,
    /// addresses, routes, filters or sockets.
    Netlink = "netlink",
    /// A kernel setting could not be read or written.
    Sysctl = "sysctl",
    /// A test asked for an uplink, and the machine has no way to give it one.
    Uplink = "uplink",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An operation of nstest that failed.
///
/// `Display` is one line: the operation and the object. `Debug`, which is what
/// `main` and `unwrap` print, is the whole report: causes, next step and code.
pub struct Error(Box<ErrorParts>);

struct ErrorParts {
    code: ErrorCode,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    help: Option<String>,
}

impl Error {
    /// `what` names the operation and the object: "bring up `lo`".
    pub(crate) fn new(code: ErrorCode, what: impl Into<String>) -> Self {
        Self(Box::new(ErrorParts { code, what: what.into(), source: None, help: None }))
    }

    pub(crate) fn source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The next step, as an imperative sentence.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// The stable name of this kind of error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn next_step(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nstest[{}]: {}", self.0.code, self.0.what)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "\n  cause: {}", indented(&error.to_string()))?;
            cause = error.source();
        }
        if let Some(help) = &self.0.help {
            write!(f, "\n  help: {}", indented(help))?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Keeps the later lines of a text below its first one.
fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

/// Any error, and the line of the test that met it.
///
/// It is made by `?` and deliberately no [`std::error::Error`] itself: that is
/// what lets it be made from every type that is one.
pub struct TestError {
    error: Box<dyn StdError + Send + Sync>,
    at: &'static Location<'static>,
}

impl TestError {
    /// The error that `?` met.
    #[must_use]
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.error
    }
}

impl<E> From<E> for TestError
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    #[track_caller]
    fn from(error: E) -> Self {
        Self { error: error.into(), at: Location::caller() }
    }
}

impl fmt::Debug for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(ours) = self.error.downcast_ref::<Error>() {
            write!(f, "{ours:?}")?;
        } else {
            write!(f, "{}", self.error)?;
            let mut cause = self.error.source();
            while let Some(error) = cause {
                write!(f, "\n  cause: {}", indented(&error.to_string()))?;
                cause = error.source();
            }
        }
        write!(f, "\n  at {}", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_the_whole_report() {
        let error = Error::new(ErrorCode::Setup, "bring up `lo`")
            .source(std::io::Error::from_raw_os_error(1))
            .help("allow it\nand run again");
        assert_eq!(
            format!("{error:?}"),
            "nstest[setup]: bring up `lo`\n  cause: Operation not permitted (os error 1)\n  help: allow it\n    and run again"
        );
        assert_eq!(error.to_string(), "bring up `lo`");
    }

    #[test]
    fn test_error_names_the_line_of_the_question_mark() {
        fn body() -> TestResult {
            "x".parse::<u16>()?;
            Ok(())
        }
        let text = format!("{:?}", body().unwrap_err());
        assert!(text.starts_with("invalid digit found in string\n  at "), "{text}");
        assert!(text.contains("error.rs:"), "{text}");
    }

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
    fn the_troubleshooting_page_explains_each_code() {
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
