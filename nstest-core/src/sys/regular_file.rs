//! Reads a file of the machine's configuration. In a sandbox, something else can be at its path:
//! a FIFO, at which open(2) waits for a writer, or a device, which has no end.

use std::fs;
use std::path::Path;

/// The text of a regular file. Empty if there is none, or it cannot be read.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let is_regular = fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    let bytes = is_regular.then(|| fs::read(path).ok()).flatten().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
