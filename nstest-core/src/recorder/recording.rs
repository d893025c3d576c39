//! The parent's side: copies frames out of the ring, and keeps the newest of each link end.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::capture::RING;
use super::channel::{Content, DescriptorReceiver};
use crate::evidence::packets::RecordedFrame;
use crate::evidence::timeline::Entry;
use crate::evidence::verdicts::WireVerdict;
use crate::sys::packet::{BlockRing, Captured, DeferredClose, PacketSocket};

/// How many bytes are kept of each link end, and of all of them.
const OF_LINK_END: usize = 1 << 20;
const OF_ALL: usize = 16 << 20;

/// What a frame costs beside its bytes.
const OVERHEAD: usize = size_of::<RecordedFrame>();

/// What a test records: nothing, until its network is built.
#[derive(Debug)]
pub(crate) struct Recorder {
    channel: DescriptorReceiver,
    recording: Option<Recording>,
    log: Option<File>,
    fates: Option<File>,
}

/// What was recorded of a test.
#[derive(Debug, Default)]
pub(crate) struct RecorderOutput {
    /// In the order of their time.
    pub(crate) entries: Vec<Entry>,
    pub(crate) frames: Vec<RecordedFrame>,
    /// How many older frames of each link end were dropped.
    pub(crate) dropped: BTreeMap<u32, u64>,
    /// How many frames the kernel could not put into the ring.
    pub(crate) missed: u64,
    /// What the wire did to frames, in the order of its decisions.
    pub(crate) verdicts: Vec<WireVerdict<'static>>,
    /// How many older of these were overwritten.
    pub(crate) overwritten: u64,
}

impl Recorder {
    /// Of a test with this end of its channel.
    pub(crate) fn of(channel: DescriptorReceiver) -> Self {
        Self { channel, recording: None, log: None, fates: None }
    }

    /// What becomes readable when there is something to [`take`](Self::take).
    pub(crate) fn poll_fd(&self) -> BorrowedFd<'_> {
        self.recording.as_ref().map_or(self.channel.poll_fd(), Recording::poll_fd)
    }

    /// Takes what there is.
    pub(crate) fn take(&mut self) {
        while let Some((content, descriptor)) = self.channel.receive() {
            match content {
                Content::Packets => self.recording = Recording::of(descriptor.into()).ok(),
                Content::Log => self.log = Some(File::from(descriptor)),
                Content::Fates => self.fates = Some(File::from(descriptor)),
            }
        }
        if let Some(recording) = &mut self.recording {
            recording.take();
        }
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
        let mut recorded = RecorderOutput { entries: self.entries(), ..Default::default() };
        let verdicts = content(self.fates.as_ref());
        (recorded.verdicts, recorded.overwritten) = WireVerdict::decode_all(&verdicts);
        if let Some(recording) = &mut self.recording {
            recording.finish(&mut recorded);
        }
        recorded
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
    ring: BlockRing,
    /// The next block that the kernel gives away.
    next: usize,
    /// Becomes readable with each such block. Polling the socket itself would report a block
    /// that was read before.
    blocks: Epoll,
    socket: PacketSocket,
    kept: BTreeMap<u32, FrameQueue>,
    bytes: usize,
}

/// What is kept of a link end.
#[derive(Debug, Default)]
struct FrameQueue {
    frames: VecDeque<RecordedFrame>,
    bytes: usize,
    /// How many older ones were dropped.
    dropped: u64,
}

impl Recording {
    /// Of a packet socket of the body, which records already.
    fn of(socket: PacketSocket) -> nix::Result<Self> {
        let ring = BlockRing::map(socket.as_fd(), RING)?;
        let blocks = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let arrives = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
        blocks.add(&socket, arrives)?;
        let (kept, bytes) = (BTreeMap::new(), 0);
        Ok(Self { ring, next: 0, blocks, socket, kept, bytes })
    }

    /// What becomes readable when there is a block to [`take`](Self::take).
    fn poll_fd(&self) -> BorrowedFd<'_> {
        self.blocks.0.as_fd()
    }

    /// Copies the frames of all blocks that the kernel has given away.
    fn take(&mut self) {
        // The event has to be read, or the descriptor stays readable.
        let _ = self.blocks.wait(&mut [EpollEvent::empty()], EpollTimeout::ZERO);
        while self.ring.is_full(self.next) {
            for captured in self.ring.frames(self.next) {
                keep(&mut self.kept, &mut self.bytes, &captured);
            }
            self.ring.release(self.next);
            self.next = (self.next + 1) % RING.count;
        }
        while self.bytes > OF_ALL {
            let Some(largest) = self.kept.values_mut().max_by_key(|kept| kept.bytes) else {
                return;
            };
            self.bytes -= largest.drop_oldest();
        }
    }

    /// Moves out all frames that are kept, in the order of their time. The kernel has not
    /// given away the last block, but no process is left that sends.
    fn finish(&mut self, recorded: &mut RecorderOutput) {
        self.take();
        for captured in self.ring.frames(self.next) {
            keep(&mut self.kept, &mut self.bytes, &captured);
        }
        for (link_end, kept) in std::mem::take(&mut self.kept) {
            recorded.frames.extend(kept.frames);
            if kept.dropped > 0 {
                recorded.dropped.insert(link_end, kept.dropped);
            }
        }
        recorded.frames.sort_by_key(|frame| frame.time);
        recorded.missed = self.socket.dropped().map_or(0, u64::from);
    }
}

impl Drop for Recording {
    /// Leaves it to the kernel to close the socket, which waits for RCU.
    fn drop(&mut self) {
        let _ = DeferredClose::of(&self.socket);
    }
}

impl FrameQueue {
    /// Returns the bytes that it took.
    fn drop_oldest(&mut self) -> usize {
        let Some(oldest) = self.frames.pop_front() else { return 0 };
        let bytes = oldest.frame.len() + OVERHEAD;
        self.bytes -= bytes;
        self.dropped += 1;
        bytes
    }
}

fn keep(kept: &mut BTreeMap<u32, FrameQueue>, total: &mut usize, captured: &Captured<'_>) {
    let frame = tagged(captured);
    let bytes = frame.len() + OVERHEAD;
    let of = kept.entry(captured.device).or_default();
    of.frames.push_back(RecordedFrame {
        link_end: captured.device,
        to_node: captured.sent,
        time: captured.time,
        length: captured.length,
        frame,
    });
    of.bytes += bytes;
    *total += bytes;
    while of.bytes > OF_LINK_END {
        *total -= of.drop_oldest();
    }
}

/// The frame with the VLAN tag that the kernel keeps beside it.
fn tagged(captured: &Captured<'_>) -> Box<[u8]> {
    const ADDRESSES: usize = 12;
    match (captured.tag, captured.frame.split_at_checked(ADDRESSES)) {
        (Some((protocol, value)), Some((addresses, rest))) => {
            [addresses, &protocol.to_be_bytes(), &value.to_be_bytes(), rest].concat().into()
        }
        _ => captured.frame.into(),
    }
}
