//! The one thread that moves the frames of all wires.
//!
//! It sleeps until something comes in, the next departure is due, or the test ends.
//! Frames that go on at once are sent from the memory that they came in by; those
//! that wait are copied.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::time::TimeSpec;

use super::capture::{Arrival, Capture};
use super::departures::Departures;
use super::finish::finish;
use super::linger::Linger;
use super::processor::Processor;
use super::queue::Queue;
use super::{Ends, Entry, State};
use crate::addr::MacAddr;
use crate::frame::{Direction, Emission, Outlet};
use crate::panics;
use crate::sys::packet::{Offloads, Outgoing, PacketSocket, Sender};
use crate::sys::slice::set_slice;

/// So many frames are taken and sent in one go: more make the last of them late.
const BATCH: usize = 32;

/// How long it asks stages before it sends, and looks after the rings again.
const TURN: Duration = Duration::from_micros(200);

/// What it asks the scheduler for, in nanoseconds; the least that there is.
const SLICE: u64 = 100_000;

/// How long a full send buffer may take to have room again.
const DRAINING: Duration = Duration::from_millis(100);

pub(super) struct Engine {
    state: Arc<State>,
    queue: Queue,
    departures: Departures<Waiting>,
    sender: Sender,
    outlet: Outlet,
    /// Written to by whoever waits for us, and closed when the test is over.
    asleep: OwnedFd,
}

impl Engine {
    pub(super) fn new(state: Arc<State>, capture: Capture, asleep: OwnedFd) -> Self {
        Self {
            state,
            queue: Queue::new(capture),
            departures: Departures::new(),
            sender: Sender::default(),
            outlet: Outlet::default(),
            asleep,
        }
    }

    /// Runs it on a thread of its own, which takes no signals: those are the test's.
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        let started = std::thread::Builder::new().name("nstest wire".to_owned()).spawn(|| {
            // Wherever the test was when the thread was born: it needs no network.
            let home = std::fs::File::open("/proc/self/ns/net");
            let _ = home.map(|home| setns(home, CloneFlags::CLONE_NEWNET));
            // Otherwise the kernel may add 50 µs to each timeout (PR_SET_TIMERSLACK).
            let _ = prctl::set_timerslack(1);
            // Others that are busy on the same processor let it in soon: the rings
            // hold what comes in some milliseconds.
            let _ = set_slice(SLICE);
            self.run();
        });
        before.thread_set_mask()?;
        started
    }

    fn run(mut self) {
        let mut processor = Processor::new();
        let mut linger = Linger::default();
        while !self.state.stop.load(Ordering::Relaxed) {
            let asked = self.state.asked.load(Ordering::SeqCst);
            let now = Instant::now();
            processor.hold(now);
            if self.turn(now) {
                linger.moved();
                continue;
            }
            self.state.answer(asked);
            if linger.stays(now) {
                std::hint::spin_loop();
                continue;
            }
            processor.release(now, self.queue.rings().socket());
            if let Err(errno) = self.wait() {
                self.state.fail(|| format!("its thread cannot wait: {errno}"));
                return;
            }
        }
    }

    /// Moves what is there to be moved: whether there was anything.
    fn turn(&mut self, now: Instant) -> bool {
        let Self { state, queue, departures, sender, outlet, .. } = self;
        let socket = Arc::clone(queue.rings().socket());
        let mut outgoing: Vec<Outgoing<'_>> = Vec::with_capacity(BATCH);
        if departures.next().is_some_and(|at| at <= now) {
            let stages = state.stages();
            let due = std::iter::from_fn(|| departures.due(now));
            outgoing.extend(due.map(|waiting| waiting.going(&stages)));
        }
        let counted = queue.rings().counts_long();
        let arrivals = queue.arrivals(BATCH);
        if outgoing.is_empty() && arrivals.is_empty() {
            return false;
        }
        // Not before any of them came: none is to be early.
        let now = Instant::now();
        let mut decided = 0;
        {
            // A stage that has been exchanged is not asked any more.
            let stages = state.stages();
            for arrival in arrivals {
                decided += 1;
                let Some((ends, direction)) = Ends::taken_at(arrival.device) else { continue };
                if arrival.frame.is_none() && !counted {
                    state.lost.fetch_add(1, Ordering::Relaxed);
                }
                let pass = Pass { state, ends, direction, now };
                pass.decide(stages.get(&ends.port), arrival, outlet, &mut outgoing, departures);
                if now.elapsed() > TURN {
                    break;
                }
            }
        }
        send(sender, &socket, &outgoing, state);
        drop(outgoing);
        queue.finish(decided);
        true
    }

    /// Until something comes in, the next departure is due, or the test is over.
    fn wait(&self) -> nix::Result<()> {
        let socket = self.queue.rings().socket();
        let mut waiting = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.asleep.as_fd(), PollFlags::POLLIN),
        ];
        let left = self.departures.next().map(|at| at.saturating_duration_since(Instant::now()));
        match ppoll(&mut waiting, left.map(TimeSpec::from), None) {
            Ok(_) if waiting[1].any() == Some(true) => {
                nix::unistd::read(&self.asleep, &mut [0; 64]).map(drop)
            }
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// Sends all of them, in order.
fn send(sender: &mut Sender, socket: &PacketSocket, mut frames: &[Outgoing<'_>], state: &State) {
    let mut waited = false;
    while let Some(first) = frames.first() {
        let errno = match sender.send(socket, &frames[..frames.len().min(BATCH)]) {
            Ok(sent) => {
                frames = &frames[sent..];
                waited = false;
                continue;
            }
            Err(errno) => errno,
        };
        match errno {
            Errno::EINTR => continue,
            // The kernel works off what it has been given: there is no other queue
            // behind a port's device than its own.
            Errno::EAGAIN if !waited => {
                let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
                let limit = TimeSpec::from(DRAINING);
                waited = ppoll(&mut waiting, Some(limit), None) != Err(Errno::EINTR);
                continue;
            }
            // The cable is unplugged, or the port is gone: no frame comes through.
            Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV => {}
            // The node cannot keep up, as on any cable; or we cannot.
            Errno::ENOBUFS if Ends::taken_at(first.device).is_none() => {}
            Errno::ENOBUFS | Errno::EAGAIN | Errno::ENOMEM => {
                state.lost.fetch_add(1, Ordering::Relaxed);
            }
            errno => state.fail(|| {
                let (length, device) = (first.frame.len(), first.device);
                format!("a frame of {length} bytes cannot be sent on link #{device}: {errno}")
            }),
        }
        frames = &frames[1..];
        waited = false;
    }
}

/// A frame that waits for its time. Which way it goes is seen then.
#[derive(Debug)]
struct Waiting {
    ends: Ends,
    direction: Direction,
    offloads: Offloads,
    frame: Vec<u8>,
}

impl Waiting {
    fn going(self, stages: &BTreeMap<u32, Entry>) -> Outgoing<'static> {
        let Self { ends, direction, offloads, frame } = self;
        going(stages.get(&ends.port), (ends, direction), offloads, Cow::Owned(frame))
    }
}

/// A frame that goes on.
fn going<'f>(
    entry: Option<&Entry>,
    (ends, direction): (Ends, Direction),
    offloads: Offloads,
    frame: Cow<'f, [u8]>,
) -> Outgoing<'f> {
    let fits = |to: &Option<MacAddr>| to.is_none_or(|to| frame.starts_with(&to.octets()));
    let straight = match direction {
        Direction::Egress => entry.and_then(|entry| entry.ways.iter().find(|(to, _)| fits(to))),
        Direction::Ingress => None,
    };
    let device = straight.map_or(ends.way_on(direction), |(_, device)| *device);
    Outgoing { device, mark: ends.mark(direction), offloads, frame }
}

