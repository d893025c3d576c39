//! The long ring, which is made while the wire carries frames already.
//!
//! Until it is there, the hidden devices of all link ends cut frames into segments, so that
//! none is too long for the index ring. A stage that needs no segments sees more frames then,
//! and nothing else changes.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::errno::Errno;

use super::hidden_pair::HiddenPair;
use super::ring_maker::NewRing;
use super::rings::CaptureRing;
use super::spliced::WireState;
use crate::error::{Error, ErrorCode, Result};
use crate::sync::lock;
use crate::sys::ethtool;
use crate::sys::packet::PacketSocket;
use crate::sys::thread::spawn;

/// The long ring, if there is one.
#[derive(Debug, Default)]
pub(super) struct LongRing {
    state: Arc<Mutex<LongState>>,
    /// Where the thread of the wire fetches it.
    fetched: Arc<Mutex<Option<CaptureRing>>>,
    socket: Option<Arc<PacketSocket>>,
    maker: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
enum LongState {
    #[default]
    Missing,
    /// It is being made. These link ends get frames that are not cut when it is there.
    Coming(BTreeSet<u32>),
    There,
    Refused(Errno),
}

impl LongRing {
    /// Where the thread of the wire fetches it when the first frame needs it.
    pub(super) fn fetched(&self) -> Arc<Mutex<Option<CaptureRing>>> {
        Arc::clone(&self.fetched)
    }

    pub(super) fn socket(&self) -> Option<&Arc<PacketSocket>> {
        self.socket.as_ref()
    }

    /// Takes it over while it is being made.
    pub(super) fn follow(
        &mut self,
        ring: NewRing,
        wire: &Arc<WireState>,
        index: &Arc<PacketSocket>,
    ) -> io::Result<()> {
        self.socket = Some(Arc::clone(&ring.socket));
        *lock(&self.state) = LongState::Coming(BTreeSet::new());
        let (state, fetched) = (Arc::clone(&self.state), self.fetched());
        let (wire, index) = (Arc::clone(wire), Arc::clone(index));
        let maker = spawn("nstest long ring", move || match ring.wait() {
            Ok(ring) => {
                *lock(&fetched) = Some(CaptureRing::new(ring));
                let mut state = lock(&state);
                if let LongState::Coming(waiting) = std::mem::replace(&mut *state, LongState::There)
                {
                    for link_end in waiting {
                        // It fails if the link has gone.
                        let _ = switch(&wire, &index, link_end, false);
                    }
                }
            }
            Err(errno) => *lock(&state) = LongState::Refused(errno),
        });
        self.maker = Some(maker?);
        Ok(())
    }

    /// Waits until it is there.
    pub(super) fn wait(&mut self) -> nix::Result<()> {
        if let Some(maker) = self.maker.take() {
            let _ = maker.join(); // its panic has been printed
        }
        match *lock(&self.state) {
            LongState::Refused(errno) => Err(errno),
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
            LongState::Coming(waiting) if segments => {
                waiting.remove(&link_end);
                true
            }
            LongState::Coming(waiting) => {
                waiting.insert(link_end);
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
