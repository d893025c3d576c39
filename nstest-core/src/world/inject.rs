//! Fault injection by the handle of the whole network.

use std::time::Instant;

use super::faults::FaultRequest;
use super::injection::Injection;
use super::net::Net;
use super::network::Network;
use super::node::Node;
use crate::error::Result;
use crate::fault::{Fault, FaultEffect, Partition, Plan};

/// Fault injection.
impl Net {
    /// Injects a fault. Its schedule starts now.
    ///
    /// # Errors
    /// `not-found`, if its link does not exist; `fault`, if its parts contradict each
    /// other; `plan-conflict`, if it cannot be in force together with another fault.
    #[track_caller]
    pub fn inject(&self, fault: Fault) -> Result<Injection> {
        let request = FaultRequest::of(fault, Instant::now());
        self.shared.inject(|_| Ok(request))
    }

    /// Injects every fault of a plan. The schedules of all start at the same time, now.
    ///
    /// # Errors
    /// As [`inject`](Self::inject). Then no fault of the plan is injected.
    #[track_caller]
    pub fn apply(&self, plan: &Plan) -> Result<Vec<Injection>> {
        plan.check()?;
        let mut injections: Vec<Injection> = Vec::new();
        let since = Instant::now();
        for fault in plan.faults() {
            let request = FaultRequest::of(fault.clone(), since);
            match self.shared.inject(|_| Ok(request)) {
                Ok(injection) => injections.push(injection),
                Err(error) => {
                    for injection in injections {
                        let _ = injection.optional().end(); // the first error is the one to report
                    }
                    return Err(error);
                }
            }
        }
        Ok(injections)
    }

    /// Partitions the network: two nodes can communicate if a group contains both. Nodes
    /// in no group are not affected. Groups may overlap, for a bridge or a ring.
    ///
    /// ```no_run
    /// # use nstest::{Net, Node};
    /// # fn test(a: Node, b: Node, c: Node, net: Net) -> nstest::TestResult {
    /// net.partition(&[&[&a], &[&b, &c]])?;
    /// // ... the majority continues, the minority stops ...
    /// net.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `fault`, if no two nodes would be separated; `plan-conflict`, if there is a
    /// partition already.
    #[track_caller]
    pub fn partition(&self, groups: &[&[&Node]]) -> Result<Injection> {
        let names = |group: &&[&Node]| -> Vec<String> {
            group.iter().map(|node| node.name().to_owned()).collect()
        };
        self.inject(Fault::partition(Partition::new(groups.iter().map(names))?))
    }

    /// Drops everything from the nodes `from` to the nodes `to`. The reverse direction
    /// works.
    ///
    /// # Errors
    /// As [`partition`](Self::partition).
    #[track_caller]
    pub fn partition_one_way(&self, from: &[&Node], to: &[&Node]) -> Result<Injection> {
        let names = |group: &[&Node]| -> Vec<String> {
            group.iter().map(|node| node.name().to_owned()).collect()
        };
        self.inject(Fault::partition(Partition::one_way(names(from), names(to))?))
    }

    /// Cuts a node off from all others, the test's own node and routers included.
    ///
    /// # Errors
    /// As [`partition`](Self::partition).
    #[track_caller]
    pub fn isolate(&self, node: &Node) -> Result<Injection> {
        let all = self.nodes().into_iter().chain([self.local()]);
        let others: Vec<Node> = all.filter(|other| other != node).collect();
        self.partition(&[&[node], &others.iter().collect::<Vec<_>>()])
    }

    /// Ends every partition. Conditions and other faults stay.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn heal(&self) -> Result<()> {
        self.end_all(|effect| matches!(effect, FaultEffect::Partition(_)))
    }

    /// Ends every fault, also those that have not started.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn end_faults(&self) -> Result<()> {
        self.end_all(|_| true)
    }

    fn end_all(&self, matches: impl Fn(&FaultEffect) -> bool) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.shared.lock();
        faults.end_all(matches, topology.spec(), fabric)
    }

    /// The seed of all random decisions in this test.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.lock().faults.seed()
    }
}
