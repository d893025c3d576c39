//! One direction of a link.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::touch_lost;
use crate::fault::condition::Condition;
use crate::fault::random::{Class, Draw, Draws, Stream};
use crate::fault::rate::Rate;
use crate::fault::receipt::Receipt;
use crate::frame::build;
use crate::frame::kind::ControlKind;
use crate::frame::view::PacketView;
use crate::frame::{Direction, Emission, Outlet};

/// A direction: its condition, and what the packets before have left behind.
pub(super) struct Line {
    direction: Direction,
    pub(super) condition: Option<(Condition, Receipt)>,
    payload: Stream,
    control: Stream,
    /// The states of the Gilbert-Elliott chains: payload's, control's.
    is_bad: [bool; 2],
    /// When the link is free again.
    free: Option<Instant>,
    /// When those in the queue leave it, in order.
    departures: VecDeque<Instant>,
}

/// What goes on of a packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Copies {
    /// Beside the packet itself.
    pub(super) more: u32,
    /// The draw that chooses the bit, if the packet itself is to be corrupted.
    pub(super) corrupt: Option<u64>,
}

impl Line {
    pub(super) fn new(seed: u64, link: &str, direction: Direction) -> Self {
        let stream = |class| Stream::new(seed, link, direction, class);
        Self {
            direction,
            condition: None,
            payload: stream(Class::Payload),
            control: stream(Class::Control),
            is_bad: [false; 2],
            free: None,
            departures: VecDeque::new(),
        }
    }

    /// Begins with a condition, in place of the one before.
    pub(super) fn set(&mut self, condition: Option<(Condition, Receipt)>) {
        let bursts =
            |it: &Option<(Condition, Receipt)>| it.as_ref().and_then(|(c, _)| c.burst_loss);
        if bursts(&condition) != bursts(&self.condition) {
            self.is_bad = [false; 2]; // a chain begins in its good state
        }
        self.condition = condition;
    }

    /// The draws of the next packet. Each has its own, whatever becomes of it.
    pub(super) fn draws(&mut self, is_control: bool) -> Draws {
        if is_control { self.control.next() } else { self.payload.next() }
    }

    /// How long a packet is on its way at least, as things are.
    pub(super) fn length(&self) -> Duration {
        self.condition.as_ref().map_or(Duration::ZERO, |(condition, _)| condition.delay)
    }

    /// Sends a packet on, as the condition has it.
    pub(super) fn carry(
        &mut self,
        (view, control): (&PacketView<'_>, Option<ControlKind>),
        draws: Draws,
        mut copies: Copies,
        now: Instant,
        out: &mut Outlet,
    ) {
        let Some((condition, receipt)) = self.condition.clone() else {
            for copy in 0..=copies.more {
                self.send(view, copies.corrupt.filter(|_| copy == 0), now, out);
            }
            return;
        };
        if self.loses(&condition, control.is_some(), draws) {
            touch_lost(&receipt, control);
            return;
        }
        let mut is_touched = condition.delay != Duration::ZERO || condition.jitter.is_some();
        if condition.duplicate.takes(draws.bits(Draw::Duplicate)) {
            copies.more += 1;
            is_touched = true;
        }
        if condition.corrupt.takes(draws.bits(Draw::Corrupt)) {
            copies.corrupt = Some(draws.bits(Draw::CorruptBit));
            is_touched = true;
        }
        for copy in 0..=copies.more {
            let Some(departure) = self.queue(&condition, view.frame.len(), now) else {
                touch_lost(&receipt, control);
                continue;
            };
            is_touched |= condition.rate.is_some();
            let (reorder, jitter) = match copy {
                0 => (Draw::Reorder, Draw::Jitter),
                _ => (Draw::CopyReorder, Draw::CopyJitter),
            };
            let delay = if condition.reorder.takes(draws.bits(reorder)) {
                is_touched = true;
                Duration::ZERO
            } else {
                let vary = |jitter: crate::fault::jitter::Jitter, draw| {
                    jitter.vary(condition.delay, draws.bits(draw))
                };
                condition.jitter.map_or(condition.delay, |shape| vary(shape, jitter))
            };
            let corrupt = copies.corrupt.filter(|_| copy == 0);
            self.send(view, corrupt, departure + delay, out);
        }
        if is_touched && control.is_none() {
            receipt.touch();
        }
    }

    /// Whether the packet is lost. ControlKind has a burst chain of its own: it must not
    /// move that of payload, and would never get through if it were stuck in a bad
    /// state of it, since without a neighbour there is no payload.
    fn loses(&mut self, condition: &Condition, is_control: bool, draws: Draws) -> bool {
        let mut is_lost = condition.loss.takes(draws.bits(Draw::Loss));
        if let Some(bursts) = condition.burst_loss {
            let is_bad = &mut self.is_bad[usize::from(is_control)];
            *is_bad = bursts.step(*is_bad, draws.bits(Draw::BurstState));
            is_lost |= bursts.loses(*is_bad, draws.bits(Draw::BurstLoss));
        }
        is_lost
    }

    /// When a frame has left the queue and gone into the link; `None` if it never
    /// will, for a full queue or no speed at all.
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

    fn send(&self, view: &PacketView<'_>, corrupt: Option<u64>, at: Instant, out: &mut Outlet) {
        match corrupt {
            None => out.forward.push(at),
            Some(draw) => {
                let frame = build::corrupted(view, draw);
                out.emissions.push(Emission { at, direction: self.direction, frame });
            }
        }
    }
}
