//! Faults follow an edit of the world.

use std::collections::BTreeSet;
use std::time::Instant;

use super::FaultId;
use crate::error::Result;
use crate::fault::FaultEffect;
use crate::topology::plan::{Op, Plan};
use crate::topology::spec::LinkEndId;
use crate::world::network::Network;

/// What the kernel has counted for faults at ports that are about to go.
#[must_use]
pub(in crate::world) struct Parting(Vec<(FaultId, u64)>);

impl Network {
    /// Counts for a last time where a plan takes links away.
    pub(in crate::world) fn parting(&mut self, plan: &Plan) -> Parting {
        let spec = self.topology.spec();
        let ports = plan.ops.iter().flat_map(|op| match op {
            Op::DelLink { port, .. } => vec![*port],
            Op::DelNode { at } => spec.links_of(at.id).iter().map(|end| end.port).collect(),
            _ => Vec::new(),
        });
        let ports: BTreeSet<LinkEndId> = ports.collect();
        let ids: Vec<FaultId> = self.faults.injected.keys().copied().collect();
        let counted = ids.into_iter().map(|id| {
            let forces = self.faults.get(id).in_force.clone();
            let parting: Vec<_> = forces
                .into_iter()
                .filter(|f| f.ports().any(|port| ports.contains(&port)))
                .collect();
            (id, self.kernel_count(&parting))
        });
        Parting(counted.collect())
    }

    /// Lets the faults follow an edit of the world.
    pub(in crate::world) fn follow(&mut self, Parting(counted): Parting) -> Result<()> {
        for (id, count) in counted {
            self.faults.get(id).receipt.add(count);
        }
        self.forget_gone();
        self.reconcile()
    }

    /// Where a link has gone, nothing is in force any more.
    fn forget_gone(&mut self) {
        let spec = self.topology.spec();
        let there = spec.nodes().flat_map(|(id, _)| spec.links_of(id)).map(|end| end.port);
        let there: BTreeSet<LinkEndId> = there.collect();
        self.faults.ports.retain(|port, _| there.contains(port));
        for injected in self.faults.injected.values_mut() {
            let before = injected.in_force.len();
            injected.in_force.retain(|force| force.ports().all(|port| there.contains(&port)));
            if injected.in_force.len() < before {
                injected.at.clear(); // it is put there again if the link comes back
            }
        }
    }

    /// Puts faults where their links are now, and begins those whose links have come.
    pub(super) fn reconcile(&mut self) -> Result<()> {
        let on = self.faults.present().filter(|(_, injected)| injected.on);
        let moved: Vec<FaultId> = on
            .filter(|(_, injected)| {
                matches!(injected.fault.effect(), FaultEffect::Partition(_))
                    || self.ends_of(&injected.fault).is_ok_and(|ends| ends != injected.at)
            })
            .map(|(id, _)| id)
            .collect();
        moved.into_iter().try_for_each(|id| self.turn_on(id))?;
        let awaited = self.faults.present().filter(|(_, injected)| injected.awaited);
        let come: Vec<FaultId> = awaited
            .filter(|(_, injected)| self.check_place(&injected.fault).is_ok())
            .map(|(id, _)| id)
            .collect();
        let now = Instant::now();
        for id in come {
            let injected = self.faults.get(id);
            (injected.awaited, injected.since) = (false, now);
            self.begin(id)?;
        }
        self.observe_links()
    }
}
