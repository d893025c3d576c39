//! Checks that a test can join an existing, named network namespace (`netns = "NAME"`).
//!
//! The trap: a network namespace belongs to the user namespace in which it was made. Inside
//! a test's user namespace, setns(2) into it fails with EPERM. A process that joins it first
//! and then makes a user namespace has no rights in it (user_namespaces(7)). So such a test
//! stays in the caller's user namespace, where the caller must have CAP_SYS_ADMIN.

use std::fs;
use std::path::Path;

use crate::capability;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::NETNS;

/// # Errors
/// If there is no such namespace, or this process may not join it.
pub(super) fn check(name: &str) -> Result<()> {
    let what = || Error::new(ErrorCode::Namespace, format!("join the network namespace `{name}`"));
    if !Path::new(NETNS).join(name).exists() {
        return Err(what()
            .source(existing())
            .help(format!("make it before the tests start: sudo ip netns add {name}")));
    }
    if !capability::has(capability::SYS_ADMIN) {
        return Err(what()
            .source("this process lacks CAP_SYS_ADMIN, which joining the namespace of another process needs")
            .help("run this test as root; or leave `netns` out, and the test gets a network of its own, which needs no privilege"));
    }
    Ok(())
}

fn existing() -> String {
    let mut names: Vec<String> = fs::read_dir(NETNS)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| format!("`{}`", entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    match names.as_slice() {
        [] => format!("it does not exist, and {NETNS} is empty"),
        names => format!("it does not exist; in {NETNS} are {}", names.join(", ")),
    }
}
