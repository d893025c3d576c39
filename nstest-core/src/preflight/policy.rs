//! `NSTEST_UNSUPPORTED`: whether a test that the machine cannot run fails or is skipped.

use std::ffi::OsStr;

use crate::error::{Error, ErrorCode, Result};

/// The name of the environment variable.
pub(crate) const VARIABLE: &str = "NSTEST_UNSUPPORTED";

/// What happens to a test that the machine cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Policy {
    /// It fails.
    #[default]
    Fail,
    /// It is skipped, and a note is printed.
    Skip,
}

impl Policy {
    /// Reads the value of [`VARIABLE`]. `None` gives the default.
    ///
    /// # Errors
    /// For all other values, so that a typing error does not skip tests.
    pub(crate) fn parse(value: Option<&OsStr>) -> Result<Self> {
        match value {
            None => Ok(Self::default()),
            Some(value) if value == "fail" => Ok(Self::Fail),
            Some(value) if value == "skip" => Ok(Self::Skip),
            Some(value) => Err(Error::new(
                ErrorCode::Config,
                format!("read {VARIABLE}={}", value.to_string_lossy()),
            )
            .source("it is none of the values of this variable")
            .help("set it to `fail` (the default) or `skip`")),
        }
    }

    /// Whether to skip a test that failed with `error` before its function ran.
    pub(crate) fn skips(self, error: &Error) -> bool {
        self == Self::Skip && is_unsupported(error.code()) && !error.is_exhausted()
    }
}

/// Whether the code means that this machine cannot run such tests at all.
///
/// Not for exhausted resources, which the tests may have used up themselves, for unknown
/// causes, and for failures of anything but a set-up step.
fn is_unsupported(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UsernsLimit
            | ErrorCode::NetnsLimit
            | ErrorCode::NamespaceLimit
            | ErrorCode::Chroot
            | ErrorCode::NoInit
            | ErrorCode::UnmappedId
            | ErrorCode::Seccomp
            | ErrorCode::SeccompKill
            | ErrorCode::UsernsCloneSysctl
            | ErrorCode::Apparmor
            | ErrorCode::Setfcap
            | ErrorCode::ProcMasked
            | ErrorCode::ProcSysReadOnly
            | ErrorCode::Wsl1
            | ErrorCode::NoNamespaces
            | ErrorCode::OldKernel
            | ErrorCode::Selinux
            | ErrorCode::NoProc
            | ErrorCode::MissingPath
            | ErrorCode::Platform
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_values_are_refused() {
        assert_eq!(Policy::parse(None).unwrap(), Policy::Fail);
        assert_eq!(Policy::parse(Some("fail".as_ref())).unwrap(), Policy::Fail);
        assert_eq!(Policy::parse(Some("skip".as_ref())).unwrap(), Policy::Skip);
        for wrong in ["", "Skip", "skip ", "1", "ignore"] {
            let error = Policy::parse(Some(wrong.as_ref())).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Config);
        }
        let error = Policy::parse(Some("SKIP".as_ref())).unwrap_err();
        expect_test::expect![[r#"
            nstest[config]: read NSTEST_UNSUPPORTED=SKIP
              cause: it is none of the values of this variable
              help: set it to `fail` (the default) or `skip`"#]]
        .assert_eq(&format!("{error:?}"));
    }

    #[test]
    fn exhausted_resources_are_never_skipped() {
        let skips = |code| Policy::Skip.skips(&Error::new(code, ""));
        assert!(skips(ErrorCode::UsernsLimit));
        assert!(!Policy::Fail.skips(&Error::new(ErrorCode::UsernsLimit, "")));
        assert!(!Policy::Skip.skips(&Error::new(ErrorCode::UsernsLimit, "").exhausted()));
        for code in [
            ErrorCode::OpenFiles,
            ErrorCode::EnvTooBig,
            ErrorCode::Exec,
            ErrorCode::Nproc,
            ErrorCode::Setup,
            ErrorCode::UsernsDepth,
        ] {
            assert!(!skips(code), "{code}");
        }
    }
}
