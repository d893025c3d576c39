//! `nstest clean`: removes what failed tests left.

use std::process::ExitCode;

use clap::Args;
use nstest_core::private::shown;

use super::records::{self, NoRecords, Removed};
use super::{FAILED, fail, print};

/// Removes the records of all failed tests from the target directory.
///
/// Other files in it stay.
#[derive(Debug, Args)]
pub(super) struct Clean {}

impl Clean {
    pub(super) fn execute(self) -> ExitCode {
        let Self {} = self;
        let all = match records::all() {
            Ok(all) => all,
            // Nothing to remove is no failure.
            Err(NoRecords::Nothing(message)) => return print(&format!("{message}\n")),
            Err(NoRecords::Unknown(message)) => return fail(FAILED, message),
        };
        let Removed { records, bytes, failed } = records::remove(&all);
        let (all, size) = (shown::path(&all), bytes as f64 / 1e6);
        let what = if records == 1 { "record" } else { "records" };
        let printed = print(&format!("removed {records} {what} ({size:.1} MB) from `{all}`\n"));
        match failed.as_slice() {
            [] => printed,
            failed => fail(FAILED, failed.join("\nnstest: ")),
        }
    }
}
