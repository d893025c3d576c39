//! Packet sockets: frames of other devices, taken by a program and sent by it.
//!
//! - [`ring`]: memory that the kernel puts frames into;
//! - [`send`]: many frames in one call, each with device and mark of its own.
//!
//! The traps:
//! - A socket that is made with a protocol captures from that moment, and its
//!   later `bind` waits for RCU (8 ms); made with 0 and bound once, it does not.
//!   Closing one waits in any case (packet_release, net/packet/af_packet.c).
//! - `sk_filter` is run with the frame's link-layer header in front, so that
//!   `len` counts it.
//!
//! See packet(7), Documentation/networking/packet_mmap.rst.

mod ring;
mod send;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc::{self, c_int};

pub(crate) use ring::{Geometry, Ring, Slot};
pub(crate) use send::{Outgoing, Sender};

/// The length of `struct virtio_net_hdr`, which stands before each frame.
pub(crate) const OFFLOADS: usize = 10;

/// What has been left to do for a frame: the checksum, the cutting into segments
/// (`struct virtio_net_hdr`, include/uapi/linux/virtio_net.h). All zeroes is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Offloads(pub(crate) [u8; OFFLOADS]);

impl Offloads {
    /// Whether anything is left to do.
    pub(crate) fn pending(self) -> bool {
        const NEEDS_CSUM: u8 = 1;
        self.0[0] & NEEDS_CSUM != 0 || self.cuts()
    }

    /// The protocol (of IP) whose segments the frame is to be cut into.
    pub(crate) fn cut_as(self) -> Option<u8> {
        const ECN: u8 = 0x80;
        match self.0[1] & !ECN {
            0 => None,
            1 | 4 => Some(libc::IPPROTO_TCP as u8),
            _ => Some(libc::IPPROTO_UDP as u8),
        }
    }

    /// Whether the frame is to be cut into segments.
    pub(crate) fn cuts(self) -> bool {
        self.0[1] != 0
    }

    /// For a frame that has grown by so many bytes behind its addresses.
    pub(crate) fn moved(mut self, bytes: u16) -> Self {
        // Header length and start of the checksum; both zero where unused.
        for at in [2, 6] {
            let value = u16::from_ne_bytes([self.0[at], self.0[at + 1]]);
            if self.pending() && value != 0 {
                self.0[at..at + 2].copy_from_slice(&(value + bytes).to_ne_bytes());
            }
        }
        self
    }
}

/// A packet socket that takes what its program lets in, on all devices.
#[derive(Debug)]
pub(crate) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens one in the calling thread's network namespace. It takes nothing yet.
    pub(crate) fn open() -> nix::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: the call takes numbers.
        let fd = Errno::result(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the descriptor has just been made, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Has frames come with their [`Offloads`], and only those that come in.
    pub(crate) fn incoming_with_offloads(&self) -> nix::Result<()> {
        self.set(libc::PACKET_VNET_HDR, &1_i32)?;
        self.set(libc::PACKET_IGNORE_OUTGOING, &1_i32)
    }

    /// Has the kernel hold as much of what is being sent as it grants (wmem_max).
    pub(crate) fn widen(&self) -> nix::Result<()> {
        self.option(libc::SOL_SOCKET, libc::SO_SNDBUF, &(1_i32 << 24))
    }

    /// Lets in only what a classic BPF program says (socket(7), SO_ATTACH_FILTER).
    pub(crate) fn attach(&self, program: &mut [libc::sock_filter]) -> nix::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?,
            filter: program.as_mut_ptr(),
        };
        self.option(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    /// Begins to take frames of every protocol and device.
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

    /// How many frames found no room since it was last asked.
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

    /// Bytes that have been sent, and that the kernel has not worked off.
    pub(crate) fn unsent(&self) -> nix::Result<i32> {
        let mut bytes: c_int = 0;
        // SAFETY: SIOCOUTQ, which is TIOCOUTQ, writes an integer.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TIOCOUTQ as _, &raw mut bytes) };
        Errno::result(done).map(|_| bytes)
    }

    /// Switches on or off whether a device of this socket's namespace leaves
    /// checksums, and with them segmentation, to who receives its frames
    /// (netdev_fix_features, net/core/dev.c). `name` has at most 15 bytes.
    pub(crate) fn set_checksum_offload(&self, name: &str, on: bool) -> nix::Result<()> {
        const ETHTOOL_STXCSUM: u32 = 0x17;
        const SIOCETHTOOL: u32 = 0x8946;
        #[repr(C)]
        struct Value {
            command: u32,
            data: u32,
        }
        let mut value = Value { command: ETHTOOL_STXCSUM, data: u32::from(on) };
        // SAFETY: all zeroes is a valid ifreq.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // The last byte stays 0.
        for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        let fd = self.0.as_raw_fd();
        // SAFETY: SIOCETHTOOL reads the name, and the two words that the pointer leads to.
        let done = unsafe { libc::ioctl(fd, SIOCETHTOOL as _, &raw mut request) };
        Errno::result(done).map(drop)
    }

    fn set<T>(&self, option: c_int, value: &T) -> nix::Result<()> {
        self.option(libc::SOL_PACKET, option, value)
    }

    fn option<T>(&self, level: c_int, option: c_int, value: &T) -> nix::Result<()> {
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

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
