//! Keeps the wire's thread on one processor while its frames are under way.
//!
//! The kernel queues what is sent on a veth by processor (enqueue_to_backlog,
//! net/core/dev.c). A thread that continues on another processor would overtake its own
//! frames. So it stays while any frame waits. Otherwise the scheduler may move it.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use crate::sys::packet::PacketSocket;

/// How long the thread stays at least: each change takes two system calls.
const STAY: Duration = Duration::from_millis(5);

/// The calling thread.
const SELF: Pid = Pid::from_raw(0);

#[derive(Debug)]
pub(super) struct CpuAffinity {
    /// Where the thread may run; `None` if it cannot be bound to a processor.
    allowed: Option<CpuSet>,
    held: bool,
    since: Instant,
}

impl CpuAffinity {
    pub(super) fn new() -> Self {
        let allowed = sched_getaffinity(SELF).ok();
        Self { allowed, held: false, since: Instant::now() }
    }

    /// Binds the thread to its present processor. If the kernel refuses that, frames are
    /// reordered when the scheduler moves the thread, which is rare.
    pub(super) fn hold(&mut self, now: Instant) {
        if self.held || self.allowed.is_none() {
            return;
        }
        let mut one = CpuSet::new();
        let here = sched_getcpu().and_then(|cpu| one.set(cpu));
        match here.and_then(|()| sched_setaffinity(SELF, &one)) {
            Ok(()) => (self.held, self.since) = (true, now),
            Err(_) => self.allowed = None,
        }
    }

    /// Lets the scheduler move the thread, if all frames that it sent have arrived.
    pub(super) fn release(&mut self, now: Instant, socket: &PacketSocket) {
        let Some(allowed) = &self.allowed else { return };
        let settled = || matches!(socket.unsent(), Ok(0));
        if self.held && now.duration_since(self.since) > STAY && settled() {
            self.held = sched_setaffinity(SELF, allowed).is_err();
        }
    }
}
