//! The PID of this process in /proc. A test that has to do without a /proc of its own sees that of
//! another PID namespace, where it has another PID.

use std::{fs, process};

/// The PID in /proc, or in the process's own namespace where there is no /proc.
pub(crate) fn in_proc() -> u32 {
    read().unwrap_or_else(process::id)
}

/// Whether /proc shows the PID namespace of this process, as far as its PID tells.
pub(crate) fn proc_is_own() -> bool {
    read() == Some(process::id())
}

fn read() -> Option<u32> {
    fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}
