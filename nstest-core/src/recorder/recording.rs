//! The parent's side: copies frames out of the sockets, and keeps the newest of each link end.
//!
//! A test begins with a socket without a ring. Its frames are read one by one. When some
//! have come, the socket with the ring takes over. A test without traffic needs no ring.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use litemap::LiteMap;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::channel::{Content, DescriptorReceiver};
use super::early::Early;
use super::queues::{FrameQueues, SeenAt};
use super::ring::{RingReader, start_in_thread};
use crate::evidence::packets::RecordedFrame;
use crate::evidence::timeline::Entry;
use crate::evidence::verdicts::WireVerdict;
use crate::sys::packet::{DeferredClose, PacketSocket};

/// After this many frames, a ring is worth its cost.
const FEW: usize = 64;

/// The most bytes of TLS secrets, the start of them.
const MOST_SECRETS: usize = 1 << 20;

/// What a test records: nothing, until its network is built.
#[derive(Debug)]
pub(crate) struct Recorder {
    channel: DescriptorReceiver,
    recordings: Vec<Recording>,
    log: Option<File>,
    fates: Option<File>,
    secrets: Option<File>,
}

/// What was recorded of a test.
#[derive(Debug, Default)]
pub(crate) struct RecorderOutput {
    /// In the order of their time.
    pub(crate) entries: Vec<Entry>,
    pub(crate) frames: Vec<RecordedFrame>,
    /// How many older frames of each link end were dropped.
    pub(crate) dropped: LiteMap<u32, u64>,
    /// How many frames came faster than they could be recorded.
    pub(crate) missed: u64,
    /// What the wire did to frames, in the order of its decisions.
    pub(crate) verdicts: Vec<WireVerdict<'static>>,
    /// How many older of these were overwritten.
    pub(crate) overwritten: u64,
    /// What TLS libraries have written into the file of their secrets.
    pub(crate) secrets: Vec<u8>,
}

impl Recorder {
    /// Of a test with this end of its channel.
    pub(crate) fn of(channel: DescriptorReceiver) -> Self {
        Self { channel, recordings: Vec::new(), log: None, fates: None, secrets: None }
    }

    /// What becomes readable when there are packets to [`take`](Self::take). The rest can wait.
    pub(crate) fn poll_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let at_link_ends = |it: &Recording| it.seen_at == SeenAt::LinkEnds;
        let starts = !self.recordings.iter().any(at_link_ends);
        let channel = self.channel.poll_fd().filter(|_| starts);
        channel.into_iter().chain(self.recordings.iter().map(|it| it.wakes.0.as_fd()))
    }

    /// Takes what there is.
    pub(crate) fn take(&mut self) {
        while let Some((content, descriptors)) = self.channel.receive() {
            let mut descriptors = descriptors.into_iter();
            match (content, descriptors.next(), descriptors.next()) {
                (Content::Packets, Some(early), Some(other)) => {
                    self.start(early.into(), other.into(), SeenAt::LinkEnds);
                }
                (Content::Loopback, Some(early), Some(other)) => {
                    self.start(early.into(), other.into(), SeenAt::Loopback);
                }
                (Content::Log, Some(file), _) => self.log = Some(File::from(file)),
                (Content::Fates, Some(file), _) => self.fates = Some(File::from(file)),
                (Content::Secrets, Some(file), _) => self.secrets = Some(File::from(file)),
                _ => {}
            }
        }
        self.recordings.iter_mut().for_each(Recording::take);
    }

    fn start(&mut self, early: PacketSocket, other: PacketSocket, seen_at: SeenAt) {
        self.recordings.extend(Recording::of(early, other, seen_at));
    }

    /// The events that the body has logged until now.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let log = content(self.log.as_ref());
        let mut rest = log.as_slice();
        std::iter::from_fn(|| Entry::decode(&mut rest)).collect()
    }

    /// All that was recorded. To be called when the body is dead.
    pub(crate) fn finish(&mut self) -> RecorderOutput {
        self.take();
        let mut output = RecorderOutput { entries: self.entries(), ..Default::default() };
        output.secrets = content(self.secrets.as_ref());
        output.secrets.truncate(MOST_SECRETS);
        let verdicts = content(self.fates.as_ref());
        (output.verdicts, output.overwritten) = WireVerdict::decode_all(&verdicts);
        for recording in std::mem::take(&mut self.recordings) {
            recording.finish(&mut output);
        }
        output.frames.sort_by_key(|frame| frame.time);
        output
    }
}

