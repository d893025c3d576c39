//! Frames that a pipeline sends itself.

use std::time::{Duration, Instant};

use crate::frame::view::PacketView;
use crate::frame::{Direction, Emission, Outlet, build};

/// Answers a packet with an RST, and sends one onward, after those packets that are already on
/// the link.
pub(super) fn emit_resets(
    out: &mut Outlet,
    (direction, view): (Direction, &PacketView<'_>),
    (at, delay): (Instant, Duration),
    onward: Option<Vec<u8>>,
) {
    emit(out, at, direction.reverse(), build::reset_answer(view));
    emit(out, at + delay, direction, onward);
}

pub(super) fn emit(out: &mut Outlet, at: Instant, direction: Direction, frame: Option<Vec<u8>>) {
    out.emissions.extend(frame.map(|frame| Emission { at, direction, frame }));
}
