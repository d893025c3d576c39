//! System calls: their results, open(2) and close(2), and calls without the C library. All
//! of it may be used between clone and exec, except [`c_string`] and [`pointers`].

use std::ffi::{CStr, CString, c_char, c_long};
use std::os::fd::RawFd;
use std::ptr;

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

/// A system call that touches no memory of the C library, not even `errno`. Returns what the
/// kernel returns: a negative `errno` on failure.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) fn bare(number: c_long, arguments: [c_long; 4]) -> c_long {
    let [a, b, c, d] = arguments;
    let result: c_long;
    // SAFETY: the operands are the kernel's for this architecture, the clobbers syscall(2)'s.
    // What the call itself needs, the caller sees to.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            in("r10") d,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// A system call that touches no memory of the C library, not even `errno`. Returns what the
/// kernel returns: a negative `errno` on failure.
#[cfg(target_arch = "aarch64")]
#[inline]
pub(super) fn bare(number: c_long, arguments: [c_long; 4]) -> c_long {
    let [a, b, c, d] = arguments;
    let result: c_long;
    // SAFETY: the operands are the kernel's for this architecture. What the call itself
    // needs, the caller sees to.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            options(nostack),
        );
    }
    result
}

/// The same through the C library, where nothing needs it to be bare.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn bare(number: c_long, arguments: [c_long; 4]) -> c_long {
    let [a, b, c, d] = arguments;
    // SAFETY: system calls take up to six words. What the call itself needs, the caller
    // sees to.
    let result = unsafe { libc::syscall(number, a, b, c, d) };
    if result < 0 { -c_long::from(errno()) } else { result }
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

/// The strings as the kernel and the C library take them: an array that ends in null.
pub(super) fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}
