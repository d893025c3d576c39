//! The socket that records from the moment that it has a ring.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::capture::RING;
use super::queues::{SeenAt, recorded};
use crate::evidence::packets::RecordedFrame;
use crate::sys::packet::{BlockRing, DeferredClose, PacketSocket};
use crate::sys::thread::spawn;

/// A socket that records.
#[derive(Debug)]
pub(super) struct RingReader {
    ring: BlockRing,
    /// The next block that the kernel gives away.
    next: usize,
    socket: PacketSocket,
    seen_at: SeenAt,
    /// The last field: it is dropped after the ring and the socket.
    _deferred: Option<DeferredClose>,
}

impl RingReader {
    /// Gives the socket a ring, which waits for RCU, and has it record. `wakes` becomes
    /// readable with each block that the kernel gives away: polling the socket itself would
    /// report a block that was read before.
    fn start(socket: PacketSocket, seen_at: SeenAt, wakes: &Epoll) -> nix::Result<Self> {
        RING.request(&socket)?;
        let ring = BlockRing::map(socket.as_fd(), RING)?;
        socket.bind()?;
        wakes.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1))?;
        let deferred = DeferredClose::of(&socket).ok();
        Ok(Self { ring, next: 0, socket, seen_at, _deferred: deferred })
    }

    /// Takes the frames of all blocks that the kernel has given away.
    pub(super) fn take(&mut self, mut take: impl FnMut(RecordedFrame)) {
        while self.ring.is_full(self.next) {
            self.frames(&mut take);
            self.ring.release(self.next);
            self.next = (self.next + 1) % RING.count;
        }
    }

    /// Takes the frames of the next block, as far as they are complete.
    fn frames(&self, take: &mut impl FnMut(RecordedFrame)) {
        let captured = self.ring.frames(self.next);
        captured.iter().for_each(|captured| take(recorded(captured, self.seen_at)));
    }

    /// Takes also the frames of the block that the kernel fills. Returns how many frames the
    /// kernel could not put into the ring.
    pub(super) fn finish(&mut self, mut take: impl FnMut(RecordedFrame)) -> u64 {
        self.take(&mut take);
        self.frames(&mut take);
        self.socket.dropped().map_or(0, u64::from)
    }
}

/// Starts the socket in a thread of its own, which passes the result on to `started`.
pub(super) fn start_in_thread(
    socket: PacketSocket,
    seen_at: SeenAt,
    wakes: Arc<Epoll>,
    started: impl FnOnce(nix::Result<RingReader>) + Send + 'static,
) -> io::Result<()> {
    spawn("nstest recorder", move || started(RingReader::start(socket, seen_at, &wakes))).map(drop)
}
