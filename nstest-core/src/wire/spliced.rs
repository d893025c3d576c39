//! What the wire's thread and the test's threads share.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use litemap::LiteMap;

use crate::addr::MacAddr;
use crate::frame::Stage;
use crate::sync::lock;

/// A stage, shared by the wire and the code that changes what the stage decides.
pub(crate) type SharedStage = Arc<Mutex<dyn Stage>>;

/// The devices on which egress can be sent at once, instead of back to its own link end
/// to be forwarded from there: for frames to an Ethernet address, or for all. The first
/// match counts.
pub(crate) type FastPaths = Vec<(Option<MacAddr>, u32)>;

/// The state of all wires of a test.
#[derive(Default)]
pub(super) struct WireState {
    /// By the index of the link end's device in the fabric.
    spliced: Mutex<LiteMap<u32, SplicedEnd>>,
    /// The thread must end.
    pub(super) stop: AtomicBool,
    /// Frames that were lost for lack of room, not by a decision of a stage.
    pub(super) lost: AtomicU64,
    /// The first failure.
    failure: Mutex<Option<String>>,
    /// How many requests to settle there have been.
    pub(super) settle_requests: AtomicU64,
    /// The last of these requests that the thread has answered.
    pub(super) settled: Mutex<u64>,
    pub(super) has_settled: Condvar,
}

/// A link end that has a wire.
#[derive(Clone)]
pub(super) struct SplicedEnd {
    pub(super) stage: SharedStage,
    /// Its hidden devices cut frames into segments before they arrive.
    pub(super) segments: bool,
    pub(super) fast_paths: FastPaths,
}

impl WireState {
    pub(super) fn spliced(&self) -> MutexGuard<'_, LiteMap<u32, SplicedEnd>> {
        lock(&self.spliced)
    }

    /// Answers a request to settle: all frames that had arrived before it have met their
    /// stage.
    pub(super) fn answer(&self, request: u64) {
        let mut settled = lock(&self.settled);
        if *settled < request {
            *settled = request;
            self.has_settled.notify_all();
        }
    }

    /// Keeps what has failed, if it is the first failure.
    pub(super) fn fail(&self, what: impl FnOnce() -> String) {
        lock(&self.failure).get_or_insert_with(what);
    }

    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }
}

impl fmt::Debug for WireState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spliced: Vec<u32> = self.spliced().keys().copied().collect();
        f.debug_struct("WireState").field("spliced", &spliced).finish_non_exhaustive()
    }
}
