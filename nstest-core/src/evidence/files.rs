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

/// The files of a record: the small and most important ones first, since the disk may have room
/// for some of them.
pub const FILES: [&str; 5] = ["card.txt", OUTPUT, EVENTS, "capture.pcapng", "report.html"];

/// Whether the events of a test or program are in a directory. Other files have such names, too.
#[must_use]
pub fn is_record(directory: &Path) -> bool {
    let mut start = [0; 200];
    let file = File::open(directory.join(EVENTS));
    let length = file.and_then(|mut file| file.read(&mut start)).unwrap_or_default();
    String::from_utf8_lossy(&start[..length]).contains(r#""event":"started","version":"#)
}
