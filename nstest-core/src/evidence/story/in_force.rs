//! What kinds of faults there were, when they were in force, and what they do to interfaces.

use std::time::Duration;

use super::KnownFault;
use crate::fault::{FaultEffect, FaultTarget};

impl KnownFault {
    pub(crate) fn effect(&self) -> Option<&FaultEffect> {
        self.fault.as_ref().map(|fault| &fault.effect)
    }

    pub(crate) fn is_partition(&self) -> bool {
        matches!(self.effect(), Some(FaultEffect::Partition(_)))
    }

    pub(crate) fn is_condition(&self) -> bool {
        matches!(self.effect(), Some(FaultEffect::Condition(_)))
    }

    /// Whether it was in force when the test failed.
    pub(crate) fn is_in_force(&self) -> bool {
        self.in_force.last().is_some_and(|(_, end)| end.is_none())
    }

    /// Whether it was in force at a time.
    pub(crate) fn was_in_force(&self, time: Duration) -> bool {
        let mut intervals = self.in_force.iter();
        intervals.any(|(start, end)| *start <= time && end.is_none_or(|end| time <= end))
    }

    /// What it does to an interface, if it is in force there: `down`, `impaired`.
    pub(crate) fn state_of(&self, node: &str, interface: &str) -> Option<String> {
        let fault = self.fault.as_ref().filter(|_| self.is_in_force())?;
        let is_there = match &fault.target {
            FaultTarget::Link { node: own, interface: None } => own == node,
            FaultTarget::Link { node: own, interface: Some(on) } => own == node && on == interface,
            FaultTarget::Net => true,
        };
        let state = match &fault.effect {
            FaultEffect::Partition(partition) => {
                return partition.nodes().contains(node).then(|| "partitioned".to_owned());
            }
            FaultEffect::Down => "down".to_owned(),
            FaultEffect::Condition(_) => "impaired".to_owned(),
            FaultEffect::Action(_) => format!("fault {}", self.number),
        };
        is_there.then_some(state)
    }
}
