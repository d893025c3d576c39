//! The packet socket and its options.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};

/// A packet socket that captures the frames of all devices that its filter accepts.
#[derive(Debug)]
pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens one in the calling thread's network namespace. It captures nothing yet.
    pub(crate) fn open() -> nix::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: the call takes numbers.
        let fd = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the descriptor has just been made, and has no other owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Delivers frames with their [`Offloads`](super::Offloads), and incoming frames only.
    pub(crate) fn incoming_with_offloads(&self) -> nix::Result<()> {
        self.set(libc::PACKET_VNET_HDR, &1_i32)?;
        self.set(libc::PACKET_IGNORE_OUTGOING, &1_i32)
    }

    /// Asks for the largest send buffer that the kernel grants (wmem_max).
    pub(crate) fn widen(&self) -> nix::Result<()> {
        self.option(libc::SOL_SOCKET, libc::SO_SNDBUF, &(1_i32 << 24))
    }

    /// Captures only what a classic BPF program accepts (socket(7), SO_ATTACH_FILTER).
    pub(crate) fn attach(&self, program: &mut [libc::sock_filter]) -> nix::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
            filter: program.as_mut_ptr(),
        };
        self.option(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Begins to capture frames of every protocol and device.
    pub(crate) fn bind(&self) -> nix::Result<()> {
        // SAFETY: all zeroes is a valid address: any device.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: the kernel reads an address of the length given.
        let done = unsafe {
            libc::bind(
                self.0.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        Errno::result(done).map(drop)
    }

    /// How many frames were lost because the ring was full, since the last call.
    pub(crate) fn dropped(&self) -> nix::Result<u32> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut length = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the kernel writes no more than the length given, which is that
        // of the structure, of integers only.
        let done = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut length,
            )
        };
        Errno::result(done).map(|_| statistics.tp_drops)
    }

    /// How many bytes have been sent and not been processed by the kernel.
    pub(crate) fn unsent(&self) -> nix::Result<i32> {
        let mut bytes: c_int = 0;
        // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes an integer.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TIOCOUTQ as _, &raw mut bytes) };
        Errno::result(done).map(|_| bytes)
    }

    pub(super) fn set<T>(&self, option: c_int, value: &T) -> nix::Result<()> {
        self.option(libc::SOL_PACKET, option, value)
    }

    pub(super) fn option<T>(&self, level: c_int, option: c_int, value: &T) -> nix::Result<()> {
        // SAFETY: `value` outlives the call, and the length given is its size; the
        // kernel copies it, and what it points to, and keeps no pointer.
        let done = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                level,
                option,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        Errno::result(done).map(drop)
    }
}

impl From<OwnedFd> for PacketSocket {
    /// A packet socket that another process has opened.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
