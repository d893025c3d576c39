//! Which processor the engine sends from.
//!
//! The kernel queues what is sent on a veth by processor (enqueue_to_backlog,
//! net/core/dev.c). A thread that goes on to send from another one overtakes what
//! still waits at the first: so while anything waits, it stays where it is. Between
//! times it goes where the scheduler wants it.

use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;

use crate::sys::packet::PacketSocket;

/// How long it stays at least: choosing anew takes two system calls.
const STAY: Duration = Duration::from_millis(5);

/// The thread that it was made on.
const SELF: Pid = Pid::from_raw(0);

#[derive(Debug)]
pub(super) struct Processor {
    /// Where the thread may be; nothing if it cannot be held at all.
    allowed: Option<CpuSet>,
    held: bool,
    since: Instant,
}

impl Processor {
    pub(super) fn new() -> Self {
        let allowed = sched_getaffinity(SELF).ok();
        Self { allowed, held: false, since: Instant::now() }
    }

    /// Stays on the present one. Where that is refused, order is what the scheduler
    /// leaves of it, and nearly always kept all the same.
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

    /// May go elsewhere, if all that was sent has arrived.
    pub(super) fn release(&mut self, now: Instant, socket: &PacketSocket) {
        let Some(allowed) = &self.allowed else { return };
        let settled = || matches!(socket.unsent(), Ok(0));
        if self.held && now.duration_since(self.since) > STAY && settled() {
            self.held = sched_setaffinity(SELF, allowed).is_err();
        }
    }
}
