//! Frames as they arrive, complete and in order.
//!
//! All slots of a ring have one size. The *index ring* has short slots, so that there can
//! be thousands of them. It gets every frame, and cuts long ones off. The *long ring* has
//! slots of 64 KiB and gets only the frames that the index ring cuts off. The kernel
//! serves the socket that was bound last first (it puts ETH_P_ALL handlers at the head of
//! their list, dev_add_pack). So a frame that is cut off in the index ring is complete in
//! the long ring already. The long ring comes later: see `long_ring`.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, sock_filter};

use super::hidden_pair::FIRST;
use super::ringless::RinglessSocket;
use crate::sync::lock;
use crate::sys::packet::{Geometry, Offloads, PacketSocket, Ring, Slot};

/// 4,096 frames, 8 MiB: 25 ms at the highest rate of a wire.
const INDEX: Geometry = Geometry { slot: 2048, block: 64 << 10, blocks: 128 };

/// 448 frames of 64 KiB with their headers, 32 MiB: the most that TCP has under way.
const LONG: Geometry = Geometry { slot: 66048, block: 512 << 10, blocks: 64 };

/// How much the order of frames from two processors may differ between the rings.
const MAX_DISORDER: usize = 16;

/// The longest frame that fits into the index ring.
pub(crate) const MAX_SHORT: usize = INDEX.room();

/// A socket, its ring, and the next slot to read.
#[derive(Debug)]
pub(super) struct CaptureRing {
    socket: Arc<PacketSocket>,
    ring: Ring,
    at: usize,
}

impl CaptureRing {
    /// Opens the socket of the index ring, in the calling thread's network namespace.
    pub(super) fn index() -> OpenResult<RinglessSocket> {
        Ok(RinglessSocket { socket: Arc::new(open(0)?), geometry: INDEX })
    }

    /// Opens the socket of the long ring, in the calling thread's network namespace. The index
    /// ring must be there when this one is made.
    pub(super) fn long() -> OpenResult<RinglessSocket> {
        Ok(RinglessSocket { socket: Arc::new(open(MAX_SHORT as u32)?), geometry: LONG })
    }

    pub(super) fn new((socket, ring): (Arc<PacketSocket>, Ring)) -> Self {
        Self { socket, ring, at: 0 }
    }

    fn index_of(&self, ahead: usize) -> usize {
        (self.at + ahead) % self.ring.slots()
    }

    fn peek(&self, ahead: usize) -> Option<Slot<'_>> {
        (ahead < self.ring.slots()).then(|| self.ring.get(self.index_of(ahead)))?
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            self.ring.release(self.at);
            self.at = self.index_of(1);
        }
    }
}

/// The error is the call that was refused.
pub(super) type OpenResult<T> = Result<T, (&'static str, Errno)>;

/// A socket for a ring, in the calling thread's network namespace.
fn open(longer_than: u32) -> OpenResult<PacketSocket> {
    let socket = PacketSocket::open().map_err(|errno| ("socket(AF_PACKET)", errno))?;
    socket
        .attach(&mut program(longer_than))
        .and_then(|()| socket.incoming_with_offloads())
        .and_then(|()| socket.widen())
        .map_err(|errno| ("setsockopt", errno))?;
    Ok(socket)
}

/// Both rings.
#[derive(Debug)]
pub(super) struct Rings {
    index: CaptureRing,
    long: Option<CaptureRing>,
    /// The long ring, from when it is created until it is needed.
    new_long: Arc<Mutex<Option<CaptureRing>>>,
    /// By slot of the long ring: whether its frame was taken before its turn.
    taken: Vec<bool>,
    /// Where the frames of this batch are, by position in the index ring.
    found: Vec<Found>,
}

#[derive(Debug, Clone, Copy)]
enum Found {
    Index,
    /// In the long ring, this many slots ahead.
    Long(usize),
    /// Cut off, and not in the long ring.
    Missing,
}

/// A frame that has arrived.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    /// The device that it arrived on.
    pub(super) device: u32,
    /// When it arrived, since the Unix epoch.
    pub(super) time: Duration,
    pub(super) offloads: Offloads,
    /// `None` if there was no room for it.
    pub(super) frame: Option<Cow<'a, [u8]>>,
}

impl Rings {
    /// How many frames the index ring holds.
    pub(super) const SLOTS: usize = INDEX.slots();

    /// Whether the kernel counts frames that are cut off and missing, as lost.
    pub(super) fn counts_long(&self) -> bool {
        self.long.is_some()
    }

    /// Whether a ring is half full.
    pub(super) fn is_half_full(&self) -> bool {
        let rings = [Some(&self.index), self.long.as_ref()];
        rings.into_iter().flatten().any(|ring| ring.peek(ring.ring.slots() / 2).is_some())
    }

    pub(super) fn new(index: CaptureRing, new_long: Arc<Mutex<Option<CaptureRing>>>) -> Self {
        Self { index, long: None, new_long, taken: Vec::new(), found: Vec::new() }
    }

