//! The long ring, which is made when the wire has carried many full frames.
//!
//! Until it is there, the hidden devices of all link ends cut frames into segments, so that
//! none is too long for the index ring. A stage that needs no segments sees more frames then,
//! and nothing else changes. A test with little traffic does not pay for the ring: filling it
//! with zeroes takes 8 ms of a processor, and its process cannot end while a thread waits for RCU.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use nix::errno::Errno;

use super::hidden_pair::HiddenPair;
use super::ringless::RinglessSocket;
use super::rings::CaptureRing;
use super::spliced::WireState;
use crate::error::{Error, ErrorCode, Result};
use crate::preflight;
use crate::sync::lock;
use crate::sys::ethtool;
use crate::sys::packet::{DeferredClose, PacketSocket};
use crate::sys::thread::spawn;

/// Opens the socket, in the network namespace of the wire.
pub(super) type OpenLong = Box<dyn FnOnce() -> Result<RinglessSocket> + Send>;

/// The long ring, if there is one.
#[derive(Debug, Default)]
pub(super) struct LongRing {
    state: Mutex<LongState>,
    /// Whether a stage needs no segments, and the ring is not being made.
    is_wanted: AtomicBool,
    /// Where the thread of the wire fetches it.
    fetched: Arc<Mutex<Option<CaptureRing>>>,
    maker: Mutex<Option<JoinHandle<()>>>,
    socket: OnceLock<Arc<PacketSocket>>,
    /// Until the process has ended.
    deferred: OnceLock<DeferredClose>,
}

#[derive(Default)]
enum LongState {
    #[default]
    Missing,
    /// These link ends get frames that are not cut when it is there.
    Wanted(OpenLong, BTreeSet<u32>),
    /// It is being made.
    Coming(BTreeSet<u32>),
    There,
    Refused(Option<Error>),
}

impl fmt::Debug for LongState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "Missing",
            Self::Wanted(..) => "Wanted",
            Self::Coming(_) => "Coming",
            Self::There => "There",
            Self::Refused(_) => "Refused",
        })
    }
}

impl LongRing {
    /// Where the thread of the wire fetches it when the first frame needs it.
    pub(super) fn fetched(&self) -> Arc<Mutex<Option<CaptureRing>>> {
        Arc::clone(&self.fetched)
    }

    pub(super) fn socket(&self) -> Option<&Arc<PacketSocket>> {
        self.socket.get()
    }

    /// Whether [`want`](Self::want) has not been called.
    pub(super) fn is_missing(&self) -> bool {
        matches!(*lock(&self.state), LongState::Missing)
    }

    /// Has it made when there are many full frames.
    pub(super) fn want(&self, open: OpenLong) {
        *lock(&self.state) = LongState::Wanted(open, BTreeSet::new());
        self.is_wanted.store(true, Ordering::Relaxed);
    }

    /// Whether a stage needs no segments, and the ring is not being made.
    pub(super) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Begins to make it, if it is wanted. The index ring must capture already.
    pub(super) fn make(self: &Arc<Self>, wire: &Arc<WireState>, index: &Arc<PacketSocket>) {
        let mut state = lock(&self.state);
        let (open, waiting) = match std::mem::take(&mut *state) {
            LongState::Wanted(open, waiting) => (open, waiting),
            other => {
                *state = other;
                return;
            }
        };
        self.is_wanted.store(false, Ordering::Relaxed);
        let (this, wire, index) = (Arc::clone(self), Arc::clone(wire), Arc::clone(index));
        let maker = spawn("nstest long ring", move || this.make_now(open, &wire, &index));
        *state = match maker {
            Ok(maker) => {
                *lock(&self.maker) = Some(maker);
                LongState::Coming(waiting)
            }
            Err(error) => {
                let what = "start a thread for a ring of the wire";
                LongState::Refused(Some(preflight::no_thread(what, &error)))
            }
        };
    }

    fn make_now(&self, open: OpenLong, wire: &WireState, index: &PacketSocket) {
        let made = open().and_then(|socket| self.ring_of(socket));
        let mut state = lock(&self.state);
        let new = match made {
            Ok(ring) => {
                *lock(&self.fetched) = Some(ring);
                LongState::There
            }
            Err(error) => LongState::Refused(Some(error)),
        };
        let is_there = matches!(new, LongState::There);
        if let (LongState::Coming(waiting), true) = (std::mem::replace(&mut *state, new), is_there)
        {
            for link_end in waiting {
                // It fails if the link has gone.
                let _ = switch(wire, index, link_end, false);
            }
        }
    }

    fn ring_of(&self, socket: RinglessSocket) -> Result<CaptureRing> {
        let refused = |errno: Errno| {
            let what = "make the ring of the wire for long frames";
            Error::new(ErrorCode::Wire, what).source(errno)
        };
        let deferred = DeferredClose::of(&*socket.socket).map_err(refused)?;
        let _ = self.deferred.set(deferred);
        let _ = self.socket.set(Arc::clone(&socket.socket));
        socket.make_ring().map_err(refused)?;
        let (socket, ring) = socket.map().map_err(refused)?;
        socket.bind().map_err(refused)?;
        Ok(CaptureRing::new((socket, ring)))
    }

    /// Waits until it is there.
    pub(super) fn wait(&self) -> Result<()> {
        if let Some(maker) = lock(&self.maker).take() {
            let _ = maker.join(); // its panic has been printed
        }
        match &mut *lock(&self.state) {
            LongState::Refused(Some(error)) => {
                let again =
                    Error::new(ErrorCode::Wire, "make the ring of the wire for long frames");
                Err(std::mem::replace(error, again))
            }
            _ => Ok(()),
        }
    }

    /// Lets the kernel cut the frames of a link end into segments, or not as soon as the ring is
    /// there. Runs `attach` with whether they are cut now.
    pub(super) fn attach(
        &self,
        (wire, index): (&WireState, &PacketSocket),
        link_end: u32,
        segments: bool,
        attach: impl FnOnce(bool),
    ) -> Result<()> {
        let mut state = lock(&self.state);
        let cut = match &mut *state {
            LongState::There => segments,
            LongState::Wanted(_, waiting) | LongState::Coming(waiting) => {
                if segments {
                    waiting.remove(&link_end);
                } else {
                    waiting.insert(link_end);
                }
                true
            }
            LongState::Missing | LongState::Refused(_) => true,
        };
        switch(wire, index, link_end, cut)?;
        attach(cut);
        Ok(())
    }
}

/// Sets whether the kernel cuts frames into segments and completes their checksums before they
/// arrive at the hidden devices of a link end.
fn switch(wire: &WireState, index: &PacketSocket, link_end: u32, segments: bool) -> Result<()> {
    let pair = HiddenPair::of(link_end);
    for name in [pair.outer_name(), pair.inner_name()] {
        ethtool::set_checksum_offload(index.as_fd(), &name, !segments).map_err(|errno| {
            let what = format!("switch the transmit checksumming of {name}");
            Error::new(ErrorCode::Wire, what).source(errno)
        })?;
    }
    if let Some(spliced) = wire.spliced().get_mut(&link_end) {
        spliced.segments = segments;
    }
    Ok(())
}
