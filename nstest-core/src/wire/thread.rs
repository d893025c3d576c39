//! The one thread that moves the frames of all wires.
//!
//! It sleeps until a frame arrives, a delayed frame is due, or the test ends. A frame that
//! is not delayed is sent from the ring's memory. One that is delayed is copied.

use std::borrow::Cow;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender as Reply;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use litemap::LiteMap;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::time::TimeSpec;

use super::backlog::Backlog;
use super::busy_poll::BusyPoll;
use super::checksum;
use super::cpu_affinity::CpuAffinity;
use super::describable::can_be_described;
use super::hidden_pair::HiddenPair;
use super::lateness::Lateness;
use super::long_ring::LongRing;
use super::ringless::RinglessSocket;
use super::rings::{Arrival, CaptureRing, Rings};
use super::spliced::{SplicedEnd, WireState};
use super::timer_queue::TimerQueue;
use crate::addr::MacAddr;
use crate::frame::{Direction, Emission, Frame, Outlet};
use crate::panics;
use crate::recorder::FateLog;
use crate::sync::lock;
use crate::sys::packet::{Offloads, Outgoing, PacketSocket, Sender};
use crate::sys::slice::set_slice;
use crate::sys::thread::spawn;

/// How many frames are taken and sent at once. With more, the last would be late.
const BATCH: usize = 32;

/// How long it asks stages before it sends frames and empties the rings.
const ROUND: Duration = Duration::from_micros(200);

/// The time slice that it asks the scheduler for, in nanoseconds: the shortest possible.
const SLICE: u64 = 100_000;

/// After this many full frames, the long ring is worth its cost.
const MANY: u32 = 1024;

/// The length of a full frame: TCP has more to send.
const FULL: usize = 1000;

/// How long it waits for room in a full send buffer.
const DRAINING: Duration = Duration::from_millis(100);

pub(super) struct WireThread {
    state: Arc<WireState>,
    backlog: Backlog,
    delayed: TimerQueue<Delayed>,
    lateness: Lateness,
    sender: Sender,
    outlet: Outlet,
    fates: Option<FateLog>,
    long: Arc<LongRing>,
    /// How many full frames have come.
    full: u32,
    /// Readable when a caller wants the thread to wake; closed when the test ends.
    wakeups: OwnedFd,
}

impl WireThread {
    /// Starts it. It makes the ring of the index socket, and reports when the socket captures.
    /// It does not stay in the network namespace of the caller.
    pub(super) fn start(
        state: Arc<WireState>,
        index: RinglessSocket,
        long: Arc<LongRing>,
        wakeups: OwnedFd,
        captures: Reply<nix::Result<()>>,
    ) -> io::Result<JoinHandle<()>> {
        spawn("nstest wire", move || {
            let bound = index.make_ring().and_then(|()| index.bind());
            let is_bound = bound.is_ok();
            // It fails if the caller has gone.
            let _ = captures.send(bound);
            if !is_bound {
                return;
            }
            // It needs no network, so it does not keep the one where it was started.
            let home = std::fs::File::open("/proc/self/ns/net");
            let _ = home.map(|home| setns(home, CloneFlags::CLONE_NEWNET));
            // Without this the kernel may add 50 µs to each timeout (PR_SET_TIMERSLACK).
            let _ = prctl::set_timerslack(1);
            // A busy thread on the same processor must give way soon: the rings hold the
            // frames of some milliseconds only.
            let _ = set_slice(SLICE);
            match index.map() {
                Ok(ring) => Self::new(state, CaptureRing::new(ring), long, wakeups).run(),
                Err(errno) => state.fail(|| format!("its ring cannot be mapped: {errno}")),
            }
        })
    }

    fn new(
        state: Arc<WireState>,
        index: CaptureRing,
        long: Arc<LongRing>,
        wakeups: OwnedFd,
    ) -> Self {
        Self {
            state,
            backlog: Backlog::new(Rings::new(index, long.fetched())),
            delayed: TimerQueue::new(),
            lateness: Lateness::default(),
            sender: Sender::default(),
            outlet: Outlet::default(),
            fates: FateLog::new(),
            long,
            full: 0,
            wakeups,
        }
    }

