//! The wire: frames that leave the kernel, meet a [`Stage`], and go back.
//!
//! A *wire* is spliced into one port of the fabric. Two hidden devices, a veth
//! pair, belong to it ([`Ends`]): filters of the port lead frames in, and what the
//! stage lets out is sent with a mark that these filters let pass. So what forwards
//! frames from port to port is not changed, and does not notice.
//!
//! - this file: what the fabric holds of all wires of a test;
//! - [`capture`]: frames as they come in, whole and in order;
//! - [`custody`]: sockets whose end nobody waits for;
//! - [`queue`]: frames that wait for the engine;
//! - [`departures`]: frames that wait for their time;
//! - [`engine`]: the one thread that moves them;
//! - [`finish`]: checksums that are left to do;
//! - [`linger`]: how it waits for more;
//! - [`processor`]: where that runs, for the sake of order.
//!
//! The devices and filters themselves are the fabric's (`fabric::taps`). How it
//! works, and what it costs: docs/src/design/wire.md.

mod capture;
mod custody;
mod departures;
mod engine;
mod finish;
mod linger;
mod processor;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};

use crate::addr::MacAddr;
use crate::error::{Error, ErrorCode, Result};
use crate::frame::{Direction, Stage};
use crate::sys::packet::PacketSocket;
use capture::{Capture, Tap};
use custody::Custody;
use engine::Engine;

/// The index of the first hidden device: far above those of ports.
const FIRST: u32 = 1 << 24;

/// How long a wire may take to have nothing to do.
const SETTLING: Duration = Duration::from_millis(500);

/// A stage, as it is shared with whoever directs it.
pub(crate) type Shared = Arc<Mutex<dyn Stage>>;

/// By which device frames to this Ethernet address go on, or all; the first that fits.
pub(crate) type Ways = Vec<(Option<MacAddr>, u32)>;

/// The longest frame for which no ring of long slots is needed.
pub(crate) const SHORT: usize = capture::SHORT;

/// The two hidden devices of a port, by its index. What leaves the node goes in at
/// `outer` and comes out of `inner`, where the wire takes it; what comes to the node
/// goes the other way.
///
/// The mark of a frame that the wire has let go is the index of the device on whose
/// side it goes on: `outer`'s if it leaves the node, `inner`'s if it comes to it. It
/// is a mark of one port and direction, so that a second wire on its way takes it
/// again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) port: u32,
    pub(crate) outer: u32,
    pub(crate) inner: u32,
}

impl Ends {
    pub(crate) const fn of(port: u32) -> Self {
        let outer = FIRST + 2 * port;
        Self { port, outer, inner: outer + 1 }
    }

    /// Whose frames come in on this device, and which way they go.
    const fn taken_at(device: u32) -> Option<(Self, Direction)> {
        let Some(offset) = device.checked_sub(FIRST) else { return None };
        let direction = if offset % 2 == 0 { Direction::Ingress } else { Direction::Egress };
        Some((Self::of(offset / 2), direction))
    }

    /// The device on which the wire sends what goes on in this direction, if it knows
    /// no straighter one.
    const fn way_on(self, direction: Direction) -> u32 {
        match direction {
            Direction::Egress => self.inner,
            Direction::Ingress => self.port,
        }
    }

    /// The device by which frames of this direction come in.
    const fn way_in(self, direction: Direction) -> u32 {
        match direction {
            Direction::Egress => self.outer,
            Direction::Ingress => self.inner,
        }
    }

    /// The mark of what goes on in this direction.
    pub(crate) const fn mark(self, direction: Direction) -> u32 {
        self.way_in(direction)
    }

    pub(crate) fn outer_name(self) -> String {
        format!("w{}a", self.port)
    }

    pub(crate) fn inner_name(self) -> String {
        format!("w{}b", self.port)
    }
}

/// All wires of a test, and the thread that serves them, which ends with the value.
#[derive(Debug)]
pub(crate) struct Wire {
    state: Arc<State>,
    index: Arc<PacketSocket>,
    whole: Option<Arc<PacketSocket>>,
    /// Where the engine fetches the whole ring.
    coming: Arc<Mutex<Option<Tap>>>,
    /// The engine wakes when something is written to it, and when it is closed.
    alive: OwnedFd,
    engine: Option<JoinHandle<()>>,
    /// Until the process has ended.
    custody: Vec<Custody>,
}

/// What the engine and the test share.
#[derive(Default)]
struct State {
    stages: Mutex<BTreeMap<u32, Entry>>,
    stop: AtomicBool,
    /// Frames that found no room, and nobody dropped on purpose.
    lost: AtomicU64,
    /// What went wrong first.
    failure: Mutex<Option<String>>,
    /// How often somebody has asked for the engine to have nothing left to do.
    asked: AtomicU64,
    /// The last of these questions that has been answered.
    answered: Mutex<u64>,
    answer: Condvar,
}

/// A port that has a wire.
#[derive(Clone)]
struct Entry {
    stage: Shared,
    /// Its devices let no frame through that is yet to be cut.
    segments: bool,
    /// Where what leaves the node goes on.
    ways: Ways,
}

impl State {
    fn stages(&self) -> MutexGuard<'_, BTreeMap<u32, Entry>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that had come in when this was asked has met its stage.
    fn answer(&self, asked: u64) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if *answered < asked {
            *answered = asked;
            self.answer.notify_all();
        }
    }

    fn fail(&self, what: impl FnOnce() -> String) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(what);
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<u32> = self.stages().keys().copied().collect();
        f.debug_struct("State").field("ports", &ports).finish_non_exhaustive()
    }
}

/// The half of a wire that is bound to a namespace.
#[derive(Debug)]
pub(crate) struct Opened(Tap);

