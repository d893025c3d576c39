//! The capability sets of the calling thread: capget(2) and capset(2), which have no wrappers in
//! the C library.
//!
//! The layout is that of linux/capability.h. A program without file capabilities starts
//! with the ambient capabilities (capabilities(7)). A capability must be permitted and
//! inheritable before it can become ambient.

use nix::libc::{self, c_int, c_ulong};

use super::call::{Errno, check, errno};

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: c_int,
}

/// The calling thread, in version 3: two halves of the sets.
const HEADER: CapHeader = CapHeader { version: 0x2008_0522, pid: 0 };

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// The effective set, as bits.
pub(crate) fn effective() -> Result<u64, Errno> {
    let (mut header, mut data) = (HEADER, [CapData::default(); 2]);
    // SAFETY: header and data have the layout of version 3, and the kernel may write both.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if result < 0 {
        return Err(errno());
    }
    Ok(u64::from(data[1].effective) << 32 | u64::from(data[0].effective))
}

/// Drops all capabilities except these (bits), and makes these inheritable.
pub(super) fn keep(bits: u64) -> Result<(), Errno> {
    let half = |bits: u32| CapData { effective: bits, permitted: bits, inheritable: bits };
    let (header, data) = (HEADER, [half(bits as u32), half((bits >> 32) as u32)]);
    // SAFETY: header and data have the layout of version 3.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) };
    if result < 0 { Err(errno()) } else { Ok(()) }
}

/// Makes these capabilities ambient, which are permitted and inheritable.
pub(super) fn make_ambient(bits: u64) -> Result<(), Errno> {
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
