//! The record of a program: `nstest run --record PATH`. It is that of a test, in a directory that
//! the user has named.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use super::keep::{Written, write_into};
use super::program_options::{Program, ProgramEnd};
use super::record::TestRecord;
use super::recorded_run::{RecordedRun, RunSummary};
use super::rerun;
use crate::error::{Error, ErrorCode, Result};
use crate::evidence::card::Card;
use crate::evidence::shown;
use crate::evidence::store::Folder;

/// The directory, which no other process writes.
#[derive(Debug)]
pub(super) struct ProgramRecord(Folder);

impl ProgramRecord {
    /// # Errors
    /// If the directory cannot be written, or has something else in it.
    pub(super) fn begin(path: &Path) -> Result<Self> {
        Folder::given(path).map(Self).map_err(|error| {
            let what = format!("record the program in `{}`", shown::path(path));
            let help = match error.kind() {
                io::ErrorKind::ResourceBusy => {
                    "wait until that process has ended; or give --record another directory"
                }
                _ => "give --record a directory that can be made, or that is empty or has an earlier record",
            };
            Error::new(ErrorCode::Config, what).source(error).help(help)
        })
    }

    /// Writes what was recorded of a program that has ended so, and prints where it is. What cannot
    /// be written is a note.
    pub(super) fn finish(
        self,
        program: &Program,
        seed: u64,
        end: &Result<ProgramEnd>,
        record: TestRecord,
    ) {
        let mut words: Vec<OsString> = std::env::args_os().collect();
        if let Some(program) = words.first_mut() {
            *program = "nstest".into();
        }
        let (passed, verdict) = match end {
            Ok(end) => end.describe(),
            Err(error) => (false, format!("{error:?}")),
        };
        let name = rerun::command_line(&program.command);
        let summary = RunSummary {
            name: &name,
            binary: "nstest",
            rerun: rerun::command_line(&words),
            plan: None,
            seed,
            passed,
            keeps_output: false, // it goes where that of this process goes
            verdict,
        };
        let Some(mut run) = RecordedRun::of(summary, record) else { return };
        run.attribute_faults("--condition");
        let card = Card::of(&run.story(Some(self.0.path())));
        let place = match write_into(self.0, &run, &card, None) {
            Ok(Written { path, lacks }) => {
                format!("{lacks}nstest: record in {}\n", shown::path(&path))
            }
            Err(error) => format!("nstest: no record: {error}\n"),
        };
        // It fails if standard error is closed; then there is nowhere to print.
        let _ = std::io::stderr().write_all(place.as_bytes());
    }
}
