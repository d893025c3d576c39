//! A mount of /proc that is not attached to any directory (fsopen(2), fsconfig(2), fsmount(2)).
//!
//! Each mount of proc is an instance with directory entries of its own. A detached one is
//! reached through a descriptor only, and goes when the last descriptor is closed.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

use nix::libc::{self, c_int, c_long};

use super::call::check;
use super::process::adopt;

const PROC: &CStr = c"proc";

/// `FSCONFIG_CMD_CREATE` (linux/mount.h).
const CREATE: libc::c_uint = 6;

/// Mounts a new instance of proc for the caller's PID namespace. It needs Linux 5.2 and
/// CAP_SYS_ADMIN, and the kernel refuses it where parts of the present /proc are hidden
/// (`mount_too_revealing`, fs/namespace.c).
pub(crate) fn detached() -> io::Result<OwnedFd> {
    // SAFETY: the name ends in NUL and outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_fsopen, PROC.as_ptr(), libc::FSOPEN_CLOEXEC) };
    let context = owned(made)?;
    let (no_key, no_value) = (ptr::null::<libc::c_char>(), ptr::null::<libc::c_void>());
    // SAFETY: this command takes neither a key nor a value.
    let created = unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), CREATE, no_key, no_value, 0)
    };
    if created < 0 {
        return Err(io::Error::last_os_error());
    }
    let (flags, attributes) = (
        libc::FSMOUNT_CLOEXEC,
        libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC,
    );
    // SAFETY: the call takes three numbers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), flags, attributes) })
}

/// The descriptor that a system call returned.
fn owned(result: c_long) -> io::Result<OwnedFd> {
    check(result as c_int).map(adopt).map_err(io::Error::from_raw_os_error)
}
