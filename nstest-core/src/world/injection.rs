//! Giving faults to the world, and the handle on each.

use std::fmt;
use std::time::Instant;

use super::faults::{Backend, FaultId};
use super::{Net, Node};
use crate::error::Result;
use crate::fault::{Effect, Fault, Partition, Plan, Receipt};

/// A fault that was given to the network: a record of what it has affected.
///
/// A fault that never affected a packet fails the test, unless it is
/// [`optional`](Self::optional): the test would have passed without it. (A pulled
/// cable is exempt, since nothing reaches the far end of it.) Dropping the handle
/// changes nothing.
///
/// ```no_run
/// # fn test(server: nstest::Node) -> nstest::TestResult {
/// use nstest::{Condition, Percent};
///
/// let lossy = server.link().condition(Condition::new().loss(Percent::new(20.0)))?;
/// // ... talk to the server ...
/// assert!(lossy.affected() > 0);
/// lossy.end()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Injection {
    net: Net,
    id: FaultId,
    receipt: Receipt,
}

impl fmt::Debug for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fault, affected) = (self.receipt.fault(), self.affected());
        let backends: Vec<String> = self.backends().iter().map(ToString::to_string).collect();
        match backends.join(" and ").as_str() {
            "" => write!(f, "Injection(`{fault}`, not there now, affected {affected})"),
            backends => write!(f, "Injection(`{fault}` by {backends}, affected {affected})"),
        }
    }
}

impl fmt::Display for Injection {
    /// The fault, as a plan writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.receipt.fault())
    }
}

impl Injection {
    /// How many packets it has affected up to now: lost, delayed, changed, doubled,
    /// answered; or, for a link with a rate, let pass in their turn. What was sent on
    /// the link before the call is in it. Of ARP and neighbour discovery those count
    /// that were lost: somebody wanted to talk.
    #[must_use]
    pub fn affected(&self) -> u64 {
        self.net.lock().affected(self.id)
    }

    /// The test may pass though this touches no packet.
    pub fn optional(self) -> Self {
        self.receipt.optional();
        self
    }

    /// Who carries it out at present; nobody, while it is not there.
    #[must_use]
    pub fn backends(&self) -> Vec<Backend> {
        self.net.lock().backends(self.id)
    }

    /// Ends it, and what it would still do. A fault that has ended is ended again.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn end(&self) -> Result<()> {
        self.net.lock().end(self.id)
    }
}

/// Failure on purpose.
impl Net {
    /// Lets a fault happen: now, or at its times from now on.
    ///
    /// # Errors
    /// `not-found`, if there is no such link; `fault`, if it cannot be;
    /// `plan-conflict`, if another fault is in its way.
    pub fn inject(&self, fault: Fault) -> Result<Injection> {
        self.injected(fault, Instant::now(), false)
    }

    pub(super) fn injected(
        &self,
        fault: Fault,
        since: Instant,
        replaces: bool,
    ) -> Result<Injection> {
        let (id, receipt) = self.lock().inject(fault, since, replaces)?;
        Ok(Injection { net: self.clone(), id, receipt })
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
            match self.injected(fault.clone(), since, false) {
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
        self.lock().end_all(|effect| matches!(effect, Effect::Partition(_)))
    }

    /// Ends every fault, those that were still to come included.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn end_faults(&self) -> Result<()> {
        self.lock().end_all(|_| true)
    }

    /// The seed of everything that is decided by chance in this test.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.lock().seed()
    }
}