/// One frame on its way past a stage.
struct Pass<'a> {
    state: &'a State,
    ends: Ends,
    direction: Direction,
    now: Instant,
}

impl Pass<'_> {
    fn decide<'f>(
        &self,
        entry: Option<&Entry>,
        arrival: Arrival<'f>,
        outlet: &mut Outlet,
        outgoing: &mut Vec<Outgoing<'f>>,
        departures: &mut Departures<Waiting>,
    ) {
        let Arrival { mut offloads, frame, .. } = arrival;
        let Some(mut frame) = frame else {
            return;
        };
        if !whole_fits(offloads, &frame) {
            self.state.fail(|| {
                let port = self.ends.port;
                format!(
                    "a superframe of a tunnel or of SCTP came to the port with index {port}, where frames are not \
                     cut: switch segmentation offload of the tunnel off (ethtool -K), or ask for segments"
                )
            });
            return;
        }
        let Self { ends, now, .. } = *self;
        let Some(Entry { stage, segments, .. }) = entry else {
            outgoing.push(going(None, (ends, self.direction), offloads, frame));
            return;
        };
        outlet.clear();
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
            if *segments && stage.needs_segments() {
                // What came before its devices were told to do it.
                if let Some(finished) = finish(offloads, &frame) {
                    (offloads, frame) = (Offloads::default(), Cow::Owned(finished));
                }
                if offloads.cuts() {
                    return false;
                }
            }
            stage.pass(self.direction, &frame, self.now, outlet);
            true
        }));
        match decided {
            Ok(true) => {}
            Ok(false) => {
                let device = self.ends.way_in(self.direction);
                outgoing.push(Outgoing { device, mark: 0, offloads, frame });
                return;
            }
            Err(panic) => {
                outlet.clear();
                self.state.fail(|| {
                    let what = panics::message(&*panic).unwrap_or("(no message)");
                    format!("a stage panicked at the port with index {}: {what}", self.ends.port)
                });
            }
        }
        let mut send = |at, direction, offloads, frame: Cow<'f, [u8]>| {
            if at <= now {
                outgoing.push(going(entry, (ends, direction), offloads, frame));
            } else {
                let frame = frame.into_owned();
                departures.push(at, Waiting { ends, direction, offloads, frame });
            }
        };
        for at in outlet.forward.drain(..) {
            send(at, self.direction, offloads, frame.clone());
        }
        for Emission { at, direction, frame } in outlet.emissions.drain(..) {
            send(at, direction, Offloads::default(), Cow::Owned(frame));
        }
    }
}

/// Whether the header of a frame that is to be cut can say how: the one that it has is
/// for TCP and UDP on Ethernet and IP, and the kernel drops what turns out not to be.
fn whole_fits(offloads: Offloads, frame: &[u8]) -> bool {
    let Some(kind) = offloads.cut_as() else { return true };
    let tags =
        frame[12..].chunks_exact(4).take_while(|tag| matches!(tag[..2], [0x81, 0] | [0x88, 0xa8]));
    let at = 12 + 4 * tags.count();
    let byte = |offset: usize| frame.get(at + offset).copied();
    match (byte(0), byte(1)) {
        (Some(8), Some(0)) => byte(2 + 9) == Some(kind),
        // An extension header may stand between; a tunnel's is IPv4, IPv6, GRE or UDP.
        (Some(0x86), Some(0xdd)) => match byte(2 + 6) {
            Some(4 | 41 | 47 | 132) => false,
            Some(17) => kind == 17,
            _ => true,
        },
        _ => false,
    }
}
