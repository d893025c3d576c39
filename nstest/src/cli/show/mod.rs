//! `nstest show`: what a failed test left, as text.

mod faults;
mod log;
mod packets;
mod sockets;
mod table;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use nstest_core::private::files::{EVENTS, LATEST};
use nstest_core::private::shown;

use super::{FAILED, fail, print, records};
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
        match records::find(&record).and_then(|record| view.of(&record)) {
            Ok(text) => print(&view.on_this_output(text)),
            Err(message) => fail(FAILED, message),
        }
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

    fn of(self, record: &Path) -> Result<String, String> {
        let read = |name: &str| {
            let path = record.join(name);
            read_file(&path).map_err(|error| format!("{}: {error}", shown::path(&path)))
        };
        let log = || read(EVENTS).and_then(|text| Log::parse(&text));
        Ok(match self {
            Self::Card => read("card.txt")?,
            Self::Events => read(EVENTS)?,
            Self::Packets => packets::table(&log()?),
            Self::Sockets => sockets::table(&log()?),
            Self::Faults => faults::table(&log()?),
        })
    }
}

/// A pipe may have no writer, and a device no end.
fn read_file(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    fs::read_to_string(path)
}