    fn run(mut self) {
        let mut affinity = CpuAffinity::new();
        let mut busy_poll = BusyPoll::default();
        while !self.state.stop.load(Ordering::Relaxed) {
            let request = self.state.settle_requests.load(Ordering::SeqCst);
            let now = Instant::now();
            affinity.hold(now);
            if self.round(now) {
                busy_poll.found_work();
                continue;
            }
            self.state.answer(request);
            if busy_poll.polls(now) {
                std::hint::spin_loop();
                continue;
            }
            affinity.release(now, self.backlog.rings().socket());
            if let Err(errno) = self.wait() {
                self.state.fail(|| format!("its thread cannot wait: {errno}"));
                return;
            }
        }
    }

    /// Moves the frames that are there. Returns whether there were any.
    fn round(&mut self, now: Instant) -> bool {
        let Self { state, backlog, delayed, lateness, sender, outlet, fates, long, full, .. } =
            self;
        let socket = Arc::clone(backlog.rings().socket());
        let mut outgoing: Vec<Outgoing<'_>> = Vec::with_capacity(BATCH);
        if delayed.next().is_some_and(|at| at <= now) {
            let spliced = state.spliced();
            let due = std::iter::from_fn(|| {
                let at = delayed.next()?;
                let frame = delayed.due(now)?;
                lateness.note(frame.pair.link_end, now - at, at - frame.since);
                Some(frame)
            });
            outgoing.extend(due.map(|frame| frame.outgoing(&spliced)));
        }
        let counted = backlog.rings().counts_long();
        let arrivals = backlog.arrivals(BATCH);
        if outgoing.is_empty() && arrivals.is_empty() {
            return false;
        }
        // Read after all of them have arrived, so that none is sent too early.
        let now = Instant::now();
        let mut decided = 0;
        {
            // Under the lock, so that a stage that was replaced is not asked any more.
            let spliced = state.spliced();
            for arrival in arrivals {
                decided += 1;
                let Some((pair, direction)) = HiddenPair::with_device(arrival.device) else {
                    continue;
                };
                *full = full.saturating_add(u32::from(
                    arrival.frame.as_ref().is_some_and(|it| it.len() > FULL),
                ));
                if arrival.frame.is_none() && !counted {
                    state.lost.fetch_add(1, Ordering::Relaxed);
                }
                let mut pass = Pass { state, pair, direction, now, outlet, fates };
                pass.decide(spliced.get(&pair.link_end), arrival, &mut outgoing, delayed);
                if now.elapsed() > ROUND {
                    break;
                }
            }
        }
        // Before the frames are sent, so that no node can have acted on one that has no fate.
        if let Some(fates) = fates {
            fates.flush();
        }
        send(sender, &socket, &outgoing, state);
        drop(outgoing);
        backlog.finish(decided);
        if *full >= MANY && long.is_wanted() {
            long.make(state, &socket);
        }
        true
    }

    /// Waits until a frame arrives, a delayed frame is due, or a caller wakes the thread.
    fn wait(&self) -> nix::Result<()> {
        let socket = self.backlog.rings().socket();
        let mut waiting = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.wakeups.as_fd(), PollFlags::POLLIN),
        ];
        let left = self.delayed.next().map(|at| at.saturating_duration_since(Instant::now()));
        match ppoll(&mut waiting, left.map(TimeSpec::from), None) {
            Ok(_) if waiting[1].any() == Some(true) => {
                nix::unistd::read(&self.wakeups, &mut [0; 64]).map(drop)
            }
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

/// Sends frames, in order.
fn send(
    sender: &mut Sender,
    socket: &PacketSocket,
    mut frames: &[Outgoing<'_>],
    state: &WireState,
) {
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
            // The buffer empties as the kernel processes frames: the devices of link ends
            // have no qdisc.
            Errno::EAGAIN if !waited => {
                let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
                let limit = TimeSpec::from(DRAINING);
                waited = ppoll(&mut waiting, Some(limit), None) != Err(Errno::EINTR);
                continue;
            }
            // The link is down or removed: no frame passes.
            Errno::ENETDOWN | Errno::ENXIO | Errno::ENODEV => {}
            // The node cannot keep up, as on any link.
            Errno::ENOBUFS if HiddenPair::with_device(first.device).is_none() => {}
            Errno::ENOBUFS | Errno::EAGAIN | Errno::ENOMEM => {
                state.lost.fetch_add(1, Ordering::Relaxed);
            }
            errno => state.fail(|| {
                let (length, device) = (first.frame.len(), first.device);
                format!("a frame of {length} bytes cannot be sent on interface #{device}: {errno}")
            }),
        }
        frames = &frames[1..];
        waited = false;
    }
}

