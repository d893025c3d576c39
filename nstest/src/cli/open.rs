//! `nstest open`: the report of a failed test, in a browser.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;

use super::{FAILED, fail, records};

/// The file in a record that browsers show.
const REPORT: &str = "report.html";

/// Opens the report of a failed test in a browser.
///
/// The browser is that of the variable BROWSER, or the desktop's (xdg-open).
#[derive(Debug, Args)]
pub(super) struct Open {
    /// The directory that the failed test printed, or `latest`.
    #[arg(default_value = "latest", value_name = "RECORD")]
    record: PathBuf,
}

impl Open {
    pub(super) fn execute(self) -> ExitCode {
        let report = match records::find(&self.record) {
            Ok(record) => record.join(REPORT),
            Err(message) => return fail(FAILED, message),
        };
        if !report.is_file() {
            return fail(FAILED, format_args!("there is no `{}`", report.display()));
        }
        let browser = env::var_os("BROWSER").unwrap_or_else(|| "xdg-open".into());
        // Standard output belongs to what a subcommand was asked for.
        let status = Command::new(&browser).arg(&report).stdout(Stdio::null()).status();
        let why = match status {
            Ok(status) if status.success() => return ExitCode::SUCCESS,
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let browser = browser.to_string_lossy();
        let report = report.display();
        fail(FAILED, format_args!("{browser}: {why}; open this file in a browser: {report}"))
    }
}
