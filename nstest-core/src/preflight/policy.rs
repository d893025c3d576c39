//! What is done about a test for which the machine says no: `NSTEST_UNSUPPORTED`.

use std::ffi::OsStr;

use crate::error::{Error, ErrorCode, Result};

/// The name of the environment variable.
pub(crate) const VARIABLE: &str = "NSTEST_UNSUPPORTED";

/// What becomes of a test that the machine does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Policy {
    /// It fails.
    #[default]
    Fail,
    /// It is skipped, visibly.
    Skip,
}

impl Policy {
    /// `value` is that of [`VARIABLE`]; unset is the default.
    ///
    /// # Errors
    /// Any value but the two: a typing error must not turn tests off, or on.
    pub(crate) fn parse(value: Option<&OsStr>) -> Result<Self> {
        match value {
            None => Ok(Self::default()),
            Some(value) if value == "fail" => Ok(Self::Fail),
            Some(value) if value == "skip" => Ok(Self::Skip),
            Some(value) => Err(Error::new(
                ErrorCode::Config,
                format!("read the environment variable {VARIABLE}={value:?}"),
            )
            .help("its values are `fail`, which is also the default, and `skip`")),
        }
    }

    /// Whether a test that met `error` before its body began is skipped.
    pub(crate) fn skips(self, error: &Error) -> bool {
        self == Self::Skip && is_unsupported(error.code())
    }
}

/// Whether a code says that this machine, as it is set up, cannot run such tests at all.
///
/// Not so where a resource ran out, which may be the tests' own doing; where the
/// cause is not known; and where something other than a set-up step failed.
fn is_unsupported(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UsernsLimit
            | ErrorCode::NetnsLimit
            | ErrorCode::NamespaceLimit
            | ErrorCode::UsernsDepth
            | ErrorCode::Chroot
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
            | ErrorCode::Selinux
            | ErrorCode::NoProc
            | ErrorCode::Platform
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_values_are_taken() {
        assert_eq!(Policy::parse(None).unwrap(), Policy::Fail);
        assert_eq!(Policy::parse(Some("fail".as_ref())).unwrap(), Policy::Fail);
        assert_eq!(Policy::parse(Some("skip".as_ref())).unwrap(), Policy::Skip);
        for wrong in ["", "Skip", "skip ", "1", "ignore"] {
            let error = Policy::parse(Some(wrong.as_ref())).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Config);
        }
        let error = Policy::parse(Some("SKIP".as_ref())).unwrap_err();
        expect_test::expect![[r#"
            nstest[config]: read the environment variable NSTEST_UNSUPPORTED="SKIP"
              help: its values are `fail`, which is also the default, and `skip`"#]]
        .assert_eq(&format!("{error:?}"));
    }

    #[test]
    fn what_ran_out_is_never_skipped() {
        let skips = |code| Policy::Skip.skips(&Error::new(code, ""));
        assert!(skips(ErrorCode::UsernsLimit));
        assert!(!Policy::Fail.skips(&Error::new(ErrorCode::UsernsLimit, "")));
        for code in [
            ErrorCode::OpenFiles,
            ErrorCode::EnvTooBig,
            ErrorCode::Exec,
            ErrorCode::Nproc,
            ErrorCode::Setup,
        ] {
            assert!(!skips(code), "{code}");
        }
    }
}
