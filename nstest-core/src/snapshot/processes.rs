//! The processes of a test, and which of them has a socket open.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use litemap::LiteMap;

/// The most descriptors that are looked at in search of sockets.
const DESCRIPTORS: usize = 4096;

/// A process, and its threads, in /proc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestProcess {
    pub(super) directory: PathBuf,
    /// Its name, and its PID in the PID namespace of the test: `server[7]`.
    pub(super) name: String,
}

impl TestProcess {
    /// The process with this directory in /proc, if it is alive.
    pub(super) fn at(directory: impl Into<PathBuf>) -> Option<Self> {
        let directory = directory.into();
        let status = fs::read(directory.join("status")).ok()?;
        let name = name_and_pid(&String::from_utf8_lossy(&status))?;
        Some(Self { directory, name })
    }
}

/// The name and the innermost PID of a thread or process: `server[7]`.
pub(super) fn name_and_pid(status: &str) -> Option<String> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let pid = field("NSpid:").or_else(|| field("Pid:"))?.split_whitespace().last()?;
    Some(format!("{}[{pid}]", field("Name:")?))
}

/// By inode, a process that has the socket open: the first that has it.
pub(super) fn owners(processes: &[TestProcess], mut wanted: BTreeSet<u32>) -> LiteMap<u32, String> {
    let mut found = LiteMap::new();
    let mut left = DESCRIPTORS;
    for process in processes {
        for entry in fs::read_dir(process.directory.join("fd")).into_iter().flatten().flatten() {
            if wanted.is_empty() || left == 0 {
                return found;
            }
            left -= 1;
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(socket_inode);
            if let Some(inode) = inode.filter(|inode| wanted.remove(inode)) {
                found.insert(inode, process.name.clone());
            }
        }
    }
    found
}

/// The inode in a link of /proc/PID/fd: `socket:[123]`.
pub(super) fn socket_inode(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_with_its_innermost_pid() {
        let status = "Name:\tserver\nUmask:\t0022\nPid:\t1234\nNSpid:\t1234\t56\t7\n";
        assert_eq!(name_and_pid(status).as_deref(), Some("server[7]"));
        assert_eq!(name_and_pid("Name:\tserver\nPid:\t12\n").as_deref(), Some("server[12]"));
        assert_eq!(name_and_pid(""), None);
    }

    #[test]
    fn only_sockets_have_the_inode_of_one() {
        assert_eq!(socket_inode("socket:[123]"), Some(123));
        assert_eq!(socket_inode("pipe:[123]"), None);
    }
}
