//! `nstest clean`: removes what failed tests left.

use std::fs;
use std::process::ExitCode;

use clap::Args;

use super::{FAILED, fail, print, records};

/// Removes the records of all failed tests from the target directory.
#[derive(Debug, Args)]
pub(super) struct Clean {}

impl Clean {
    pub(super) fn execute(self) -> ExitCode {
        let Self {} = self;
        let all = match records::all() {
            Ok(all) => all,
            // Nothing to remove is no failure.
            Err(message) => return print(&format!("{message}\n")),
        };
        let (count, bytes) = records::count(&all);
        if let Err(error) = fs::remove_dir_all(&all) {
            return fail(FAILED, format_args!("cannot remove `{}`: {error}", all.display()));
        }
        let (records, size) = (if count == 1 { "record" } else { "records" }, bytes as f64 / 1e6);
        print(&format!("removed {count} {records} ({size:.1} MB) from `{}`\n", all.display()))
    }
}
