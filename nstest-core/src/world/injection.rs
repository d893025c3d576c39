//! The handle on a fault that was injected.

use std::fmt;

use super::faults::{Backend, FaultId, FaultRequest};
use super::network::{Network, SharedNetwork};
use crate::error::Result;
use crate::fault::Receipt;
use crate::topology::spec::Spec;

/// A fault that was injected. It counts the packets that the fault has affected.
///
/// A fault that never affected a packet fails the test, because the test would have passed
/// without it. [`optional`](Self::optional) allows that. A link that is down is exempt, see
/// [`affected`](Self::affected). Dropping the handle changes nothing.
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
            "" => write!(f, "Injection(`{fault}`, not in force, affected {affected})"),
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
    /// How many packets it has affected up to now: dropped, delayed, changed, duplicated
    /// or answered. Packets that were sent before the call are included.
    ///
    /// A fault of one packet (`nth`) can count more than one: `reset`, `blackhole` and `cut`
    /// also count the later packets that they drop. After a reset, these are what both ends
    /// still send on the connection, such as acknowledgements of data that was on its way. So
    /// assert `affected() > 0`, and not an exact number. A link with a rate counts all packets
    /// that it has sent. Of ARP and neighbour discovery, only lost packets count.
    ///
    /// For a link that is down ([`Fault::down`](crate::Fault::down),
    /// [`Link::flap`](crate::Link::flap)) it is always 0: no packet gets into the link. Assert
    /// what the code under test sees, such as an error of `connect_timeout`.
    /// [`backends`](Self::backends) is empty while the link is not down.
    #[must_use]
    pub fn affected(&self) -> u64 {
        let Network { fabric, faults, .. } = &mut *self.net.lock();
        fabric.settle_wire();
        faults.affected(self.id)
    }

    /// Allows the test to pass if this fault affects no packet.
    pub fn optional(self) -> Self {
        self.receipt.optional();
        self
    }

    /// The mechanisms that carry it out at present: none while it is not in force.
    #[must_use]
    pub fn backends(&self) -> Vec<Backend> {
        self.net.lock().faults.backends(self.id)
    }

    /// Ends the fault and its schedule. A fault that has ended may be ended again.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn end(&self) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.net.lock();
        faults.end(self.id, topology.spec(), fabric)
    }
}

impl SharedNetwork {
    /// Injects a fault into the network, which `request` sees as it is then.
    pub(super) fn inject(
        &self,
        request: impl FnOnce(&Spec) -> Result<FaultRequest>,
    ) -> Result<Injection> {
        let Network { topology, fabric, faults } = &mut *self.lock();
        let spec = topology.spec();
        let (id, receipt) = faults.inject(request(spec)?, spec, fabric)?;
        Ok(Injection { net: self.clone(), id, receipt })
    }
}
