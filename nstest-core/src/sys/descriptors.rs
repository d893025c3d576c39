//! Hands descriptors to another process (SCM_RIGHTS, unix(7)): each message has a tag of one byte.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

use super::process::adopt;

/// The most descriptors of a message.
const MOST: usize = 2;

/// The two ends of a socket for such messages.
pub(crate) fn socket_pair() -> nix::Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
}

/// Sends at most [`MOST`] descriptors.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    tag: u8,
    descriptors: &[BorrowedFd<'_>],
) -> nix::Result<()> {
    let fds: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let tag = [tag];
    let (message, rights) = ([IoSlice::new(&tag)], [ControlMessage::ScmRights(&fds)]);
    sendmsg::<()>(socket.as_raw_fd(), &message, &rights, MsgFlags::MSG_NOSIGNAL, None).map(drop)
}

/// The next message; `None` if the other end is closed.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    flags: MsgFlags,
) -> nix::Result<Option<(u8, Vec<OwnedFd>)>> {
    let mut tag = [0];
    let mut space = nix::cmsg_space!([RawFd; MOST]);
    let mut parts = [IoSliceMut::new(&mut tag)];
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let is_closed = message.bytes == 0;
    let descriptors = message.cmsgs()?.flat_map(|received| match received {
        ControlMessageOwned::ScmRights(fds) => fds.into_iter().map(adopt).collect(),
        _ => Vec::new(),
    });
    let descriptors = descriptors.collect();
    Ok((!is_closed).then_some((tag[0], descriptors)))
}
