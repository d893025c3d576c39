//! A ring of slots that the kernel fills with frames (TPACKET_V2).
//!
//! The traps:
//! - The first word of a slot says whether the kernel or the program owns it. The kernel
//!   writes to a slot only while it is the owner, and the program reads only while the
//!   program is. That word orders all other accesses (acquire, release).
//! - Version 3 packs frames more tightly, but delivers them in blocks, when a block is full
//!   or after a millisecond: too late to delay a frame by less.
//! - A frame longer than its slot is cut off. The slot keeps its full length.

use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::mapping::Mapping;
use super::offloads::{OFFLOADS, Offloads};
use super::socket::PacketSocket;

/// The size of a ring. Slots do not cross blocks, and blocks are contiguous.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    /// Bytes of a slot; a multiple of 16.
    pub(crate) slot: usize,
    /// Bytes of a block; a power of two, and whole pages.
    pub(crate) block: usize,
    pub(crate) blocks: usize,
}

impl Geometry {
    /// Gives a socket a ring of this size. Waits for RCU, which takes 0.1 ms while any thread
    /// of the machine holds RTNL, and else 8 ms or more (`synchronize_net`, net/core/dev.c).
    pub(crate) fn request(self, socket: &PacketSocket) -> nix::Result<()> {
        let number = |value: usize| u32::try_from(value).map_err(|_| Errno::EINVAL);
        let request = libc::tpacket_req {
            tp_block_size: number(self.block)?,
            tp_block_nr: number(self.blocks)?,
            tp_frame_size: number(self.slot)?,
            tp_frame_nr: number(self.slots())?,
        };
        socket.set(libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V2 as i32))?;
        socket.set(libc::PACKET_RX_RING, &request)
    }

    const fn per_block(self) -> usize {
        self.block / self.slot
    }

    /// How many frames it holds.
    pub(crate) const fn slots(self) -> usize {
        self.per_block() * self.blocks
    }

    /// The longest Ethernet frame that a slot holds completely. Before it are the slot's
    /// header, address and padding (tpacket_rcv).
    pub(crate) const fn room(self) -> usize {
        const HEADER: usize = size_of::<libc::tpacket2_hdr>() + size_of::<libc::sockaddr_ll>();
        const ETHERNET: usize = 14;
        let network = (HEADER + 16).next_multiple_of(16) + OFFLOADS;
        self.slot - (network - ETHERNET)
    }
}

/// The mapped ring of one socket.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: Mapping,
    geometry: Geometry,
}

/// A frame in its slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'a> {
    /// The device that it came in on.
    pub(crate) device: u32,
    /// When it came in, since the Unix epoch.
    pub(crate) time: Duration,
    /// The length of the frame before it was cut off.
    pub(crate) length: usize,
    /// The VLAN tag, which the kernel keeps beside the frame: protocol and value.
    pub(crate) tag: Option<(u16, u16)>,
    pub(crate) offloads: Offloads,
    pub(crate) frame: &'a [u8],
}

impl Ring {
    /// Maps the ring of a socket, which has got it by [`Geometry::request`].
    pub(crate) fn map(socket: &PacketSocket, geometry: Geometry) -> nix::Result<Self> {
        let memory = Mapping::of(socket.as_fd(), geometry.block * geometry.blocks)?;
        Ok(Self { memory, geometry })
    }

    /// How many frames it holds.
    pub(crate) fn slots(&self) -> usize {
        self.geometry.slots()
    }

    /// The frame in a slot, if the kernel has put one there. It stays until the slot is
    /// released.
    pub(crate) fn get(&self, index: usize) -> Option<Slot<'_>> {
        let status = self.status(index).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let slot = self.slot(index);
        // SAFETY: a slot begins with this header, and is aligned to 16; the kernel
        // has written it, and leaves it alone until the status says that it may.
        let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
        // SAFETY: within the slot.
        let address = unsafe { slot.add(size_of::<libc::tpacket2_hdr>().next_multiple_of(16)) };
        // SAFETY: the address of the frame's device follows the header, as above.
        let address = unsafe { address.cast::<libc::sockaddr_ll>().read() };
        let (start, length) = (usize::from(header.tp_mac), header.tp_snaplen as usize);
        assert!(
            start >= OFFLOADS && start + length <= self.geometry.slot,
            "the kernel put a frame beyond its slot"
        );
        // SAFETY: within the slot.
        let before = unsafe { slot.add(start - OFFLOADS) };
        // SAFETY: the kernel has written these bytes, right before the frame.
        let offloads = unsafe { before.cast::<[u8; OFFLOADS]>().read() };
        // SAFETY: within the slot, as was just asserted.
        let first = unsafe { slot.add(start) };
        // SAFETY: initialised memory of ours. `release` takes `&mut self`, so that
        // the kernel gets no slot back that is borrowed.
        let frame = unsafe { std::slice::from_raw_parts(first.as_ptr(), length) };
        let tag = (status & libc::TP_STATUS_VLAN_VALID != 0)
            .then_some((header.tp_vlan_tpid, header.tp_vlan_tci));
        Some(Slot {
            device: u32::try_from(address.sll_ifindex).unwrap_or_default(),
            time: Duration::new(header.tp_sec.into(), header.tp_nsec),
            length: header.tp_len as usize,
            tag,
            offloads: Offloads(offloads),
            frame,
        })
    }

    /// Gives a slot back to the kernel.
    pub(crate) fn release(&mut self, index: usize) {
        self.status(index).store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        // SAFETY: a slot's first word, aligned, mapped as long as `self` lives, and
        // shared with the kernel only, which writes it atomically.
        unsafe { AtomicU32::from_ptr(self.slot(index).cast().as_ptr()) }
    }

    fn slot(&self, index: usize) -> NonNull<u8> {
        let Geometry { slot, block, blocks } = self.geometry;
        let per_block = self.geometry.per_block();
        assert!(index < per_block * blocks, "no such slot");
        self.memory.at(index / per_block * block + index % per_block * slot)
    }
}
