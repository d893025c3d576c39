//! A ring of blocks, each of which the kernel fills with frames of any length (TPACKET_V3).
//!
//! The traps:
//! - The kernel gives a block away when it is full, or at the end of the time for a block
//!   (`retire`). A reader that wants the last frames before reads the block that is being
//!   filled: the kernel counts a frame, then fills it, then sets its status.
//! - If all blocks are full, new frames are dropped and counted. A reader that wants the
//!   newest frames gives the oldest block back before.
//! - Giving a socket a ring waits for RCU: 12 ms or more. It takes 0.1 ms if any thread of
//!   the machine holds RTNL when the wait begins (`synchronize_net`, net/core/dev.c).

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::mapping::Mapping;
use super::socket::PacketSocket;

/// The size of a ring of blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocks {
    /// Bytes of a block; a power of two, and whole pages.
    pub(crate) size: usize,
    pub(crate) count: usize,
    /// After this time the kernel gives a block away that is not full.
    pub(crate) retire: Duration,
}

impl Blocks {
    /// Gives a socket a ring of this size.
    pub(crate) fn request(self, socket: &PacketSocket) -> nix::Result<()> {
        let number = |value: usize| u32::try_from(value).map_err(|_| Errno::EINVAL);
        // Frames are as long as they are; the kernel wants a size and a number all the same.
        const FRAME: usize = 2048;
        let request = libc::tpacket_req3 {
            tp_block_size: number(self.size)?,
            tp_block_nr: number(self.count)?,
            tp_frame_size: number(FRAME)?,
            tp_frame_nr: number(self.size / FRAME * self.count)?,
            tp_retire_blk_tov: number(self.retire.as_millis() as usize)?,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        socket.set(libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as i32))?;
        socket.set(libc::PACKET_RX_RING, &request)
    }
}

/// The mapped ring of a socket.
#[derive(Debug)]
pub(crate) struct BlockRing {
    memory: Mapping,
    blocks: Blocks,
}

/// A frame in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Captured<'a> {
    /// The device that it was captured on.
    pub(crate) device: u32,
    /// Whether the device sent it; otherwise it came in.
    pub(crate) sent: bool,
    /// Since the Unix epoch.
    pub(crate) time: Duration,
    /// The length of the frame before it was cut off.
    pub(crate) length: usize,
    /// The VLAN tag, which the kernel keeps beside the frame: protocol and value.
    pub(crate) tag: Option<(u16, u16)>,
    pub(crate) frame: &'a [u8],
}

impl BlockRing {
    /// Maps the ring of a packet socket, which has got it by [`Blocks::request`].
    pub(crate) fn map(socket: BorrowedFd<'_>, blocks: Blocks) -> nix::Result<Self> {
        let memory = Mapping::of(socket, blocks.size * blocks.count)?;
        Ok(Self { memory, blocks })
    }

    /// Whether the kernel has given the block away.
    pub(crate) fn is_full(&self, index: usize) -> bool {
        self.status(index).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    /// Gives a block back to the kernel.
    pub(crate) fn release(&mut self, index: usize) {
        self.status(index).store(libc::TP_STATUS_KERNEL, Ordering::Release);
    }

    /// The frames of a block that the kernel has given away, or that it fills: those that are
    /// complete. They stay until the block is released.
    pub(crate) fn frames(&self, index: usize) -> Vec<Captured<'_>> {
        // SAFETY: a block begins with this header, and is aligned to a page. The kernel only
        // appends to a block before it is released, which takes `&mut self`; its counters are
        // single words.
        let block = unsafe { self.block(index).cast::<libc::tpacket_block_desc>().read_volatile() };
        // SAFETY: the only version of the header that there is.
        let header = unsafe { block.hdr.bh1 };
        fence(Ordering::Acquire);
        let mut at = header.offset_to_first_pkt as usize;
        let mut frames = Vec::with_capacity(header.num_pkts as usize);
        for _ in 0..header.num_pkts {
            let Some((frame, next)) = self.frame(index, at) else { break };
            frames.push(frame);
            at += next;
        }
        frames
    }

    /// The frame with its header at an offset in a block, and the distance to the next one.
    /// `None` if the kernel has not completed it (`tpacket_rcv`, net/packet/af_packet.c).
    fn frame(&self, block: usize, at: usize) -> Option<(Captured<'_>, usize)> {
        const HEADER: usize = size_of::<libc::tpacket3_hdr>();
        assert!(
            at % align_of::<libc::tpacket3_hdr>() == 0
                && at + HEADER.next_multiple_of(16) + size_of::<libc::sockaddr_ll>()
                    <= self.blocks.size,
            "the kernel put a header beyond its block"
        );
        // SAFETY: within the block.
        let first = unsafe { self.block(block).add(at) };
        // SAFETY: aligned and within the block; written by the kernel before it counts it.
        let header = unsafe { first.cast::<libc::tpacket3_hdr>().read_volatile() };
        if header.tp_status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: within the block, as was just asserted.
        let address = unsafe { first.add(HEADER.next_multiple_of(16)) };
        // SAFETY: the address of the frame's device follows the header, as above.
        let address = unsafe { address.cast::<libc::sockaddr_ll>().read() };
        let (start, length) = (at + usize::from(header.tp_mac), header.tp_snaplen as usize);
        assert!(start + length <= self.blocks.size, "the kernel put a frame beyond its block");
        // SAFETY: within the block.
        let bytes = unsafe { self.block(block).add(start) };
        // SAFETY: initialised memory of ours. `release` takes `&mut self`, so that the kernel
        // gets no block back that is borrowed.
        let frame = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), length) };
        let tag = (header.tp_status & libc::TP_STATUS_VLAN_VALID != 0)
            .then_some((header.hv1.tp_vlan_tpid, header.hv1.tp_vlan_tci as u16));
        let captured = Captured {
            device: u32::try_from(address.sll_ifindex).unwrap_or_default(),
            sent: address.sll_pkttype == libc::PACKET_OUTGOING,
            time: Duration::new(header.tp_sec.into(), header.tp_nsec),
            length: header.tp_len as usize,
            tag,
            frame,
        };
        Some((captured, header.tp_next_offset as usize))
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        const STATUS: usize = std::mem::offset_of!(libc::tpacket_block_desc, hdr);
        // SAFETY: within the block.
        let status = unsafe { self.block(index).add(STATUS) };
        // SAFETY: the first word of the header, aligned, mapped as long as `self` lives, and
        // shared with the kernel only, which writes it atomically.
        unsafe { AtomicU32::from_ptr(status.cast().as_ptr()) }
    }

    fn block(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.blocks.count, "no such block");
        self.memory.at(index * self.blocks.size)
    }
}
