//! Finds what a run left behind.
//!
//! A variable in their environment (proc_pid_environ(5)) marks the processes of a run,
//! since other tests run on the same machine at the same time.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::driver::Run;
use crate::{machine_root, marks};

/// The processes of the run with this directory that have not ended, one line each.
#[must_use]
pub fn processes(case: &Path) -> Vec<String> {
    let wanted = [marks::VARIABLE.as_bytes(), b"=", case.as_os_str().as_bytes()].concat();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = Vec::new();
    for directory in entries.map(|entry| entry.path()) {
        // Not a process, another user's process, or one that has ended.
        let Ok(environment) = fs::read(directory.join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted) {
            let command = fs::read(directory.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            found.push(format!("{}: {command}", directory.display()));
        }
    }
    found
}

/// What a test must not change on the machine: the hostname, network settings, mounts and
/// links.
///
/// # Panics
/// If /proc is not mounted.
#[must_use]
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).expect(path);
    let links: Vec<String> = read("/proc/net/dev")
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
        .collect();
    // Fields 1 and 2 are ids, which the mounts of other tests may change.
    let mounts: Vec<String> = read("/proc/self/mountinfo")
        .lines()
        .map(|line| line.splitn(3, ' ').last().unwrap_or_default().to_owned())
        .collect();
    let settings: Vec<String> =
        SETTINGS.iter().map(|path| format!("{path} {}", read(path))).collect();
    [links, mounts, settings].concat().join("\n")
}

/// Runs a plain test that looks at the [`machine`] where no other test changes it. As
/// root, it runs in network, mount, UTS and IPC namespaces of its own, but in the first
/// user namespace. An ordinary user cannot change the machine.
pub fn on_a_machine_of_its_own(fixture: &str) -> Run {
    let binary = std::env::current_exe().expect("this program");
    if !machine_root() {
        return Run::of(&[fixture]);
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--uts", "--ipc"]).arg(binary);
    command.args(["--ignored", "--exact", fixture]);
    Run::in_front(command)
}

/// The settings that the fixtures try to change.
pub const SETTINGS: [&str; 6] = [
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/msgmax",
    "/proc/sys/kernel/panic",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/ipv4/ip_default_ttl",
];
