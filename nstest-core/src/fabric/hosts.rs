//! The names of nodes in /etc/hosts (hosts(5)), and the servers for other names:
//! [`resolv_conf`].

pub(super) mod resolv_conf;

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, ErrorCode, Result};
use crate::layout::{HOSTS, LOCALHOST, NODE};
use crate::topology::state::Hosts;

/// Writes the names of nodes. The file is the test's own, and every node sees it at
/// /etc/hosts. In inline mode there is none, and names of nodes do not resolve.
pub(super) fn set(hosts: &Hosts) -> Result<()> {
    let path = Path::new(HOSTS);
    if !path.exists() {
        return Ok(());
    }
    let mut text = LOCALHOST.to_owned();
    text.extend(hosts.values().map(|lines| &**lines));
    if text.len() == LOCALHOST.len() {
        text.push_str(&format!("127.0.1.1 {NODE}\n"));
    }
    replace(path, text.into_bytes()).map_err(|error| {
        Error::new(ErrorCode::Setup, "write the test's own /etc/hosts").source(error)
    })
}

/// Replaces the content of a file that is a mount point, so that no other file can be
/// renamed over it. A look-up at the same time never finds it empty: a shorter content is
/// first written with blank lines behind it, and the file is truncated then.
fn replace(path: &Path, mut text: Vec<u8>) -> io::Result<()> {
    let file = fs::OpenOptions::new().write(true).open(path)?;
    let (before, length) = (file.metadata()?.len(), text.len() as u64);
    text.resize(usize::try_from(before.max(length)).unwrap_or(text.len()), b'\n');
    file.write_all_at(&text, 0)?;
    file.set_len(length)
}
