//! Lists the processes of a test that are alive at its timeout, for the error.
//!
//! It reads /proc (proc_pid_status(5), proc_tid_children(5)), and leaves out what it cannot
//! read.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

/// The processes below init, one a line; empty if there is none, or none is known.
pub(super) fn describe(init: i32) -> String {
    let mut text = String::new();
    let mut pending = children(init);
    while let Some(pid) = pending.pop() {
        if let Some(line) = describe_process(pid) {
            let _ = write!(text, "\n  {line}");
        }
        pending.extend(children(pid));
    }
    if text.is_empty() { text } else { format!("; processes alive then:{text}") }
}

/// The PID of the body: the first child of init.
pub(super) fn body(init: i32) -> Option<i32> {
    children(init).first().copied()
}

/// The directories in /proc of the processes below init, the body first.
pub(super) fn directories(init: i32) -> Vec<PathBuf> {
    let mut all = children(init);
    let mut nth = 0;
    while let Some(&pid) = all.get(nth) {
        all.extend(children(pid));
        nth += 1;
    }
    all.iter().map(|pid| PathBuf::from(format!("/proc/{pid}"))).collect()
}

/// Whether a process below init has this PID in the PID namespace of init.
#[cfg(feature = "cli")]
pub(super) fn contains(init: i32, pid: u32) -> bool {
    directories(init).iter().any(|directory| {
        let status = fs::read_to_string(directory.join("status")).unwrap_or_default();
        let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        let own = pids.and_then(|pids| pids.split_whitespace().last());
        own.and_then(|own| own.parse().ok()) == Some(pid)
    })
}

/// Whether a signal has stopped a process, which then waits for SIGCONT.
#[cfg(feature = "cli")]
pub(super) fn is_stopped(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program comes before, and may have any character.
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
}

/// The PIDs of its children. Needs CONFIG_PROC_CHILDREN, which the kernels of all distributions
/// have.
pub(crate) fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

fn describe_process(pid: i32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches(':').trim())
    };
    let inner = field("NSpid")?.split_whitespace().last()?.to_owned();
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).trim_end_matches('\0').replace('\0', " ");
    let state = field("State")?.split(['(', ')']).nth(1).unwrap_or_default().to_owned();
    if state == "zombie" {
        return None;
    }
    let threads = field("Threads")
        .filter(|n| *n != "1")
        .map(|n| format!(", {n} threads"))
        .unwrap_or_default();
    Some(format!("PID {inner} ({state}{threads}): {command}"))
}
