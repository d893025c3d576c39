//! The names of threads in messages, on platforms without network namespaces.

use std::path::Path;

/// No name is kept: there are no nodes, so there are no threads in them.
#[derive(Debug)]
pub(super) struct KeptName;

impl KeptName {
    pub(super) fn of_this_thread() -> Self {
        Self
    }
}

/// The name that the kernel has.
pub(super) fn full_name(_directory: &Path, kernel: &str) -> String {
    kernel.to_owned()
}
