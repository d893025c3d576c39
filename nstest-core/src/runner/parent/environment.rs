//! The body's environment variables.

use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorCode, Result};
use crate::layout::{TLS_SECRETS, TMP_DIR};
use crate::runner::settings;
use crate::sys::call::c_string;
use crate::sys::init::{Handover, VARIABLE};

/// The variable for init.
pub(super) fn handover(handover: &Handover) -> CString {
    c_string(format!("{VARIABLE}={}", handover.encode()))
}

/// # Errors
/// If the environment has a [`Handover`]. Init takes the variable away in a body's
/// process, so where it is still there, it was made for another process.
pub(crate) fn refuse_stale_environment() -> Result<()> {
    match std::env::var_os(VARIABLE) {
        None => Ok(()),
        Some(value) => Err(Error::new(
            ErrorCode::StaleEnvironment,
            format!("run a test with {VARIABLE}={} in the environment", value.to_string_lossy()),
        )
        .source("the variable is private to nstest, and this value was made for another process")
        .help(format!("unset {VARIABLE}. If you did not set it, the test binary runs under a program that starts it in its own way (an emulator, a wrapper): see the page on limits"))),
    }
}

/// The parent's environment with a `TMPDIR` of the test's own, and without variables that lead to
/// a network that the test does not have. `libtest_name` is absent where the body is not a test.
/// `tls_secrets`: whether TLS libraries are to write their secrets into a file of the test, unless
/// the user has set one.
pub(super) fn of_body(libtest_name: Option<&str>, tls_secrets: bool) -> Vec<CString> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let is_proxy = |name: &str| {
        name.to_ascii_lowercase().ends_with("_proxy") && !name.eq_ignore_ascii_case("no_proxy")
    };
    let set = |name: &str, value: &str| c_string(format!("{name}={value}"));
    let mut environment: Vec<CString> = std::env::vars_os()
        .filter(|(name, _)| {
            name != "TMPDIR"
                && name != VARIABLE
                && (libtest_name.is_none() || name != settings::PLAN) // the handover has it
                && !is_proxy(&name.to_string_lossy())
        })
        .map(|(mut name, mut value)| {
            if name == "LLVM_PROFILE_FILE" {
                // Every body has PID 2, so they would overwrite each other's counters.
                let id =
                    format!("{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
                value = value.to_string_lossy().replace("%p", &id).into();
            }
            if name == "LISTEN_PID" && value == *std::process::id().to_string() {
                value = "2".into(); // sd_listen_fds(3): the sockets are for the body
            }
            name.push("=");
            name.push(value);
            c_string(name.into_vec())
        })
        .collect();
    environment.push(set("TMPDIR", TMP_DIR));
    if tls_secrets && std::env::var_os(settings::TLS_VARIABLE).is_none() {
        environment.push(set(settings::TLS_VARIABLE, TLS_SECRETS));
    }
    if let (true, Some(name)) = (cfg!(panic = "abort"), libtest_name) {
        // Makes libtest run the test itself, instead of in a further process.
        environment.push(set("__RUST_TEST_INVOKE", name));
    }
    environment
}
