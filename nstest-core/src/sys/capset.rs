//! Capabilities that survive `execve`: capset(2), which has no wrapper in the C library.
//!
//! The layout is that of linux/capability.h. A program without file capabilities starts
//! with the ambient capabilities (capabilities(7)). A capability must be permitted and
//! inheritable before it can become ambient.

use nix::libc::{self, c_int, c_ulong};

use super::call::{Errno, check, errno};

/// Drops all capabilities except these (bits), and makes these ambient.
pub(super) fn keep(bits: u64) -> Result<(), Errno> {
    const VERSION_3: u32 = 0x2008_0522;
    #[repr(C)]
    struct CapHeader {
        version: u32,
        pid: c_int,
    }
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct CapData {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let header = CapHeader { version: VERSION_3, pid: 0 };
    let half = |bits: u32| CapData { effective: bits, permitted: bits, inheritable: bits };
    let data = [half(bits as u32), half((bits >> 32) as u32)];
    // SAFETY: header and data have the layout of version 3: two triples of words.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if result < 0 {
        return Err(errno());
    }
    for capability in (0..64).filter(|c| bits >> c & 1 == 1) {
        // SAFETY: PR_CAP_AMBIENT takes numbers.
        check(unsafe {
            libc::prctl(
                libc::PR_CAP_AMBIENT,
                libc::PR_CAP_AMBIENT_RAISE as c_ulong,
                capability as c_ulong,
                0 as c_ulong,
                0 as c_ulong,
            )
        })?;
    }
    Ok(())
}

/// Programs that this process starts from now on do not inherit the capabilities that it keeps
/// although it is not root.
pub(super) fn clear_ambient() {
    let (clear, unused) = (libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong, 0 as c_ulong);
    // SAFETY: PR_CAP_AMBIENT takes numbers.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, unused, unused, unused) };
}
