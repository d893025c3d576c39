//! Root qdiscs of ports, for what comes to a node.

use nix::errno::Errno;

use super::Fabric;
use crate::error::Result;
use crate::fault::shape::Shape;
use crate::netlink::{qdisc, refusal};
use crate::topology::spec::LinkEndId;

/// What a port may send at once, whatever its rate: a millisecond's worth, and one
/// frame of 1500 bytes at least, or it would never be sent.
fn burst(rate: u64) -> u32 {
    u32::try_from(rate / 1000).unwrap_or(u32::MAX).max(1600)
}

impl Fabric {
    /// Has the kernel shape what a port sends to its node, in place of what shaped
    /// it before; false if this kernel has no such qdisc.
    pub(crate) fn shape(&mut self, port: LinkEndId, shape: Shape) -> Result<bool> {
        let device = port.ifindex();
        let request = match shape {
            Shape::Rate { rate, queue } => qdisc::tbf(device, rate, burst(rate), queue),
            Shape::Delay { delay, rate, queue } => qdisc::netem(device, delay, rate, queue),
        };
        let new = self.taps.shaped.insert(port);
        self.steer();
        let answer = self.route.request(&request);
        if answer.is_err() && new {
            self.taps.shaped.remove(&port);
            self.steer();
        }
        match answer {
            Ok(()) => Ok(true),
            Err(error) if refusal(&error) == Some(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Shapes it no longer.
    pub(crate) fn unshape(&mut self, port: LinkEndId) -> Result<()> {
        self.route.request(&qdisc::delete_root(port.ifindex()))?;
        self.taps.shaped.remove(&port);
        self.steer();
        Ok(())
    }

    /// How many packets the qdisc of a port has had.
    pub(crate) fn shaped(&mut self, port: LinkEndId) -> u64 {
        let count = qdisc::count(&mut self.route, port.ifindex()).ok().flatten();
        count.map_or(0, |count| count.passed + count.dropped)
    }
}
