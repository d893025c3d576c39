//! Packet sockets that the kernel closes later, when no process waits for it.
//!
//! Closing a packet socket with a ring waits for RCU twice, some 30 ms (`packet_release`
//! and `packet_set_ring`, net/packet/af_packet.c). The end of the process would
//! wait as long. So the socket is put into a message that a unix socket has sent to
//! itself. When the process has ended, no process can receive the message, and the
//! kernel's garbage collector for such messages closes the socket in a worker thread:
//! `unix_gc`, net/unix/garbage.c, since Linux 6.9. Earlier kernels collect in the process
//! that ends, which then waits as without this.

use std::io::IoSlice;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair,
};

use super::socket::PacketSocket;

/// Keeps a packet socket open until the value is dropped and the kernel has collected
/// the message.
///
/// The kernel collects at once, on another processor. So the value is dropped after the
/// socket and its rings: as a later field of a structure, or by [`close`](Self::close). The
/// other way round, its owner may be the last one, and wait.
#[derive(Debug)]
pub(crate) struct DeferredClose {
    _receiver: OwnedFd,
}

impl DeferredClose {
    pub(crate) fn of(socket: &impl AsFd) -> nix::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (sender, receiver) = socketpair(AddressFamily::Unix, SockType::Datagram, None, flags)?;
        let kept = [receiver.as_raw_fd(), socket.as_fd().as_raw_fd()];
        let message = [IoSlice::new(b"kept")];
        let rights = [ControlMessage::ScmRights(&kept)];
        sendmsg::<()>(sender.as_raw_fd(), &message, &rights, MsgFlags::empty(), None)?;
        Ok(Self { _receiver: receiver })
    }

    /// Closes a socket that has no mapped ring, without waiting.
    pub(crate) fn close(socket: PacketSocket) {
        let deferred = Self::of(&socket);
        drop(socket);
        drop(deferred);
    }
}
