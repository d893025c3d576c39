//! Bare system calls: their results, and open(2) and close(2). All of it may be used
//! between clone and exec, except [`c_string`].

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

use nix::libc::{self, c_int};

/// An `errno`.
pub(crate) type Errno = c_int;

/// The `errno` of the calling thread. A child in its parent's memory uses that of the
/// parent's suspended thread.
pub(super) fn errno() -> Errno {
    // SAFETY: __errno_location returns a pointer that is valid in this thread.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: no other thread writes it while this one runs.
    unsafe { *location }
}

/// The result of a system call that returns a negative number on failure.
pub(super) fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

/// Opens a file with `O_CLOEXEC` added to `flags`.
pub(super) fn open(path: &CStr, flags: c_int) -> Result<RawFd, Errno> {
    // SAFETY: the path ends in NUL and outlives the call.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o644) })
}

pub(super) fn close(fd: RawFd) {
    // SAFETY: the descriptor is this process's own and is not used afterwards.
    unsafe { libc::close(fd) };
}

/// A C string. It is empty if `text` contains a NUL byte, which neither paths nor our own
/// literals do.
pub(crate) fn c_string(text: impl Into<Vec<u8>>) -> CString {
    CString::new(text).unwrap_or_default()
}
