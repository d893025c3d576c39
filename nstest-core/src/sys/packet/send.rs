//! Sends many frames in one call (sendmmsg(2)), each with its own device and mark.
//!
//! The trap: a call that fails after some frames returns only how many it sent. The next
//! call returns the error, for its first frame.

use std::borrow::Cow;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::libc;

use super::offloads::{OFFLOADS, Offloads};
use super::socket::PacketSocket;

/// A frame that is to be sent.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    /// The device that it leaves on.
    pub(crate) device: u32,
    /// The mark that filters see (SO_MARK).
    pub(crate) mark: u32,
    pub(crate) offloads: Offloads,
    pub(crate) frame: Cow<'a, [u8]>,
}

/// The structures of one call, kept for the next.
#[derive(Default)]
pub(crate) struct Sender {
    messages: Vec<PacketMessage>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers lead to the value's own vectors and to frames, and are used
// only in the call of `send` that has written them.
unsafe impl Send for Sender {}

struct PacketMessage {
    address: libc::sockaddr_ll,
    parts: [libc::iovec; 2],
    control: Control,
}

/// A control message that carries the mark.
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    mark: u32,
    /// As the alignment of control messages has it (cmsg(3)).
    padding: u32,
}

const CONTROL: usize = std::mem::offset_of!(Control, padding);

impl Sender {
    /// Sends frames in order, as many as possible without waiting. Returns how many.
    ///
    /// # Errors
    /// Why the first of them was not sent.
    pub(crate) fn send(
        &mut self,
        socket: &PacketSocket,
        frames: &[Outgoing<'_>],
    ) -> nix::Result<usize> {
        self.messages.clear();
        self.messages.extend(frames.iter().map(message));
        self.headers.clear();
        self.headers.extend(self.messages.iter_mut().map(header));
        let fd = socket.as_fd().as_raw_fd();
        let count = u32::try_from(self.headers.len()).map_err(|_| Errno::EINVAL)?;
        // SAFETY: every header leads to a message in `self.messages`, which has not
        // moved since, and from there to frames that are borrowed until the end of
        // this function. The kernel reads them, and writes the headers' lengths.
        let sent = unsafe {
            libc::sendmmsg(fd, self.headers.as_mut_ptr(), count, libc::MSG_DONTWAIT as _)
        };
        Errno::result(sent).map(|sent| usize::try_from(sent).unwrap_or_default())
    }
}

fn message(frame: &Outgoing<'_>) -> PacketMessage {
    // SAFETY: all zeroes is a valid address; its protocol is then the frame's own
    // (packet_parse_headers).
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = frame.device as libc::c_int;
    // SAFETY: all zeroes is a valid header.
    let mut header: libc::cmsghdr = unsafe { zeroed() };
    header.cmsg_len = CONTROL as _;
    header.cmsg_level = libc::SOL_SOCKET;
    header.cmsg_type = libc::SO_MARK;
    let part = |bytes: &[u8]| libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let offloads: &[u8; OFFLOADS] = &frame.offloads.0;
    PacketMessage {
        address,
        parts: [part(offloads), part(&frame.frame)],
        control: Control { header, mark: frame.mark, padding: 0 },
    }
}

fn header(message: &mut PacketMessage) -> libc::mmsghdr {
    // SAFETY: all zeroes is a valid header.
    let mut header: libc::mmsghdr = unsafe { zeroed() };
    header.msg_hdr.msg_name = (&raw mut message.address).cast();
    header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    header.msg_hdr.msg_iov = message.parts.as_mut_ptr();
    header.msg_hdr.msg_iovlen = message.parts.len() as _;
    header.msg_hdr.msg_control = (&raw mut message.control).cast();
    header.msg_hdr.msg_controllen = CONTROL as _;
    header
}
