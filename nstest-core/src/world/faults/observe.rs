//! What the runner asks of a world's faults, and is told in the end.

use std::sync::{Arc, Mutex, PoisonError};

use super::FaultId;
use crate::error::Result;
use crate::fault::pipeline::Pipeline;
use crate::fault::traffic::Traffic;
use crate::fault::{FaultEffect, Plan, Receipt};
use crate::frame::Direction;
use crate::topology::spec::{LinkEnd, LinkEndId};
use crate::world::network::Network;

/// Every packet of a test that is a point, in the order in which they came: the
/// point, and the packet in words.
pub(in crate::world) type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// Every link is looked at.
#[derive(Debug, Default)]
pub(super) struct Census {
    seen: Seen,
    links: Vec<LinkEnd>,
}

impl Network {
    /// Looks at every link from now on, those that come later included.
    pub(in crate::world) fn take_census(&mut self) -> Result<()> {
        self.faults.census = Some(Census::default());
        self.faults.traffic.get_or_insert_default();
        self.observe_links()
    }

    /// Looks at the links that nobody has looked at yet. A packet is told once: on
    /// a LAN where it leaves its node, between two nodes at the one end where things
    /// happen to the cable.
    pub(super) fn observe_links(&mut self) -> Result<()> {
        let Some(census) = &self.faults.census else { return Ok(()) };
        let (seen, known) = (Arc::clone(&census.seen), census.links.clone());
        let spec = self.topology.spec();
        let all = spec.nodes().flat_map(|(id, _)| spec.links_of(id));
        let new: Vec<(LinkEnd, bool)> = all
            .filter(|end| spec.principal(*end) == *end && !known.contains(end))
            .map(|end| (end, spec.opposite(end).is_some()))
            .collect();
        for (end, is_cable) in new {
            let seen = Arc::clone(&seen);
            self.port(end)?.set_census(Some(Box::new(move |direction, packet, point| {
                if is_cable || direction == Direction::Egress {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push((point.to_string(), packet.to_string()));
                }
            })));
            self.fabric.refresh(end.port)?;
            if let Some(census) = &mut self.faults.census {
                census.links.push(end);
            }
        }
        Ok(())
    }

    /// A new port, of whose traffic note is taken if somebody wants to know.
    pub(super) fn watched(&self, at: LinkEndId, mut port: Pipeline) -> Pipeline {
        if let Some(traffic) = &self.faults.traffic {
            port.set_traffic(Arc::clone(traffic), at);
        }
        port
    }

    /// What tells when the traffic has come to rest, where anybody wants to know; and
    /// what the faults of the plan have affected.
    pub(in crate::world) fn traffic(&self) -> Option<(Arc<Traffic>, Vec<Receipt>)> {
        let traffic = Arc::clone(self.faults.traffic.as_ref()?);
        let planned = self.faults.planned.iter().filter_map(|id| self.faults.injected.get(id));
        Some((traffic, planned.map(|injected| injected.receipt.clone()).collect()))
    }

    /// What the census has seen.
    pub(in crate::world) fn seen(&self) -> Vec<(String, String)> {
        let Some(census) = &self.faults.census else { return Vec::new() };
        census.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The seed of everything random; before the first fault.
    pub(in crate::world) fn set_seed(&mut self, seed: u64) {
        self.faults.seed = seed;
    }

    pub(in crate::world) fn seed(&self) -> u64 {
        self.faults.seed
    }

    /// Whether anything was decided by chance.
    pub(in crate::world) fn is_random(&self) -> bool {
        let effects = self.faults.injected.values().map(|injected| injected.fault.effect());
        effects.into_iter().any(|effect| match effect {
            FaultEffect::Condition(condition) => condition.is_random(),
            FaultEffect::Action(action) => action.is_random(),
            FaultEffect::Down | FaultEffect::Partition(_) => false,
        })
    }

    /// Registers the plan that the test runs under.
    pub(in crate::world) fn plan(&mut self, plan: &Plan) -> Result<()> {
        self.faults.traffic.get_or_insert_default();
        let ids = self.await_links(plan)?;
        self.faults.planned.extend(ids);
        Ok(())
    }

    /// Whether every fault of the plan has affected a packet, and the first one that
    /// a rule of it has; `None` without a plan.
    pub(in crate::world) fn planned(&mut self) -> Option<(bool, Option<String>)> {
        let planned = self.faults.planned.clone();
        let unmet = planned.iter().filter(|id| self.is_unmet(**id)).count();
        let first = |id: &FaultId| self.faults.injected.get(id)?.receipt.first().map(String::from);
        (!planned.is_empty()).then(|| (unmet == 0, planned.iter().find_map(first)))
    }

    /// The faults that the test declared, and that never affected a packet.
    pub(in crate::world) fn unmet(&mut self) -> Vec<String> {
        let all = self.faults.injected.keys().copied();
        let declared: Vec<_> = all.filter(|id| !self.faults.planned.contains(id)).collect();
        let unmet = declared.into_iter().filter(|id| self.is_unmet(*id)).collect::<Vec<_>>();
        unmet.into_iter().map(|id| self.faults.get(id).receipt.fault().to_owned()).collect()
    }

    /// As it stands when the wire has settled. A pulled cable is exempt: nothing reaches
    /// the far end of it.
    fn is_unmet(&mut self, id: FaultId) -> bool {
        let affected = self.counted(id) > 0;
        let injected = self.faults.get(id);
        let untriggered = injected.trigger.as_ref().is_some_and(|(_, it)| it.affected() == 0);
        let exempt = matches!(injected.fault.effect(), FaultEffect::Down)
            && !injected.awaited
            && !untriggered;
        !(affected || exempt || injected.receipt.is_optional())
    }

    /// What went wrong where nobody could be told.
    pub(in crate::world) fn fault_failures(&self) -> Vec<String> {
        let wire = self.fabric.wire_failure();
        self.faults.failures.iter().cloned().chain(wire).collect()
    }
}
