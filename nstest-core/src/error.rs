//! The errors of nstest: an operation on an object, its cause, and a remedy.
//!
//! Every error has an [`ErrorCode`], a short name that does not change between releases. The
//! troubleshooting page (`docs/src/troubleshooting.md`) has a section for each code.

mod code;

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

pub use code::ErrorCode;

/// The result of an operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The result of a test function that uses `?` on errors of any type.
///
/// ```
/// fn body() -> nstest::TestResult {
///     let port: u16 = "8080".parse()?; // an error would be reported with this line
///     assert_eq!(port, 8080);
///     Ok(())
/// }
/// # body().unwrap();
/// ```
pub type TestResult<T = ()> = std::result::Result<T, TestError>;

/// An operation of nstest that failed.
///
/// `Display` is one line: the operation and the object. `Debug`, which `main` and `unwrap`
/// print, is the whole report: code, operation, causes and remedy.
pub struct Error(Box<ErrorParts>);

struct ErrorParts {
    code: ErrorCode,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    help: Option<String>,
    exhausted: bool,
}

impl Error {
    /// `what` names the operation and the object, in the imperative: "bring up `lo`".
    pub(crate) fn new(code: ErrorCode, what: impl Into<String>) -> Self {
        let parts =
            ErrorParts { code, what: what.into(), source: None, help: None, exhausted: false };
        Self(Box::new(parts))
    }

    /// An error of another kind: what [`Fixture::setup`](crate::Fixture::setup) of a fixture of
    /// your own returns, where something other than nstest has failed. Its code is
    /// [`ErrorCode::Other`].
    ///
    /// ```
    /// use nstest::{Error, Node, Result};
    /// use std::net::TcpListener;
    ///
    /// fn listen(node: &Node) -> Result<TcpListener> {
    ///     node.run(|| TcpListener::bind("0.0.0.0:80")).map_err(Error::other)
    /// }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn other(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let at = Location::caller();
        Self::new(ErrorCode::Other, format!("make a fixture, at {at}")).source(error)
    }

    pub(crate) fn source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        let source = source.into();
        if let Some(cause) = out_of_files(&*source) {
            self.0.code = ErrorCode::OpenFiles;
            self.0.help = Some(cause.to_owned());
        }
        self.0.source = Some(source);
        self
    }

    /// The remedy, as an imperative sentence.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Marks an error about something that the machine has, and that is in use.
    pub(crate) fn exhausted(mut self) -> Self {
        self.0.exhausted = true;
        self
    }

    /// Whether the machine has what is missing, and it is in use.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.0.exhausted
    }

    /// The stable name of this kind of error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The remedy, if one is known.
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

/// The remedy for ENFILE.
#[cfg(target_os = "linux")]
pub(crate) const MORE_FILES_OF_THE_MACHINE: &str =
    "allow the machine more open files: sudo sysctl -w fs.file-max=1000000";

/// The remedy, if the cause of an error is that no file can be opened: not what was to be done
/// is wrong then.
#[cfg(target_os = "linux")]
fn out_of_files(source: &(dyn StdError + 'static)) -> Option<&'static str> {
    use nix::errno::Errno;
    let number = || source.downcast_ref::<std::io::Error>()?.raw_os_error();
    match source.downcast_ref::<Errno>().copied().or_else(|| number().map(Errno::from_raw))? {
        // More descriptors than this process may open are in messages (unix(7)).
        Errno::EMFILE | Errno::ETOOMANYREFS => Some(
            "allow this process more open files (`ulimit -n`), or use fewer nodes: each needs three \
             descriptors while the network is made",
        ),
        Errno::ENFILE => Some(MORE_FILES_OF_THE_MACHINE),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn out_of_files(_: &(dyn StdError + 'static)) -> Option<&'static str> {
    None
}

/// Indents all lines but the first.
fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

/// Any error, with the line of the test at which it occurred.
///
/// `?` creates it. It does not implement [`std::error::Error`], so that it can be created from
/// every type that does.
pub struct TestError {
    error: Box<dyn StdError + Send + Sync>,
    at: &'static Location<'static>,
}

impl TestError {
    /// The original error.
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
        if let Some(error) = self.error.downcast_ref::<Error>() {
            write!(f, "{error:?}")?;
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
    fn debug_prints_the_whole_report() {
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
}
