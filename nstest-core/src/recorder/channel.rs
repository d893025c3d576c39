//! Hands descriptors from the body to the parent (SCM_RIGHTS, unix(7)).

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::MsgFlags;

use crate::sys::descriptors;

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The packet socket that records, and the one that is to get a ring.
    Packets,
    /// The same two sockets for `lo` of the test's own node.
    Loopback,
    /// The file of the log.
    Log,
    /// The file of what the wire did to frames.
    Fates,
    /// The file of TLS secrets.
    Secrets,
}

impl Content {
    const ALL: [Self; 5] =
        [Content::Packets, Content::Loopback, Content::Log, Content::Fates, Content::Secrets];

    const fn tag(self) -> u8 {
        match self {
            Content::Packets => b'p',
            Content::Loopback => b'o',
            Content::Log => b'l',
            Content::Fates => b'f',
            Content::Secrets => b's',
        }
    }
}

/// The body's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct DescriptorSender(BorrowedFd<'static>);

/// The parent's end.
#[derive(Debug)]
pub(crate) struct DescriptorReceiver {
    socket: OwnedFd,
    /// Whether the body has closed its end, by its death.
    closed: bool,
}

static SENDER: OnceLock<OwnedFd> = OnceLock::new();

/// Both ends: the parent's, and the one for the body.
pub(crate) fn channel() -> nix::Result<(DescriptorReceiver, OwnedFd)> {
    let (ours, theirs) = descriptors::socket_pair()?;
    Ok((DescriptorReceiver { socket: ours, closed: false }, theirs))
}

/// Makes this process a body that hands over descriptors by this end.
pub(crate) fn serve(end: OwnedFd) {
    // Programs that the test starts are not to have it. It fails for what is no descriptor.
    let _ = fcntl(&end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    // There is one body in a process.
    let _ = SENDER.set(end);
}

pub(super) fn sender() -> Option<DescriptorSender> {
    Some(DescriptorSender(SENDER.get()?.as_fd()))
}

impl DescriptorSender {
    /// Of an end that is not the one of this process. It stays open.
    #[cfg(test)]
    pub(super) fn of(end: OwnedFd) -> Self {
        let end: &'static OwnedFd = Box::leak(Box::new(end));
        Self(end.as_fd())
    }

    pub(super) fn send(self, content: Content, descriptors: &[BorrowedFd<'_>]) -> nix::Result<()> {
        descriptors::send(self.0, content.tag(), descriptors)
    }
}

/// Makes a file in memory that the parent has, too. `flags`: such as O_APPEND.
pub(super) fn shared_file(
    sender: DescriptorSender,
    name: &CStr,
    content: Content,
    flags: OFlag,
) -> nix::Result<File> {
    let file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    fcntl(&file, FcntlArg::F_SETFL(flags))?;
    sender.send(content, &[file.as_fd()])?;
    Ok(file)
}

impl DescriptorReceiver {
    /// What becomes readable when a descriptor has arrived, as long as one can.
    pub(super) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        (!self.closed).then(|| self.socket.as_fd())
    }

    /// The next descriptors, if some have arrived.
    pub(super) fn receive(&mut self) -> Option<(Content, Vec<OwnedFd>)> {
        let received = descriptors::receive(self.socket.as_fd(), MsgFlags::MSG_DONTWAIT).ok()?;
        self.closed = received.is_none();
        let (tag, descriptors) = received?;
        let content = Content::ALL.into_iter().find(|content| content.tag() == tag)?;
        Some((content, descriptors))
    }
}
