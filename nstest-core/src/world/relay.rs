//! A door to the wire: what passes a link meets a stage.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Link, Net};
use crate::error::Result;
use crate::frame::{Direction, Outlet, Stage};
use crate::topology::spec::PortId;

impl Net {
    /// Has every frame at a port pass a stage, in place of the one that it has.
    pub(crate) fn splice(&self, port: PortId, stage: Arc<Mutex<dyn Stage>>) -> Result<()> {
        self.lock().fabric.splice(port, stage)
    }

    /// What the stage of a port needs of its frames may have changed.
    #[cfg_attr(not(test), expect(dead_code, reason = "faults are being built on it"))]
    pub(crate) fn refresh(&self, port: PortId) -> Result<()> {
        self.lock().fabric.refresh(port)
    }
}

/// What a [`relay`] has done.
#[derive(Debug, Clone)]
pub struct Relayed {
    net: Net,
    frames: Arc<AtomicU64>,
}

impl Relayed {
    /// How many frames it has let pass.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// What went wrong on the wire, frames that it lost included.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.net.lock().fabric.wire_failure()
    }
}

struct Relay {
    delay: Duration,
    segments: bool,
    frames: Arc<AtomicU64>,
}

impl Stage for Relay {
    fn pass(&mut self, _: Direction, _: &[u8], now: Instant, out: &mut Outlet) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        out.forward.push(now + self.delay);
    }

    fn needs_segments(&self) -> bool {
        self.segments
    }
}

/// Splices the wire into the first end of a link, and has every frame, in both
/// directions, wait for so long; with `segments`, as it would be on a cable. For
/// benchmarks.
///
/// # Errors
/// What the kernel refuses.
pub fn relay(link: &Link, delay: Duration, segments: bool) -> Result<Relayed> {
    let relayed = Relayed { net: link.net().clone(), frames: Arc::default() };
    for (_, port) in link.ends().take(1) {
        let stage = Relay { delay, segments, frames: Arc::clone(&relayed.frames) };
        link.net().splice(port, Arc::new(Mutex::new(stage)))?;
    }
    Ok(relayed)
}