/// What a file has, as far as it can be read.
fn content(file: Option<&File>) -> Vec<u8> {
    let mut content = Vec::new();
    if let Some(mut file) = file {
        // The body has written through the same description, and so moved its position.
        let _ = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut content));
    }
    content
}

/// The newest frames of a test's network.
#[derive(Debug)]
struct Recording {
    seen_at: SeenAt,
    /// Until the ring has recorded a frame.
    early: Option<Early>,
    ring: RingState,
    kept: FrameQueues,
    missed: u64,
    /// Readable when there is something to take.
    wakes: Arc<Epoll>,
}

/// The socket with the ring.
#[derive(Debug)]
enum RingState {
    /// It has no ring.
    Idle(Option<PacketSocket>),
    /// A thread gives it one.
    Starting(Receiver<nix::Result<RingReader>>),
    Ready(RingReader),
}

impl Recording {
    /// Of two packet sockets of the body. The first one captures already.
    fn of(early: PacketSocket, other: PacketSocket, seen_at: SeenAt) -> nix::Result<Self> {
        let wakes = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        wakes.add(&early, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        Ok(Self {
            seen_at,
            early: Some(Early::of(early, seen_at)),
            ring: RingState::Idle(Some(other)),
            kept: FrameQueues::default(),
            missed: 0,
            wakes: Arc::new(wakes),
        })
    }

    fn take(&mut self) {
        // The events have to be read, or the descriptor stays readable.
        let _ = self.wakes.wait(&mut [EpollEvent::empty(); 2], EpollTimeout::ZERO);
        let few = self.early.as_mut().is_none_or(|early| early.take() < FEW);
        match &mut self.ring {
            RingState::Idle(socket) if !few => {
                if let Some(socket) = socket.take() {
                    self.start_ring(socket);
                }
            }
            RingState::Idle(_) => {}
            RingState::Starting(started) => {
                if let Ok(Ok(ring)) = started.try_recv() {
                    self.ring = RingState::Ready(ring);
                    self.take_ring();
                }
            }
            RingState::Ready(_) => self.take_ring(),
        }
    }

    fn start_ring(&mut self, socket: PacketSocket) {
        let (sender, receiver) = channel();
        // The test may have ended when the ring is there. Without one, the first socket goes on.
        let started = move |ring| drop(sender.send(ring));
        if start_in_thread(socket, self.seen_at, Arc::clone(&self.wakes), started).is_ok() {
            self.ring = RingState::Starting(receiver);
        }
    }

    /// Takes the blocks of the ring. The first frame in it ends the early ones.
    fn take_ring(&mut self) {
        let RingState::Ready(ring) = &mut self.ring else { return };
        let mut frames = Vec::new();
        ring.take(|frame| frames.push(frame));
        self.keep(frames);
    }

    fn keep(&mut self, frames: Vec<RecordedFrame>) {
        if let (Some(first), true) = (frames.first(), self.early.is_some()) {
            self.end_early(Some(first));
        }
        frames.into_iter().for_each(|frame| self.kept.push(frame));
    }

    fn end_early(&mut self, first: Option<&RecordedFrame>) {
        let Some(early) = self.early.take() else { return };
        let _ = self.wakes.delete(&early.socket);
        let (frames, missed) = early.finish(first);
        frames.into_iter().for_each(|frame| self.kept.push(frame));
        self.missed += missed;
    }

    /// Moves out all frames that are kept. The kernel has not given away the last block, but
    /// no process is left that sends.
    fn finish(mut self, output: &mut RecorderOutput) {
        self.take();
        if let RingState::Ready(ring) = &mut self.ring {
            let mut frames = Vec::new();
            let missed = ring.finish(|frame| frames.push(frame));
            self.keep(frames);
            self.missed += missed;
        }
        self.end_early(None);
        output.missed += self.missed;
        let (frames, dropped) = std::mem::take(&mut self.kept).finish();
        output.frames.extend(frames);
        output.dropped.extend(dropped);
    }
}

impl Drop for Recording {
    /// Leaves it to the kernel to close the sockets, which waits for RCU.
    fn drop(&mut self) {
        if let Some(early) = self.early.take() {
            DeferredClose::close(early.socket);
        }
        if let RingState::Idle(Some(socket)) =
            std::mem::replace(&mut self.ring, RingState::Idle(None))
        {
            DeferredClose::close(socket);
        }
    }
}
