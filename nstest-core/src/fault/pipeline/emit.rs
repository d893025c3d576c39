//! Frames that a pipeline sends itself, and packets that it drops.

use std::time::{Duration, Instant};

use crate::fault::receipt::Receipt;
use crate::frame::kind::ControlKind;
use crate::frame::view::PacketView;
use crate::frame::{Affected, Direction, Emission, Outlet, PacketEffect, build};

/// Answers a packet with an RST, and sends one onward, after those packets that are already on
/// the link.
pub(super) fn emit_resets(
    out: &mut Outlet,
    (direction, view): (Direction, &PacketView<'_>),
    (at, delay): (Instant, Duration),
    onward: Option<Vec<u8>>,
    fault: Option<u32>,
) {
    emit_answer(out, at, direction, build::reset_answer(view), fault);
    if let Some(frame) = onward {
        emit(out, at + delay, direction, frame, Affected::by(fault, PacketEffect::Made));
    }
}

/// Answers a packet of this direction.
pub(super) fn emit_answer(
    out: &mut Outlet,
    at: Instant,
    direction: Direction,
    answer: Option<Vec<u8>>,
    fault: Option<u32>,
) {
    if let Some(answer) = answer {
        // A packet that `then` lets pass is not the one that is answered.
        if out.affected.last() == Some(&Affected::by(fault, PacketEffect::Dropped)) {
            out.note(fault, PacketEffect::Answered);
        }
        emit(out, at, direction.reverse(), answer, Affected::by(fault, PacketEffect::Made));
    }
}

pub(super) fn emit(
    out: &mut Outlet,
    at: Instant,
    direction: Direction,
    frame: Vec<u8>,
    affected: Affected,
) {
    out.emissions.push(Emission { at, direction, frame, affected });
}

/// Counts a packet that is lost.
pub(super) fn count_lost(
    receipt: &Receipt,
    (view, control): (&PacketView<'_>, Option<ControlKind>),
) {
    if control != Some(ControlKind::Unsolicited) {
        receipt.count(view);
    }
}
