//! Limits of resources in programs that this process starts.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Whether this process may write a file of this size. Beyond its limit, the kernel would kill
/// it (SIGXFSZ, getrlimit(2)); the limit applies to files in memory, too.
pub(crate) fn may_write(size: u64) -> bool {
    getrlimit(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| size <= soft)
}

/// Has a program begin with these limits of open files, in place of this process's.
pub(crate) fn with_open_files(command: &mut Command, (soft, hard): (u64, u64)) {
    let limit = move || setrlimit(Resource::RLIMIT_NOFILE, soft, hard).map_err(io::Error::from);
    // SAFETY: between fork and exec, the closure makes one system call, and neither allocates
    // nor locks (signal-safety(7)).
    unsafe {
        command.pre_exec(limit);
    }
}
