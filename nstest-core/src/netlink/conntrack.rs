//! The table of connection tracking.
//!
//! The trap: the kernel chooses the translation of a connection once. Changed rules apply only
//! to connections that are not in the table. See
//! include/uapi/linux/netfilter/nfnetlink_conntrack.h.

use nix::libc;

use super::message::{Mode, Request};

const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_CTNETLINK as u16;
const IPCTNL_MSG_CT_DELETE: u16 = 2;

/// Deletes all connections of the namespace, of both IP versions. For a socket of
/// [`super::NetlinkFamily::Netfilter`].
pub(crate) fn flush() -> Request {
    let family = libc::AF_UNSPEC as u8;
    Request::raw(
        SUBSYSTEM << 8 | IPCTNL_MSG_CT_DELETE,
        Mode::Existing,
        vec![family, 0, 0, 0],
        "flush the connection tracking table".to_owned(),
    )
}
