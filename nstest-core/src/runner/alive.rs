//! What was alive in a test when its time was up.
//!
//! Read from /proc (proc_pid_stat(5) and its neighbours); whatever cannot be
//! read is left out, since this only illustrates an error.

use std::fmt::Write;
use std::fs;

/// One line for each process below init, led by a line break; empty where
/// nothing is known.
pub(super) fn processes(init: i32) -> String {
    let mut text = String::new();
    let mut pending = children(init);
    while let Some(pid) = pending.pop() {
        if let Some(line) = describe(pid) {
            let _ = write!(text, "\n  {line}");
        }
        pending.extend(children(pid));
    }
    if text.is_empty() { text } else { format!("; alive were:{text}") }
}

/// CONFIG_PROC_CHILDREN; every distribution's kernel has it.
fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

fn describe(pid: i32) -> Option<String> {
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
