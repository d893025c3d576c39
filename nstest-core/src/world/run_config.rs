//! What the runner configures in a test's network, and what it collects at the end.

use super::net::Net;
use super::network::Network;
#[cfg(feature = "dns")]
use super::resolver::Resolver;
use crate::error::Result;
use crate::fault::Plan;
use crate::run_config::{Findings, FoundPoint, PlanOutcome, RunConfig};

impl Net {
    /// Applies the configuration of this run, when the first network of the test has been
    /// built. A fault of the plan may concern a link that does not exist yet.
    pub(crate) fn prepare(&self, run_config: &RunConfig) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.shared.lock();
        faults.set_seed(run_config.seed);
        if run_config.census {
            faults.take_census(topology.spec(), fabric)?;
        }
        if let Some(plan) = &run_config.plan {
            faults.follow_plan(&plan.parse::<Plan>()?, topology.spec(), fabric)?;
        }
        fabric.links_are_used();
        Ok(())
    }

    /// Waits until the faults of the plan have affected a packet, or until no packets are
    /// under way any more.
    fn settle(&self) {
        let Some((traffic, planned)) = self.shared.lock().faults.traffic() else { return };
        let has_come = || planned.iter().all(|receipt| receipt.affected() > 0);
        let flush = || self.shared.lock().fabric.settle_wire();
        traffic.settle(flush, || !planned.is_empty() && has_come());
    }

    /// Ends the wire. The test has ended, and its process ends next.
    pub(crate) fn end(&self) {
        self.shared.lock().fabric.end_wire();
    }

    /// What was observed in the network, when the body of the test has ended.
    pub(crate) fn findings(&self) -> Findings {
        #[cfg(feature = "dns")]
        let unasked =
            self.shared.resolvers().iter().flat_map(Resolver::unasked).collect::<Vec<_>>();
        #[cfg(not(feature = "dns"))]
        let unasked = Vec::<String>::new();
        self.settle();
        let Network { topology, fabric, faults } = &mut *self.shared.lock();
        fabric.settle_wire(); // once for all that is counted here
        let (points, spec) = (faults.seen().into_iter(), topology.spec());
        faults.log_unmet(spec);
        let injected =
            faults.planned(spec).map(|(unmatched, packet)| PlanOutcome { unmatched, packet });
        Findings {
            points: points.map(|(point, packet)| FoundPoint { point, packet }).collect(),
            injected,
            unmatched: faults.unmet(spec).into_iter().chain(unasked).collect(),
            random: faults.is_random(),
        }
    }
}
