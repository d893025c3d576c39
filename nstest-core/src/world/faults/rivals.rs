//! Faults that are in each other's way.
//!
//! A cable between two nodes has two names, and the times of a fault count from its
//! own beginning: both have to be made one before two faults can be compared.

use std::time::Instant;

use super::FaultId;
use crate::error::Result;
use crate::fault::plan::{clash, conflict};
use crate::fault::{Fault, FaultEffect, FaultTarget};
use crate::frame::Direction;
use crate::topology::spec::LinkEndId;
use crate::world::network::Network;

/// One direction of a link, as it looks from where things happen to the link, and as
/// the fault has it.
type Lane = (LinkEndId, Direction, Direction);

impl Network {
    /// Whether a fault that begins then can be beside all that there are.
    pub(super) fn check_rivals(&self, fault: &Fault, since: Instant) -> Result<()> {
        let ours = self.by_principal(fault);
        for (_, present) in self.faults.present() {
            let theirs = self.by_principal(&present.fault);
            let mut ours = ours.clone();
            // One that waits, for its link or for a packet, may yet begin at any time.
            let waits = present.awaited || (present.trigger.is_some() && !present.on);
            if !waits {
                let at =
                    ours.schedule.at.saturating_add(since.saturating_duration_since(present.since));
                ours.schedule.at = at;
            }
            if let Some(why) = clash(&theirs, &ours) {
                return Err(conflict(&present.fault, fault, why));
            }
        }
        Ok(())
    }

    /// The same fault, by the name that its link has at its principal end.
    fn by_principal(&self, fault: &Fault) -> Fault {
        let mut fault = fault.clone();
        let Ok(ends) = self.ends_of(&fault) else { return fault };
        let ([end], FaultTarget::Link { .. }) = (ends.as_slice(), fault.target()) else {
            return fault;
        };
        let spec = self.topology.spec();
        let principal = spec.principal(*end);
        if let Some(name) = spec.link_name(principal) {
            fault.target = FaultTarget::from(name.as_str());
            if principal != *end {
                fault.direction = fault.direction.map(Direction::reverse);
            }
        }
        fault
    }

    /// What had the condition of these directions before has it no longer, and will
    /// not have it again.
    pub(super) fn make_way(&mut self, id: FaultId) -> Result<()> {
        let taken = self.lanes(id);
        let is_taken =
            |(port, direction, _): &Lane| taken.iter().any(|(p, d, _)| (p, d) == (port, direction));
        let others = self.faults.present().filter(|(other, injected)| {
            *other != id && matches!(injected.fault.effect(), FaultEffect::Condition(_))
        });
        let others: Vec<FaultId> = others.map(|(other, _)| other).collect();
        for other in others {
            let lanes = self.lanes(other);
            let left: Vec<&Lane> = lanes.iter().filter(|lane| !is_taken(lane)).collect();
            match left[..] {
                [] if !lanes.is_empty() => self.end(other)?,
                [(.., direction)] => self.faults.get(other).fault.direction = Some(*direction),
                _ => {}
            }
        }
        Ok(())
    }

    fn lanes(&mut self, id: FaultId) -> Vec<Lane> {
        let fault = self.faults.get(id).fault.clone();
        let directions = fault.direction.map_or(Direction::BOTH.to_vec(), |one| vec![one]);
        let ends = self.ends_of(&fault).unwrap_or_default();
        let spec = self.topology.spec();
        let lanes = ends.into_iter().flat_map(|end| {
            let principal = spec.principal(end);
            let as_there = move |direction: Direction| {
                if principal == end { direction } else { direction.reverse() }
            };
            directions.iter().map(move |own| (principal.port, as_there(*own), *own))
        });
        lanes.collect()
    }
}
