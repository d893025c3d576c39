//! The names of nodes in /etc/hosts (hosts(5)), and the servers for other names:
//! [`resolv_conf`].

pub(super) mod resolv_conf;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, ErrorCode, Result};
use crate::layout::{HOSTS, LOCALHOST, NODE};
use crate::topology::state::Hosts;

/// Writes the names of nodes. The file is the test's own, and every node sees it at
/// /etc/hosts. In inline mode there is none, and names of nodes do not resolve.
///
/// `written` are the names that are in the file. If others only come after them, they are
/// appended.
pub(super) fn set(written: &Hosts, hosts: &Hosts) -> Result<()> {
    let path = Path::new(HOSTS);
    if !path.exists() {
        return Ok(());
    }
    let done = match appended(written, hosts) {
        Some(lines) => append(path, lines.as_bytes()),
        None => replace(path, text(hosts).into_bytes()),
    };
    done.map_err(|error| {
        let is_full = error.kind() == io::ErrorKind::StorageFull;
        let failed = Error::new(ErrorCode::Setup, "write the test's own /etc/hosts").source(error);
        match is_full {
            true => failed.help("the test's /run is full: set NSTEST_TMPFS_SIZE to a larger size"),
            false => failed,
        }
    })
}

fn text(hosts: &Hosts) -> String {
    let mut text = LOCALHOST.to_owned();
    text.extend(hosts.values().map(|lines| &**lines));
    if hosts.is_empty() {
        text.push_str(&format!("127.0.1.1 {NODE}\n"));
    }
    text
}

/// The lines that `hosts` has after those of `written`, unless it differs otherwise.
fn appended(written: &Hosts, hosts: &Hosts) -> Option<String> {
    let last = written.last_key()?;
    let new = written.differences(hosts);
    new.iter().all(|id| id > last).then(|| new.iter().map(|id| &*hosts[id]).collect())
}

/// One write, so that a look-up at the same time finds either all lines or none of them.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().append(true).open(path)?.write_all(lines)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::spec::NodeId;

    fn hosts(lines: &[(u16, &str)]) -> Hosts {
        let mut hosts = Hosts::default();
        hosts.extend(lines.iter().map(|(id, line)| (NodeId(*id), (*line).into())));
        hosts
    }

    #[test]
    fn lines_are_appended_if_nothing_else_changes() {
        let two = [(1, "a\n"), (2, "b\n")];
        let written = hosts(&two);
        let after = |lines: &[(u16, &str)]| appended(&written, &hosts(lines));
        let added = [two[0], two[1], (4, "d\n"), (70, "e\n")];
        assert_eq!(after(&added).as_deref(), Some("d\ne\n"));
        assert_eq!(after(&two).as_deref(), Some(""));
        assert_eq!(after(&[two[0], (2, "other\n"), (3, "c\n")]), None);
        assert_eq!(after(&[two[1], (3, "c\n")]), None);
        assert_eq!(after(&[two[0]]), None);
        assert_eq!(appended(&hosts(&[(2, "b\n")]), &written), None);
        // The file has the content with which the test began.
        assert_eq!(appended(&Hosts::default(), &written), None);
    }
}
