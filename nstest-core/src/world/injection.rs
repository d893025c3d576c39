//! Giving faults to the world, and the handle on each.

use std::fmt;

use super::faults::{Backend, FaultId, Request};
use super::network::{Network, SharedNetwork};
use crate::error::Result;
use crate::fault::Receipt;

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
    net: SharedNetwork,
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
        let Network { fabric, faults, .. } = &mut *self.net.lock();
        fabric.settle_wire();
        faults.affected(self.id, fabric)
    }

    /// The test may pass though this touches no packet.
    pub fn optional(self) -> Self {
        self.receipt.optional();
        self
    }

    /// Who carries it out at present; nobody, while it is not there.
    #[must_use]
    pub fn backends(&self) -> Vec<Backend> {
        self.net.lock().faults.backends(self.id)
    }

    /// Ends it, and what it would still do. A fault that has ended is ended again.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn end(&self) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.net.lock();
        faults.end(self.id, topology.spec(), fabric)
    }
}

impl SharedNetwork {
    /// Injects a fault into the network.
    pub(super) fn inject(&self, request: Request) -> Result<Injection> {
        let Network { topology, fabric, faults } = &mut *self.lock();
        let (id, receipt) = faults.inject(request, topology.spec(), fabric)?;
        Ok(Injection { net: self.clone(), id, receipt })
    }
}
