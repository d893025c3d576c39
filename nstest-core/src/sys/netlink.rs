//! Options of netlink sockets, for which `nix` has no types: netlink(7).
//!
//! An old kernel answers ENOPROTOOPT to an option that it does not know. The caller
//! decides whether the option is required.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::libc;

/// A boolean option at level SOL_NETLINK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum NetlinkOption {
    /// Leave the request's payload out of its acknowledgement.
    CapAck = libc::NETLINK_CAP_ACK,
    /// Explain refusals with a text and an offset.
    ExtAck = libc::NETLINK_EXT_ACK,
    /// Check dump requests strictly, and allow filters in them.
    StrictCheck = libc::NETLINK_GET_STRICT_CHK,
}

/// Enables `option` for `socket`.
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