impl Wire {
    /// Opens the packet socket, in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn open() -> Result<Opened> {
        let tap =
            Tap::index().map_err(|errno| failed("open the packet socket of the wire", errno))?;
        Ok(Opened(tap))
    }

    /// Starts the engine, which serves no port yet.
    pub(crate) fn start(Opened(tap): Opened) -> Result<Self> {
        let refused = |errno| failed("start the thread of the wire", errno);
        let flags = SockFlag::SOCK_CLOEXEC;
        let (asleep, alive) =
            socketpair(AddressFamily::Unix, SockType::Stream, None, flags).map_err(refused)?;
        let (state, coming) = (Arc::<State>::default(), Arc::default());
        let index = Arc::clone(tap.socket());
        let custody = Custody::of(&index).map_err(refused)?;
        let capture = Capture::new(tap, Arc::clone(&coming));
        let engine = Engine::new(Arc::clone(&state), capture, asleep);
        let engine = engine.start().map_err(|error| {
            Error::new(ErrorCode::Wire, "start the thread of the wire").source(error)
        })?;
        let (engine, custody) = (Some(engine), vec![custody]);
        Ok(Self { state, index, whole: None, coming, alive, engine, custody })
    }

    /// Lets frames come uncut that are longer than [`SHORT`]. To be called in the
    /// namespace where the socket was opened.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn take_long_frames(&mut self) -> Result<()> {
        if self.whole.is_none() {
            let what = "open the packet socket of the wire, for long frames";
            let tap = Tap::whole().map_err(|errno| failed(what, errno))?;
            self.custody.push(Custody::of(tap.socket()).map_err(|errno| failed(what, errno))?);
            self.whole = Some(Arc::clone(tap.socket()));
            *self.coming.lock().unwrap_or_else(PoisonError::into_inner) = Some(tap);
        }
        Ok(())
    }

    /// Whether the kernel is to cut frames and finish their checksums before they
    /// come in at a port's devices.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn set_segments(&self, port: u32, on: bool) -> Result<()> {
        let ends = Ends::of(port);
        for name in [ends.outer_name(), ends.inner_name()] {
            self.index.set_checksum_offload(&name, !on).map_err(|errno| {
                failed(&format!("switch the transmit checksumming of {name}"), errno)
            })?;
        }
        if let Some(entry) = self.state.stages().get_mut(&port) {
            entry.segments = on;
        }
        Ok(())
    }

    /// Gives a port a stage, in place of the one that it has: every frame that comes
    /// in after this meets it. The devices must be there.
    pub(crate) fn attach(&self, port: u32, stage: Shared, segments: bool) {
        let mut stages = self.state.stages();
        let ways = stages.get(&port).map(|entry| entry.ways.clone()).unwrap_or_default();
        stages.insert(port, Entry { stage, segments, ways });
    }

    /// Where what leaves a port's node goes on, by port: straight out of another port,
    /// and not back to its own to be forwarded there, which takes a veth more. The other
    /// port must not have a qdisc, which would hold what the wire has sent.
    pub(crate) fn steer(&self, mut ways: BTreeMap<u32, Ways>) {
        for (port, entry) in self.state.stages().iter_mut() {
            entry.ways = ways.remove(port).unwrap_or_default();
        }
    }

    /// Takes it away; what still comes in goes on untouched.
    pub(crate) fn detach(&self, port: u32) {
        self.state.stages().remove(&port);
    }

    /// The stage of a port.
    pub(crate) fn stage(&self, port: u32) -> Option<Shared> {
        self.state.stages().get(&port).map(|entry| Arc::clone(&entry.stage))
    }

    /// How many frames have been lost for want of room, and not by a stage: the
    /// test has not seen the network that it asked for.
    pub(crate) fn lost(&self) -> u64 {
        for socket in [Some(&self.index), self.whole.as_ref()].into_iter().flatten() {
            match socket.dropped() {
                Ok(dropped) => {
                    self.state.lost.fetch_add(dropped.into(), Ordering::Relaxed);
                }
                Err(errno) => self.state.fail(|| format!("its losses cannot be counted: {errno}")),
            }
        }
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Waits until all that was sent before has met its stage: what is counted then is
    /// counted, and what is changed then changes what comes after. A wire that always
    /// has something to do is not waited for longer than [`SETTLING`].
    pub(crate) fn settle(&self) {
        let asked = self.state.asked.fetch_add(1, Ordering::SeqCst) + 1;
        if send(self.alive.as_raw_fd(), &[0], MsgFlags::MSG_NOSIGNAL).is_err() {
            return; // the thread has ended, and has said why
        }
        let answered = self.state.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |answered: &mut u64| *answered < asked;
        drop(self.state.answer.wait_timeout_while(answered, SETTLING, waits));
    }

    /// What went wrong on the wire, if anything did.
    pub(crate) fn failure(&self) -> Option<String> {
        let lost = self.lost();
        if lost > 0 {
            self.state.fail(|| {
                format!(
                    "{lost} frames found no room in the queue of the wire, and were lost by nobody's order: \
                     send less, or give the test more of the machine"
                )
            });
        }
        let failure = self.state.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|what| format!("the wire failed: {what}"))
    }

    /// Ends the thread, and with it the rings. The sockets stay, so that whoever ends
    /// the process after this closes none for good: see [`custody`].
    pub(crate) fn end(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        let _ = send(self.alive.as_raw_fd(), &[0], MsgFlags::MSG_NOSIGNAL);
        if let Some(engine) = self.engine.take() {
            let _ = engine.join(); // a panic of it has been printed
        }
        self.coming.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for Wire {
    /// The thread is not waited for: closing a packet socket waits for RCU.
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
    }
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::new(ErrorCode::Wire, what).source(errno)
}
