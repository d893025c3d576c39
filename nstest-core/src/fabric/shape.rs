//! Root qdiscs of link ends, for what is sent to a node.

use nix::errno::Errno;

use super::base::Fabric;
use crate::error::Result;
use crate::fault::shape::Shape;
use crate::netlink::{qdisc, refusal};
use crate::topology::spec::LinkEndId;

/// How many bytes may be sent at once, whatever the rate: those of a millisecond, and at
/// least a frame of 1500 bytes, which could never be sent otherwise.
fn burst(rate: u64) -> u32 {
    u32::try_from(rate / 1000).unwrap_or(u32::MAX).max(1600)
}

impl Fabric {
    /// Gives a link end a qdisc for what is sent to its node, in place of the present one.
    /// Returns false if this kernel has no such qdisc.
    pub(crate) fn shape(&mut self, end: LinkEndId, shape: Shape) -> Result<bool> {
        let device = end.ifindex();
        let request = match shape {
            Shape::Rate { rate, queue } => qdisc::tbf(device, rate, burst(rate), queue),
            Shape::Delay { delay, rate, queue } => qdisc::netem(device, delay, rate, queue),
        };
        let new = self.splices.shaped.insert(end);
        self.update_fast_paths();
        let answer = self.route.request(&request);
        if answer.is_err() && new {
            self.splices.shaped.remove(&end);
            self.update_fast_paths();
        }
        match answer {
            Ok(()) => Ok(true),
            Err(error) if refusal(&error) == Some(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the qdisc of a link end away.
    pub(crate) fn unshape(&mut self, end: LinkEndId) -> Result<()> {
        self.route.request(&qdisc::delete_root(end.ifindex()))?;
        self.splices.shaped.remove(&end);
        self.update_fast_paths();
        Ok(())
    }

    /// How many packets the qdisc of a link end has had.
    pub(crate) fn shaped(&mut self, end: LinkEndId) -> u64 {
        let count = qdisc::count(&mut self.route, end.ifindex()).ok().flatten();
        count.map_or(0, |count| count.passed + count.dropped)
    }
}
