//! One direction of a link: random decisions, queue, rate and delay.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::emit::emit;
use crate::fault::condition::Condition;
use crate::fault::jitter::Jitter;
use crate::fault::random::{Class, Draw, Draws, Stream};
use crate::fault::rate::Rate;
use crate::fault::receipt::Receipt;
use crate::frame::build;
use crate::frame::view::PacketView;
use crate::frame::{Affected, Direction, Outlet, PacketEffect};

/// A direction with its condition, and the state that earlier packets left.
pub(super) struct Line {
    direction: Direction,
    pub(super) condition: Option<(Condition, Receipt)>,
    payload: Stream,
    control: Stream,
    /// The state of the Gilbert-Elliott chain.
    is_bad: bool,
    /// When the last frame in the queue has been sent.
    free: Option<Instant>,
    /// When each frame in the queue leaves it, in order.
    departures: VecDeque<Instant>,
}

/// The copies of a packet that are sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Copies {
    /// The number of copies in addition to the packet.
    pub(super) more: u32,
    /// How the packet is corrupted, if it is.
    pub(super) corrupt: Option<Corruption>,
}

/// The inversion of one bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corruption {
    /// The random number that selects the bit.
    pub(super) draw: u64,
    pub(super) fault: Option<u32>,
}

impl Line {
    pub(super) fn new(seed: u64, link: &str, direction: Direction) -> Self {
        let stream = |class| Stream::new(seed, link, direction, class);
        Self {
            direction,
            condition: None,
            payload: stream(Class::Payload),
            control: stream(Class::Control),
            is_bad: false,
            free: None,
            departures: VecDeque::new(),
        }
    }

    /// Replaces the condition.
    pub(super) fn set(&mut self, condition: Option<(Condition, Receipt)>) {
        let bursts =
            |it: &Option<(Condition, Receipt)>| it.as_ref().and_then(|(c, _)| c.burst_loss);
        if bursts(&condition) != bursts(&self.condition) {
            self.is_bad = false; // a chain starts in its good state
        }
        self.condition = condition;
    }

    /// The random numbers of the next packet. Each packet uses them up, even if it is dropped.
    /// Of a frame that is several packets, those of the first.
    pub(super) fn draws(&mut self, view: &PacketView<'_>, is_control: bool) -> Draws {
        let stream = if is_control { &mut self.control } else { &mut self.payload };
        stream.next_of(view.packets)
    }

    /// The delay of the condition, without jitter.
    pub(super) fn delay(&self) -> Duration {
        self.condition.as_ref().map_or(Duration::ZERO, |(condition, _)| condition.delay)
    }

    /// Sends a packet to which no condition applies.
    pub(super) fn carry_unconditionally(
        &self,
        view: &PacketView<'_>,
        copies: Copies,
        at: Instant,
        out: &mut Outlet,
    ) {
        for copy in 0..=copies.more {
            self.send(view, copies.corrupt.filter(|_| copy == 0), at, out);
        }
    }

    /// Applies the condition to a packet. `extra` is a delay that a rule adds. It does not
    /// delay packets that come later.
    pub(super) fn carry(
        &mut self,
        view: &PacketView<'_>,
        draws: Draws,
        mut copies: Copies,
        (now, extra): (Instant, Duration),
        out: &mut Outlet,
    ) {
        let Some((condition, receipt)) = self.condition.clone() else {
            return self.carry_unconditionally(view, copies, now + extra, out);
        };
        let fault = receipt.number();
        if self.loses(&condition, draws) {
            receipt.count(view);
            out.note(fault, PacketEffect::Dropped);
            return;
        }
        let mut is_affected = condition.delay != Duration::ZERO || condition.jitter.is_some();
        if condition.duplicate.hits(draws.bits(Draw::Duplicate)) {
            copies.more += 1;
            is_affected = true;
            out.note(fault, PacketEffect::Duplicated);
        }
        if condition.corrupt.hits(draws.bits(Draw::Corrupt)) {
            copies.corrupt = Some(Corruption { draw: draws.bits(Draw::CorruptBit), fault });
            is_affected = true;
        }
        for copy in 0..=copies.more {
            let Some(departure) = self.queue(&condition, view.frame.len(), now) else {
                is_affected = true;
                if copy == 0 {
                    out.note(fault, PacketEffect::Dropped);
                }
                continue;
            };
            is_affected |= condition.rate.is_some();
            let (reorder, jitter) = match copy {
                0 => (Draw::Reorder, Draw::Jitter),
                _ => (Draw::CopyReorder, Draw::CopyJitter),
            };
            let delay = if condition.reorder.hits(draws.bits(reorder)) {
                is_affected = true;
                if copy == 0 {
                    out.note(fault, PacketEffect::Reordered);
                }
                Duration::ZERO
            } else {
                let vary = |jitter: Jitter, draw| jitter.vary(condition.delay, draws.bits(draw));
                condition.jitter.map_or(condition.delay, |shape| vary(shape, jitter))
            };
            if copy == 0 {
                let delay = departure.saturating_duration_since(now) + delay;
                if delay != Duration::ZERO {
                    out.note_delay(fault, delay);
                }
            }
            let corrupt = copies.corrupt.filter(|_| copy == 0);
            self.send(view, corrupt, departure + delay + extra, out);
        }
        if is_affected {
            receipt.count(view);
        }
    }

    /// Whether the packet is lost.
    fn loses(&mut self, condition: &Condition, draws: Draws) -> bool {
        let mut is_lost = condition.loss.hits(draws.bits(Draw::Loss));
        if let Some(bursts) = condition.burst_loss {
            self.is_bad = bursts.step(self.is_bad, draws.bits(Draw::BurstState));
            is_lost |= bursts.loses(self.is_bad, draws.bits(Draw::BurstLoss));
        }
        is_lost
    }

    /// When a frame leaves the queue; `None` if the queue is full or the rate is 0.
    fn queue(&mut self, condition: &Condition, octets: usize, now: Instant) -> Option<Instant> {
        let Some(rate) = condition.rate else { return Some(now) };
        while self.departures.front().is_some_and(|departure| *departure <= now) {
            self.departures.pop_front();
        }
        let limit = condition.queue_limit.unwrap_or(Condition::DEFAULT_QUEUE_LIMIT);
        if self.departures.len() >= limit as usize {
            return None;
        }
        let start = self.free.map_or(now, |free| free.max(now));
        let departure = start.checked_add(Rate::time_for(rate, octets)?)?;
        self.free = Some(departure);
        self.departures.push_back(departure);
        Some(departure)
    }

    fn send(
        &self,
        view: &PacketView<'_>,
        corrupt: Option<Corruption>,
        at: Instant,
        out: &mut Outlet,
    ) {
        match corrupt {
            None => out.forward.push(at),
            Some(Corruption { draw, fault }) => {
                let affected = Affected::by(fault, PacketEffect::Changed);
                out.affected.push(affected);
                emit(out, at, self.direction, build::corrupted(view, draw), affected);
            }
        }
    }
}
