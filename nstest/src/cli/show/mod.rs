//! `nstest show`: what a failed test left, as text.

mod faults;
mod log;
mod packets;
mod sockets;
mod table;

use std::fmt::Display;
use std::fs;
use std::io::{self, ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use nstest_core::private::files::{CARD, EVENTS, FILES, LATEST, OUTPUT};
use nstest_core::private::shown;

use super::{FAILED, fail, print, records, say};
use log::Log;

/// Prints what a failed test left.
///
/// Each line of `packets`, `sockets` and `faults` is about one of them, for grep(1). `events`
/// is the file events.jsonl, for jq(1). `nstest show packets` shows those of the latest record.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The directory that the failed test printed, or `latest`.
    #[arg(default_value = "latest", value_name = "RECORD")]
    record: PathBuf,
    /// What to print.
    #[arg(default_value = "card")]
    view: View,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum View {
    /// The summary that the test printed.
    Card,
    /// The packets at each interface, and what faults did to them.
    Packets,
    /// The sockets that were open when the test failed.
    Sockets,
    /// The faults, when they were in force, and how many packets they affected.
    Faults,
    /// Everything that was recorded, as JSON, an object a line.
    Events,
}

impl Show {
    pub(super) fn execute(self) -> ExitCode {
        let Self { mut record, mut view } = self;
        let as_view = record.to_str().and_then(|text| View::from_str(text, false).ok());
        if let Some(named) = as_view.filter(|_| records::find(&record).is_err()) {
            (record, view) = (LATEST.into(), named);
        }
        let shown = records::find(&record).and_then(|record| view.of(&record));
        let Shown { text, lacks, broken } = match shown {
            Ok(shown) => shown,
            Err(message) => return fail(FAILED, message),
        };
        let printed = print(&view.on_this_output(text));
        if let Some(lacks) = lacks {
            say(format_args!("nstest: {lacks}"));
        }
        broken.map_or(printed, |message| fail(FAILED, message))
    }
}

/// A part of a record.
#[derive(Debug, Default)]
struct Shown {
    text: String,
    /// What else the record lacks.
    lacks: Option<String>,
    /// Why it is not all of that part.
    broken: Option<String>,
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

impl View {
    /// What a test has printed, or named, may have control sequences in it. They are for no
    /// terminal.
    fn on_this_output(self, text: String) -> String {
        match self {
            _ if !io::stdout().is_terminal() => text,
            Self::Events => shown::json_for_terminal(&text),
            _ => shown::for_terminal(&text),
        }
    }

    fn of(self, record: &Path) -> Result<Shown, String> {
        let table: fn(&Log) -> String = match self {
            Self::Card => {
                return Ok(Shown { lacks: lacks(record), ..read(record, CARD)?.into() });
            }
            Self::Events => {
                let text = read(record, EVENTS)?;
                let is_complete = text.ends_with('\n');
                let broken = (!is_complete)
                    .then(|| format!("{}: its last line is incomplete", place(record, EVENTS)));
                return Ok(Shown { broken, ..text.into() });
            }
            Self::Packets => packets::table,
            Self::Sockets => sockets::table,
            Self::Faults => faults::table,
        };
        let (log, broken) = Log::parse(&read(record, EVENTS)?)
            .map_err(|why| format!("{}{why}", place(record, EVENTS)))?;
        let broken = broken.map(|why| {
            format!("{}{why}; only the lines before it are shown", place(record, EVENTS))
        });
        Ok(Shown { text: table(&log), lacks: None, broken })
    }
}

fn place(record: &Path, name: &str) -> String {
    shown::path(&record.join(name))
}

/// The content of a file of a record. A pipe may have no writer, and a device no end.
fn read(record: &Path, name: &str) -> Result<String, String> {
    let path = record.join(name);
    let failed = |why: &dyn Display| format!("{}: {why}", place(record, name));
    let found = match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let has = has(record).join(", ");
            let record = shown::path(record);
            return Err(format!("the record in `{record}` has no {name}; it has {has}"));
        }
        found => found.map_err(|error| failed(&error))?,
    };
    if !found.is_file() {
        return Err(failed(&"it is not a regular file"));
    }
    // Where it is cut off, it may not be UTF-8.
    let bytes = fs::read(&path).map_err(|error| failed(&error))?;
    if bytes.is_empty() {
        return Err(failed(&"it is empty"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files of a record that are there.
fn has(record: &Path) -> Vec<&'static str> {
    FILES.into_iter().filter(|name| record.join(name).exists()).collect()
}

/// What could not be written. That of a program has no output.
fn lacks(record: &Path) -> Option<String> {
    let has = has(record);
    let missing: Vec<&str> =
        FILES.into_iter().filter(|name| *name != OUTPUT && !has.contains(name)).collect();
    (!missing.is_empty()).then(|| {
        format!("this record has no {}: what it lacks could not be written", missing.join(", "))
    })
}
