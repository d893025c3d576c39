//! A tap interface: Ethernet frames that a program reads and writes as a file
//! (Documentation/networking/tuntap.rst, drivers/net/tun.c).
//!
//! The interface is made here, and not by the program that serves it, so that it gets the
//! wanted index. The program would get the lowest free index, which links made later need.
//! The interface belongs to the network namespace of the process that *opens* the device
//! file.

use std::ffi::CStr;

use nix::libc::{self, c_int, c_ulong};

use super::call::{Errno, check, close, open};

/// The device file through which tap interfaces are made.
const DEVICE: &CStr = c"/dev/net/tun";

/// Makes an interface that stays when its file is closed, so that a program can open it.
pub(crate) fn persistent(name: &CStr, index: c_int) -> Result<(), Errno> {
    let fd = open(DEVICE, libc::O_RDWR)?;
    let made = make(fd, name, index);
    close(fd);
    made
}

fn make(fd: c_int, name: &CStr, index: c_int) -> Result<(), Errno> {
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays 0.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.to_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFINDEX reads the integer that it is given.
    check(unsafe { libc::ioctl(fd, libc::TUNSETIFINDEX as _, &raw const index) })?;
    // SAFETY: TUNSETIFF reads and writes the ifreq that it is given.
    check(unsafe { libc::ioctl(fd, libc::TUNSETIFF as _, &raw mut request) })?;
    // SAFETY: TUNSETPERSIST takes a number.
    check(unsafe { libc::ioctl(fd, libc::TUNSETPERSIST as _, 1 as c_ulong) }).map(drop)
}