/// A frame that is delayed. Its device is chosen when it is sent.
#[derive(Debug)]
struct Delayed {
    since: Instant,
    pair: HiddenPair,
    direction: Direction,
    offloads: Offloads,
    frame: Vec<u8>,
}

impl Delayed {
    fn outgoing(self, spliced: &LiteMap<u32, SplicedEnd>) -> Outgoing<'static> {
        let Self { pair, direction, offloads, frame, .. } = self;
        outgoing(spliced.get(&pair.link_end), (pair, direction), offloads, Cow::Owned(frame))
    }
}

/// A frame with the device and the mark to send it with.
fn outgoing<'f>(
    spliced: Option<&SplicedEnd>,
    (pair, direction): (HiddenPair, Direction),
    offloads: Offloads,
    frame: Cow<'f, [u8]>,
) -> Outgoing<'f> {
    let fits = |to: &Option<MacAddr>| to.is_none_or(|to| frame.starts_with(&to.octets()));
    let fast_path = match direction {
        Direction::Egress => spliced.and_then(|end| end.fast_paths.iter().find(|(to, _)| fits(to))),
        Direction::Ingress => None,
    };
    let device = fast_path.map_or(pair.sends_on(direction), |(_, device)| *device);
    Outgoing { device, mark: pair.mark(direction), offloads, frame }
}

/// Where a frame meets a stage, and when.
struct Pass<'a> {
    state: &'a WireState,
    pair: HiddenPair,
    direction: Direction,
    now: Instant,
    outlet: &'a mut Outlet,
    fates: &'a mut Option<FateLog>,
}

impl Pass<'_> {
    /// Lets a stage decide about a frame, and sends or delays what it lets through.
    fn decide<'f>(
        &mut self,
        spliced: Option<&SplicedEnd>,
        arrival: Arrival<'f>,
        sent: &mut Vec<Outgoing<'f>>,
        delayed: &mut TimerQueue<Delayed>,
    ) {
        let Arrival { time, mut offloads, frame, .. } = arrival;
        let Some(mut frame) = frame else {
            return;
        };
        if !can_be_described(offloads, &frame) {
            self.state.fail(|| {
                let link_end = self.pair.link_end;
                format!(
                    "a frame of a tunnel or of SCTP that is to be segmented arrived at the link end with index \
                     {link_end}, and the wire cannot forward it: switch segmentation offload of the tunnel off \
                     (`ethtool -K`)"
                )
            });
            return;
        }
        let Self { state, pair, direction, now, ref mut outlet, .. } = *self;
        let Some(SplicedEnd { stage, segments, .. }) = spliced else {
            sent.push(outgoing(None, (pair, direction), offloads, frame));
            return;
        };
        outlet.clear();
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let mut stage = lock(stage);
            if *segments && stage.needs_segments() {
                // It arrived before the hidden devices were switched to do it.
                if let Some(completed) = checksum::complete(offloads, &frame) {
                    (offloads, frame) = (Offloads::default(), Cow::Owned(completed));
                }
                if offloads.cuts() {
                    return false;
                }
            }
            let shown = Frame { bytes: &frame, segment_len: offloads.segment_len() };
            stage.pass(direction, shown, now, outlet);
            true
        }));
        match decided {
            Ok(true) => {}
            Ok(false) => {
                let device = pair.redirected_to(direction);
                sent.push(Outgoing { device, mark: 0, offloads, frame });
                return;
            }
            Err(panic) => {
                outlet.clear();
                state.fail(|| {
                    let what = panics::message(&*panic).unwrap_or("(no message)");
                    format!("a stage panicked at the link end with index {}: {what}", pair.link_end)
                });
            }
        }
        if let Some(fates) = &mut self.fates {
            fates.note((pair.link_end, direction), (time, &frame), outlet, now);
        }
        let mut send = |at, direction, offloads, frame: Cow<'f, [u8]>| {
            if at <= now {
                sent.push(outgoing(spliced, (pair, direction), offloads, frame));
            } else {
                let frame = frame.into_owned();
                delayed.push(at, Delayed { since: now, pair, direction, offloads, frame });
            }
        };
        for at in outlet.forward.drain(..) {
            send(at, direction, offloads, frame.clone());
        }
        for Emission { at, direction, frame, .. } in outlet.emissions.drain(..) {
            send(at, direction, Offloads::default(), Cow::Owned(frame));
        }
    }
}
