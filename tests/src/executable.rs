//! New programs.
//!
//! Another process writes them. If this one did, a child that another thread starts at that
//! moment would have the file open until it executes its own, and the kernel does not execute
//! a file that is open for writing (ETXTBSY, execve(2)).

use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies a program to a new path, and returns that.
///
/// # Panics
/// If it cannot be copied.
pub fn copy(program: impl AsRef<Path>, to: PathBuf) -> PathBuf {
    let copied = Command::new("cp").arg(program.as_ref()).arg(&to).status();
    assert!(copied.expect("start cp").success(), "copy {to:?}");
    to
}

/// Copies this test binary, as [`copy`] does.
///
/// # Panics
/// If it cannot be copied.
pub fn copy_of_this(to: PathBuf) -> PathBuf {
    copy(std::env::current_exe().expect("find this binary"), to)
}

/// Writes a script of sh to a new path, and returns that.
///
/// # Panics
/// If it cannot be written.
pub fn script(path: PathBuf, text: &str) -> PathBuf {
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let written = Command::new("sh").args(["-c", write]).arg(&path).arg(text).status();
    assert!(written.expect("start sh").success(), "write {path:?}");
    path
}