    /// The socket that becomes readable when a frame arrives.
    pub(super) fn socket(&self) -> &Arc<PacketSocket> {
        &self.index.socket
    }

    /// Frames in the order of their arrival, `most` of them at most.
    /// [`finish`](Self::finish) makes room for more.
    pub(super) fn arrivals(&mut self, most: usize) -> Vec<Arrival<'_>> {
        self.found.clear();
        while self.found.len() < most {
            let Some(slot) = self.index.peek(self.found.len()) else { break };
            let found = if slot.frame.len() == slot.length {
                Found::Index
            } else {
                if self.long.is_none() {
                    self.long = lock(&self.new_long).take();
                    self.taken = vec![false; LONG.slots()];
                }
                self.long.as_ref().map_or(Found::Missing, |long| find(long, &mut self.taken, &slot))
            };
            self.found.push(found);
        }
        let this = &*self;
        let arrival = |(ahead, found): (usize, &Found)| {
            let cut = this.index.peek(ahead)?;
            let (slot, there) = match (*found, &this.long) {
                (Found::Long(ahead), Some(long)) => (long.peek(ahead)?, true),
                (Found::Index, _) => (cut, true),
                _ => (cut, false),
            };
            let grown = if slot.tag.is_some() { TAG } else { 0 };
            Some(Arrival {
                device: slot.device,
                time: slot.time,
                offloads: slot.offloads.moved(grown),
                frame: there.then(|| tagged(&slot)),
            })
        };
        this.found.iter().enumerate().filter_map(arrival).collect()
    }

    /// Releases the slots of the first `count` frames of the last batch. The others are
    /// returned again.
    pub(super) fn finish(&mut self, count: usize) {
        self.index.advance(count);
        let Some(long) = &mut self.long else { return };
        let mut furthest = 0;
        for (nth, found) in self.found.drain(..).enumerate() {
            match found {
                Found::Long(ahead) if nth < count => furthest = furthest.max(ahead),
                Found::Long(ahead) => self.taken[long.index_of(ahead)] = false,
                Found::Index | Found::Missing => {}
            }
        }
        // A frame that was not asked for until now was lost in the index ring.
        let mut overdue = furthest.saturating_sub(MAX_DISORDER);
        while overdue > 0 || self.taken[long.at] {
            self.taken[long.at] = false;
            long.advance(1);
            overdue = overdue.saturating_sub(1);
        }
    }
}

/// The frame that the index ring has cut off: it has the same device, length and first
/// bytes. Frames that are equal in all three have the same headers, so their order does
/// not matter.
fn find(long: &CaptureRing, taken: &mut [bool], cut: &Slot<'_>) -> Found {
    for ahead in 0..long.ring.slots() {
        let Some(slot) = long.peek(ahead) else { break };
        let index = long.index_of(ahead);
        if !taken[index]
            && (slot.device, slot.length) == (cut.device, cut.length)
            && slot.frame.starts_with(cut.frame)
        {
            taken[index] = true;
            return Found::Long(ahead);
        }
    }
    Found::Missing
}

/// Bytes of an IEEE 802.1Q tag.
const TAG: u16 = 4;

/// The frame with the VLAN tag that the kernel keeps beside it.
fn tagged<'a>(slot: &Slot<'a>) -> Cow<'a, [u8]> {
    const ADDRESSES: usize = 12;
    match (slot.tag, slot.frame.split_at_checked(ADDRESSES)) {
        (Some((protocol, value)), Some((addresses, rest))) => {
            let tag = [protocol.to_be_bytes(), value.to_be_bytes()].concat();
            Cow::Owned([addresses, &tag, rest].concat())
        }
        _ => Cow::Borrowed(slot.frame),
    }
}

/// A filter for what arrives on the hidden devices and was not sent by the wire. The mark
/// of what the wire has sent is the index of the device that it arrives on.
fn program(longer_than: u32) -> [sock_filter; 9] {
    let code = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let ancillary = |what: libc::c_int| (libc::SKF_AD_OFF + what) as u32;
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let jump =
        |how: u32, k: u32, jt: u8, jf: u8| sock_filter { jt, jf, ..code(libc::BPF_JMP | how, k) };
    [
        code(load, ancillary(libc::SKF_AD_IFINDEX)),
        jump(libc::BPF_JGE | libc::BPF_K, FIRST, 0, 5),
        code(libc::BPF_MISC | libc::BPF_TAX, 0),
        code(load, ancillary(libc::SKF_AD_MARK)),
        jump(libc::BPF_JEQ | libc::BPF_X, 0, 2, 0),
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0),
        jump(libc::BPF_JGT | libc::BPF_K, longer_than, 1, 0),
        code(libc::BPF_RET | libc::BPF_K, 0),
        code(libc::BPF_RET | libc::BPF_K, u32::MAX),
    ]
}
