//! Giving faults to the whole network.

use std::time::Instant;

use super::faults::Request;
use super::injection::Injection;
use super::net::Net;
use super::network::Network;
use super::node::Node;
use crate::error::Result;
use crate::fault::{Fault, FaultEffect, Partition, Plan};

/// Failure on purpose.
impl Net {
    /// Lets a fault happen: now, or at its times from now on.
    ///
    /// # Errors
    /// `not-found`, if there is no such link; `fault`, if it cannot be;
    /// `plan-conflict`, if another fault is in its way.
    pub fn inject(&self, fault: Fault) -> Result<Injection> {
        self.shared.inject(Request::of(fault, Instant::now()))
    }

    /// Lets everything in a plan happen: each at its times from now on, which are one
    /// for all.
    ///
    /// # Errors
    /// As [`inject`](Self::inject); then nothing of it happens.
    pub fn apply(&self, plan: &Plan) -> Result<Vec<Injection>> {
        plan.check()?;
        let mut injections: Vec<Injection> = Vec::new();
        let since = Instant::now();
        for fault in plan.faults() {
            match self.shared.inject(Request::of(fault.clone(), since)) {
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

    /// Lets the network fall apart: two nodes can talk if some group has them both.
    /// Nodes in no group are not concerned. Groups may overlap, for a bridge or a
    /// ring.
    ///
    /// ```no_run
    /// # use nstest::{Net, Node};
    /// # fn test(a: Node, b: Node, c: Node, net: Net) -> nstest::TestResult {
    /// net.partition(&[&[&a], &[&b, &c]])?;
    /// // ... the majority goes on, the minority stops ...
    /// net.heal()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `fault`, if nobody would be apart; `plan-conflict`, if the network has
    /// fallen apart already.
    pub fn partition(&self, groups: &[&[&Node]]) -> Result<Injection> {
        let names = |group: &&[&Node]| -> Vec<String> {
            group.iter().map(|node| node.name().to_owned()).collect()
        };
        self.inject(Fault::partition(Partition::new(groups.iter().map(names))?))
    }

    /// Lets nothing pass from these nodes to those; what those send arrives.
    ///
    /// # Errors
    /// As [`partition`](Self::partition).
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

    /// Ends every fault, those that were still to come included.
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

    /// The seed of everything that is decided by chance in this test.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.shared.lock().faults.seed()
    }
}
