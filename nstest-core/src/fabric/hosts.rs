//! The names of nodes: /etc/hosts (hosts(5)); who is asked for others:
//! [`resolv_conf`].

pub(super) mod resolv_conf;

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, ErrorCode, Result};
use crate::layout::{HOSTS, LOCALHOST, NODE};
use crate::topology::state::HostEntry;

/// The file is the test's own, and every node sees it at /etc/hosts. In inline
/// mode there is none: names of nodes do not resolve there.
pub(super) fn set(entries: &[HostEntry]) -> Result<()> {
    use std::fmt::Write;
    let path = Path::new(HOSTS);
    if !path.exists() {
        return Ok(());
    }
    let mut text = LOCALHOST.to_owned();
    for HostEntry { addr, names } in entries {
        let _ = writeln!(text, "{addr} {}", names.join(" "));
    }
    if entries.is_empty() {
        let _ = writeln!(text, "127.0.1.1 {NODE}");
    }
    replace(path, text.into_bytes()).map_err(|error| {
        Error::new(ErrorCode::Setup, "write the test's own /etc/hosts").source(error)
    })
}

/// Gives a file that is mounted over another, and cannot be renamed over, a new
/// content. Whoever reads it meanwhile, for a look-up, never finds it empty: what
/// is too short is written with blank lines first, and then cut off.
fn replace(path: &Path, mut text: Vec<u8>) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    let (before, length) = (file.metadata()?.len(), text.len() as u64);
    text.resize(usize::try_from(before.max(length)).unwrap_or(text.len()), b'\n');
    file.write_all_at(&text, 0)?;
    file.set_len(length)
}
