//! Options of netlink sockets, for which `nix` has no types.
//!
//! The trap: an option unknown to an old kernel is ENOPROTOOPT, not a crash, so
//! the caller decides whether it can do without. See netlink(7).

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// A boolean option at level SOL_NETLINK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum NetlinkOption {
    /// Leave the request's payload out of its acknowledgement.
    CapAck = libc::NETLINK_CAP_ACK,
    /// Explain refusals in words (and in offsets).
    ExtAck = libc::NETLINK_EXT_ACK,
    /// Check dump requests strictly, and let them filter.
    StrictCheck = libc::NETLINK_GET_STRICT_CHK,
}

/// Switches `option` on for `socket`.
pub(crate) fn enable(socket: BorrowedFd<'_>, option: NetlinkOption) -> nix::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: `on` outlives the call, and the length given is its size; the
    // kernel copies it and keeps no pointer. The descriptor is borrowed, so open.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option as libc::c_int,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}
