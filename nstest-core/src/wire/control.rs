//! What the fabric calls: starting the wire, giving link ends a stage, ending it.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use litemap::LiteMap;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};

use super::long_ring::LongRing;
use super::ringless::RinglessSocket;
use super::rings::CaptureRing;
use super::spliced::{FastPaths, SharedStage, SplicedEnd, WireState};
use super::thread::WireThread;
use crate::error::{Error, ErrorCode, Result};
use crate::preflight;
use crate::sync::lock;
use crate::sys::packet::{DeferredClose, PacketSocket};

/// The longest that [`Wire::settle`] waits.
const SETTLING: Duration = Duration::from_millis(500);

/// All wires of a test, and the thread that serves them. The thread ends with the value.
#[derive(Debug)]
pub(crate) struct Wire {
    state: Arc<WireState>,
    index: Arc<PacketSocket>,
    /// What the thread reports when the socket captures. `None`: it does.
    captures: Option<Receiver<nix::Result<()>>>,
    long: Arc<LongRing>,
    /// The thread wakes when something is written to it, and when it is closed.
    wakeup: OwnedFd,
    thread: Option<JoinHandle<()>>,
    /// Until the process has ended.
    _deferred: DeferredClose,
}

const OPEN: &str = "open the packet socket of the wire";

/// What the thread does with it first.
const RING: &str = "setsockopt(PACKET_RX_RING) or bind";

