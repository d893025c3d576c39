//! Joining a network namespace that somebody else made and named.
//!
//! The trap: a namespace belongs to the user namespace that it was made in. From
//! inside a test's user namespace `setns` into it is EPERM, and whoever goes in
//! before making a user namespace has no rights left in it (setns(2),
//! user_namespaces(7)). So such a test stays in the caller's user namespace, and
//! the caller must have CAP_SYS_ADMIN there: real root.

use std::fs;
use std::path::Path;

use crate::capability;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::NETNS;

/// Says what is wrong before anything is started.
pub(super) fn check(name: &str) -> Result<()> {
    let what = || Error::new(ErrorCode::Namespace, format!("join the network namespace `{name}`"));
    if !Path::new(NETNS).join(name).exists() {
        return Err(what()
            .source(existing())
            .help(format!("make it before the tests start: sudo ip netns add {name}")));
    }
    if !capability::has(capability::SYS_ADMIN) {
        return Err(what()
            .source("only root may enter a namespace that it did not make: this process is without CAP_SYS_ADMIN")
            .help("run this test as root; or leave `netns` out, and the test has a network of its own, made without privilege"));
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
        [] => format!("there is none of that name, nor any other in {NETNS}"),
        names => format!("there is none of that name; in {NETNS} are {}", names.join(", ")),
    }
}
