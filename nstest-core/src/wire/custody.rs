//! Packet sockets whose end nobody waits for.
//!
//! To close a packet socket that has a ring is to wait for RCU twice, some 30 ms
//! (`packet_release` and `packet_set_ring`, net/packet/af_packet.c), in which the
//! process of the test could not end. So the socket travels in a message that a unix
//! socket has sent to itself. When the process has ended nobody can receive it any
//! more, and the kernel's collector of such messages closes what is in it, in a
//! worker of its own: `unix_gc`, net/unix/garbage.c, since Linux 6.9. Before, it
//! collects in the process that ends, which then waits as it would have.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

use crate::sys::packet::PacketSocket;

/// Keeps a socket until it is dropped, and a little longer.
#[derive(Debug)]
pub(super) struct Custody {
    _itself: OwnedFd,
}

impl Custody {
    pub(super) fn of(socket: &PacketSocket) -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (sender, itself) = socketpair(AddressFamily::Unix, SockType::Datagram, None, flags)?;
        let kept = [itself.as_raw_fd(), socket.as_fd().as_raw_fd()];
        let message = [IoSlice::new(b"kept")];
        let rights = [ControlMessage::ScmRights(&kept)];
        sendmsg::<()>(sender.as_raw_fd(), &message, &rights, MsgFlags::empty(), None)?;
        Ok(Self { _itself: itself })
    }
}