impl Wire {
    /// Opens the packet socket, in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn open() -> Result<RinglessSocket> {
        CaptureRing::index().map_err(|refused| not_opened(OPEN, refused))
    }

    /// Opens the packet socket for frames longer than [`MAX_SHORT`](super::MAX_SHORT), in the
    /// calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn open_long() -> Result<RinglessSocket> {
        let what = "open the packet socket of the wire for long frames";
        CaptureRing::long().map_err(|refused| not_opened(what, refused))
    }

    /// Starts the thread, which makes the ring of the socket and serves no link end yet.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(socket: RinglessSocket) -> Result<Self> {
        let refused = |errno| failed("start the thread of the wire", errno);
        let flags = SockFlag::SOCK_CLOEXEC;
        let (wakeups, wakeup) =
            socketpair(AddressFamily::Unix, SockType::Stream, None, flags).map_err(refused)?;
        let (state, long) = (Arc::<WireState>::default(), Arc::<LongRing>::default());
        let index = Arc::clone(&socket.socket);
        let deferred = DeferredClose::of(&*index).map_err(refused)?;
        let (report, captures) = channel();
        let thread =
            WireThread::start(Arc::clone(&state), socket, Arc::clone(&long), wakeups, report);
        let refused = |error| preflight::no_thread("start the thread of the wire", &error);
        let thread = Some(thread.map_err(refused)?);
        let captures = Some(captures);
        Ok(Self { state, index, captures, long, wakeup, thread, _deferred: deferred })
    }

    /// Whether the socket captures: frames that arrive from now on reach the thread. It takes 8
    /// ms or more, or 1 ms if a thread holds RTNL when the memory of the ring is there.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn captures(&mut self) -> Result<bool> {
        let Some(captures) = &self.captures else { return Ok(true) };
        match captures.try_recv() {
            Err(TryRecvError::Empty) => return Ok(false),
            Err(TryRecvError::Disconnected) => {
                return Err(not_opened(OPEN, (RING, Errno::UnknownErrno)));
            }
            Ok(result) => result.map_err(|errno| not_opened(OPEN, (RING, errno)))?,
        }
        self.captures = None;
        Ok(true)
    }

    /// Waits until the socket [`captures`](Self::captures).
    ///
    /// # Errors
    /// As there.
    pub(crate) fn await_capture(&mut self) -> Result<()> {
        let Some(captures) = &self.captures else { return Ok(()) };
        let result = captures.recv().unwrap_or(Err(Errno::UnknownErrno));
        result.map_err(|errno| not_opened(OPEN, (RING, errno)))?;
        self.captures = None;
        Ok(())
    }

    /// Whether [`want_long_ring`](Self::want_long_ring) has not been called.
    pub(crate) fn lacks_long_ring(&self) -> bool {
        self.long.is_missing()
    }

    /// Has the ring for long frames made when the wire has carried many full frames. `open` is
    /// [`open_long`](Self::open_long), in the network namespace of the wire.
    pub(crate) fn want_long_ring(
        &self,
        open: impl FnOnce() -> Result<RinglessSocket> + Send + 'static,
    ) {
        self.long.want(Box::new(open));
    }

    /// Waits until long frames arrive complete. The ring for them must be wanted.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn await_long_ring(&mut self) -> Result<()> {
        self.await_capture()?; // the socket that is bound last is served first
        self.long.make(&self.state, &self.index);
        self.long.wait()
    }

    /// Gives a link end a stage, in place of its present one. Every frame that arrives
    /// after this call meets the new stage. The hidden devices must exist. `segments`: whether
    /// the kernel must cut frames into segments and complete their checksums before they
    /// arrive there.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn attach(&self, link_end: u32, stage: SharedStage, segments: bool) -> Result<()> {
        self.long.attach((&self.state, &self.index), link_end, segments, |segments| {
            let mut spliced = self.state.spliced();
            let fast_paths = spliced.get(&link_end).map(|end| end.fast_paths.clone());
            let fast_paths = fast_paths.unwrap_or_default();
            spliced.insert(link_end, SplicedEnd { stage, segments, fast_paths });
        })
    }

    /// Sets the fast paths of each link end.
    pub(crate) fn set_fast_paths(&self, mut fast_paths: LiteMap<u32, FastPaths>) {
        for (link_end, spliced) in self.state.spliced().iter_mut() {
            spliced.fast_paths = fast_paths.remove(link_end).unwrap_or_default();
        }
    }

    /// Takes the stage of a link end away. Frames that still arrive pass unchanged.
    pub(crate) fn detach(&self, link_end: u32) {
        self.state.spliced().remove(&link_end);
    }

    /// The stage of a link end.
    pub(crate) fn stage(&self, link_end: u32) -> Option<SharedStage> {
        self.state.spliced().get(&link_end).map(|spliced| Arc::clone(&spliced.stage))
    }

    /// How many frames have been lost for lack of room, not by a decision of a stage. If
    /// there are any, the network was not the one that the test asked for.
    pub(crate) fn lost(&self) -> u64 {
        for socket in [Some(&self.index), self.long.socket()].into_iter().flatten() {
            match socket.dropped() {
                Ok(dropped) => {
                    self.state.lost.fetch_add(dropped.into(), Ordering::Relaxed);
                }
                Err(errno) => self.state.fail(|| format!("its losses cannot be counted: {errno}")),
            }
        }
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Waits until all frames that were sent before this call have met their stage. What
    /// is counted then includes them, and what is changed then does not concern them. A
    /// wire that is never idle is waited for 500 ms at most.
    pub(crate) fn settle(&self) {
        let request = self.state.settle_requests.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.wake() {
            return; // the thread has ended, and has reported the reason
        }
        let settled = lock(&self.state.settled);
        let waits = |settled: &mut u64| *settled < request;
        drop(self.state.has_settled.wait_timeout_while(settled, SETTLING, waits));
    }

    /// What has failed on the wire.
    pub(crate) fn failure(&self) -> Option<String> {
        let lost = self.lost();
        if lost > 0 {
            self.state.fail(|| {
                format!(
                    "{lost} frames were lost because the queue of the wire was full: send less at \
                     a time, or give the test more processor time"
                )
            });
        }
        self.state.failure().map(|what| format!("the wire failed: {what}"))
    }

    /// Ends the thread, and with it the rings. The sockets stay open until the process has
    /// ended, and the kernel closes them then: see [`DeferredClose`].
    pub(crate) fn end(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its panic has been printed
        }
        lock(&self.long.fetched()).take();
    }

    /// Whether the thread could be woken.
    fn wake(&self) -> bool {
        send(self.wakeup.as_raw_fd(), &[0], MsgFlags::MSG_NOSIGNAL).is_ok()
    }
}

impl Drop for Wire {
    /// Does not wait for the thread: closing a packet socket waits for RCU.
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }
}

fn not_opened(what: &str, (call, errno): (&str, Errno)) -> Error {
    preflight::no_socket(what, call, errno).unwrap_or_else(|| failed(what, errno))
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::new(ErrorCode::Wire, what).source(errno)
}
