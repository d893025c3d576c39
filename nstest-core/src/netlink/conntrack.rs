//! Connection tracking: forgetting what it knows.
//!
//! The trap: translation is decided once per connection, so rules that change
//! apply to connections that the table has forgotten. See
//! include/uapi/linux/netfilter/nfnetlink_conntrack.h.

use nix::libc;

use super::message::{Mode, Request};

const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_CTNETLINK as u16;
const IPCTNL_MSG_CT_DELETE: u16 = 2;

/// Forgets every connection of the namespace, v4 and v6: a deletion that names
/// none deletes all. For a socket of [`super::NetlinkFamily::Netfilter`].
pub(crate) fn flush() -> Request {
    let family = libc::AF_UNSPEC as u8;
    Request::raw(
        SUBSYSTEM << 8 | IPCTNL_MSG_CT_DELETE,
        Mode::Existing,
        vec![family, 0, 0, 0],
        "flush the table of connections".to_owned(),
    )
}
