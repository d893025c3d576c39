//! Cuts and black holes: directions in which everything is dropped.

use super::RuleId;
use crate::fault::receipt::Receipt;
use crate::frame::Direction;
use crate::frame::kind::ControlKind;

/// The cut and the black holes of a link, each with the rule that caused it.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    both_directions: Option<(RuleId, Receipt)>,
    black_holes: [Option<(RuleId, Receipt)>; 2],
}

impl Cuts {
    pub(super) fn cut(&mut self, by: RuleId, receipt: Receipt) {
        self.both_directions = Some((by, receipt));
    }

    pub(super) fn blackhole(&mut self, direction: Direction, by: RuleId, receipt: Receipt) {
        self.black_holes[super::index(direction)] = Some((by, receipt));
    }

    /// Whether a rule has cut the link, and the directions of its black holes.
    pub(super) fn of(&self, rule: RuleId) -> (bool, Vec<Direction>) {
        let is_ours = |cut: &Option<(RuleId, Receipt)>| cut.iter().any(|(by, _)| *by == rule);
        let holes = Direction::BOTH.into_iter();
        let holes = holes.filter(|it| is_ours(&self.black_holes[super::index(*it)]));
        (is_ours(&self.both_directions), holes.collect())
    }

    /// Ends those of a rule.
    pub(super) fn remove(&mut self, rule: RuleId) {
        for cut in self.black_holes.iter_mut().chain([&mut self.both_directions]) {
            cut.take_if(|(by, _)| *by == rule);
        }
    }

    /// The receipt of what drops a packet, if anything does. Black holes do not drop control
    /// traffic. What the rule `followed_by` caused comes after the datagram that the packet
    /// is a fragment of.
    pub(super) fn dropping(
        &self,
        direction: Direction,
        control: Option<ControlKind>,
        followed_by: Option<RuleId>,
    ) -> Option<&Receipt> {
        let black_hole = self.black_holes[super::index(direction)].as_ref();
        let mut cuts = self.both_directions.iter().chain(black_hole.filter(|_| control.is_none()));
        let (_, receipt) = cuts.find(|(by, _)| followed_by != Some(*by))?;
        Some(receipt)
    }
}
