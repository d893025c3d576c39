//! The names of what is kept of failed tests, for what writes it and for what finds it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The directory of all records, below the target directory.
pub const NSTEST: &str = "nstest";

/// The link to the newest of several directories.
pub const LATEST: &str = "latest";

/// The file, beside all records, that says how many bytes the present test run has written.
pub const WRITTEN: &str = ".written";

/// The events of a record.
pub const EVENTS: &str = "events.jsonl";

/// What a test has printed.
pub const OUTPUT: &str = "output.txt";

/// The summary that the test printed.
pub const CARD: &str = "card.txt";

/// The packets, for Wireshark.
pub const CAPTURE: &str = "capture.pcapng";

/// The page for browsers.
pub const REPORT: &str = "report.html";

/// The files of a record: the small and most important ones first, since the disk may have room
/// for some of them.
pub const FILES: [&str; 5] = [CARD, OUTPUT, EVENTS, CAPTURE, REPORT];

/// Whether the events of a test or program are in a directory, or its card, where the disk had room
/// for no more. Other files have such names, too.
#[must_use]
pub fn is_record(directory: &Path) -> bool {
    let has_events = || {
        let start = start_of(&directory.join(EVENTS), 200);
        start.contains(r#""event":"started","version":"#)
    };
    let has_card = || {
        let start = start_of(&directory.join(CARD), 4096);
        let is_outcome = ["failed   ", "passed   "].iter().any(|it| start.starts_with(it));
        is_outcome && start.contains("\nrerun    ")
    };
    has_events() || has_card()
}

/// The first bytes of a file, as text.
fn start_of(path: &Path, length: u64) -> String {
    let mut start = Vec::new();
    // A pipe may have no writer.
    if path.is_file() {
        let _ = File::open(path).map(|file| file.take(length).read_to_end(&mut start));
    }
    String::from_utf8_lossy(&start).into_owned()
}
