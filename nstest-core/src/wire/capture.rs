//! Frames as they come in, whole and in order.
//!
//! Slots have one size for all frames. Those of the *index* are short, so that
//! there can be thousands of them; they hold every frame, the long ones cut. Those
//! of the *whole* ring hold 64 KiB, and only frames that the index cuts. The kernel
//! serves the socket bound last first (ETH_P_ALL handlers are put at the head of
//! their list, dev_add_pack), so what is cut in the index is there whole already.
//! The whole ring is made for the first wire that may need it.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use nix::libc::{self, sock_filter};

use super::FIRST;
use crate::sys::packet::{Geometry, Offloads, PacketSocket, Ring, Slot};

/// 4,096 frames, 8 MiB: 25 ms at the rate that a wire carries at most.
const INDEX: Geometry = Geometry { slot: 2048, block: 64 << 10, blocks: 128 };

/// 448 frames of 64 KiB and their headers, 32 MiB: what TCP has under way at most.
const WHOLE: Geometry = Geometry { slot: 66048, block: 512 << 10, blocks: 64 };

/// So far may two processors come apart in their order in the two rings.
const APART: usize = 16;

/// The longest frame that needs no whole ring.
pub(super) const SHORT: usize = INDEX.room();

/// A socket, its ring, and where we are in it.
#[derive(Debug)]
pub(super) struct Tap {
    socket: Arc<PacketSocket>,
    ring: Ring,
    at: usize,
}

impl Tap {
    /// Opens the index, in the calling thread's network namespace.
    pub(super) fn index() -> nix::Result<Self> {
        Self::open(INDEX, 0)
    }

    /// Opens the whole ring.
    pub(super) fn whole() -> nix::Result<Self> {
        Self::open(WHOLE, SHORT as u32)
    }

    fn open(geometry: Geometry, longer_than: u32) -> nix::Result<Self> {
        let socket = PacketSocket::open()?;
        socket.attach(&mut program(longer_than))?;
        socket.incoming_with_offloads()?;
        socket.widen()?;
        let ring = Ring::map(&socket, geometry)?;
        socket.bind()?;
        Ok(Self { socket: Arc::new(socket), ring, at: 0 })
    }

    pub(super) fn socket(&self) -> &Arc<PacketSocket> {
        &self.socket
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

/// Both rings.
#[derive(Debug)]
pub(super) struct Capture {
    index: Tap,
    whole: Option<Tap>,
    /// The whole ring, when it has been made and not been fetched yet.
    coming: Arc<Mutex<Option<Tap>>>,
    /// By slot of the whole ring: taken out of its turn.
    taken: Vec<bool>,
    /// Where the frames of this batch are: by position in the index.
    places: Vec<Place>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Index,
    /// So far ahead in the whole ring.
    Whole(usize),
    /// Cut, and not to be found whole.
    Nowhere,
}

/// A frame that has come in.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    /// On this device.
    pub(super) device: u32,
    pub(super) offloads: Offloads,
    /// Nothing, if there was no room for it.
    pub(super) frame: Option<Cow<'a, [u8]>>,
}

impl Capture {
    /// Frames that the index holds.
    pub(super) const SLOTS: usize = INDEX.slots();

    /// Whether the kernel counts what is cut and not to be found: for want of room.
    pub(super) fn counts_long(&self) -> bool {
        self.whole.is_some()
    }

    /// Whether one of the rings is half full.
    pub(super) fn is_crowded(&self) -> bool {
        let rings = [Some(&self.index), self.whole.as_ref()];
        rings.into_iter().flatten().any(|tap| tap.peek(tap.ring.slots() / 2).is_some())
    }

    pub(super) fn new(index: Tap, coming: Arc<Mutex<Option<Tap>>>) -> Self {
        Self { index, whole: None, coming, taken: Vec::new(), places: Vec::new() }
    }

    /// What to wait for.
    pub(super) fn socket(&self) -> &Arc<PacketSocket> {
        &self.index.socket
    }

    /// What has come in, in order, so many at most; [`finish`](Self::finish) makes
    /// room for more.
    pub(super) fn arrivals(&mut self, most: usize) -> Vec<Arrival<'_>> {
        self.places.clear();
        while self.places.len() < most {
            let Some(slot) = self.index.peek(self.places.len()) else { break };
            let place = if slot.frame.len() == slot.length {
                Place::Index
            } else {
                if self.whole.is_none() {
                    self.whole = self.coming.lock().unwrap_or_else(PoisonError::into_inner).take();
                    self.taken = vec![false; WHOLE.slots()];
                }
                self.whole
                    .as_ref()
                    .map_or(Place::Nowhere, |whole| find(whole, &mut self.taken, &slot))
            };
            self.places.push(place);
        }
        let this = &*self;
        let arrival = |(ahead, place): (usize, &Place)| {
            let cut = this.index.peek(ahead)?;
            let (slot, there) = match (*place, &this.whole) {
                (Place::Whole(ahead), Some(whole)) => (whole.peek(ahead)?, true),
                (Place::Index, _) => (cut, true),
                _ => (cut, false),
            };
            let grown = if slot.tag.is_some() { TAG } else { 0 };
            Some(Arrival {
                device: slot.device,
                offloads: slot.offloads.moved(grown),
                frame: there.then(|| tagged(&slot)),
            })
        };
        this.places.iter().enumerate().filter_map(arrival).collect()
    }

    /// Gives back the slots of so many of the last batch; the others come again.
    pub(super) fn finish(&mut self, count: usize) {
        self.index.advance(count);
        let Some(whole) = &mut self.whole else { return };
        let mut furthest = 0;
        for (nth, place) in self.places.drain(..).enumerate() {
            match place {
                Place::Whole(ahead) if nth < count => furthest = furthest.max(ahead),
                Place::Whole(ahead) => self.taken[whole.index_of(ahead)] = false,
                Place::Index | Place::Nowhere => {}
            }
        }
        // What nobody has come for in so long has been lost to the index.
        let mut overdue = furthest.saturating_sub(APART);
        while overdue > 0 || self.taken[whole.at] {
            self.taken[whole.at] = false;
            whole.advance(1);
            overdue = overdue.saturating_sub(1);
        }
    }
}

/// The frame that the index has cut: of the same device and length, and as it
/// begins. Frames that look the same so far have the same headers, and no order.
fn find(whole: &Tap, taken: &mut [bool], cut: &Slot<'_>) -> Place {
    for ahead in 0..whole.ring.slots() {
        let Some(slot) = whole.peek(ahead) else { break };
        let index = whole.index_of(ahead);
        if !taken[index]
            && (slot.device, slot.length) == (cut.device, cut.length)
            && slot.frame.starts_with(cut.frame)
        {
            taken[index] = true;
            return Place::Whole(ahead);
        }
    }
    Place::Nowhere
}

/// Bytes of an IEEE 802.1Q tag.
const TAG: u16 = 4;

/// The frame with the tag that the kernel keeps beside it.
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

/// What comes in on the hidden devices, but not what the engine has let go: of that
/// the mark is the index of the device that it comes out of.
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
