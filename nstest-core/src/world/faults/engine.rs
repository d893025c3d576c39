//! Who carries a condition out.
//!
//! The kernel where it is exact, and where nothing random is decided, since
//! only the wire decides by the test's seed: `tbf` for a rate alone, `netem`, where
//! there is one, for a fixed delay, with a rate or without. They stand at the port
//! that sends to a node, so they serve what comes to a node, and both directions of
//! a cable between two. All else is the wire's.
//!
//! The trap: what the wire sends waits in a qdisc on the account of its socket,
//! and a socket whose buffer is full lets the whole wire wait. So the two are never
//! at one link, and a condition moves to the wire when that comes.

use std::collections::BTreeMap;
use std::fmt;

use super::{FaultId, Force, Injected};
use crate::error::Result;
use crate::fault::shape::Shape;
use crate::fault::{Condition, FaultEffect, Receipt};
use crate::frame::Direction;
use crate::topology::spec::{LinkEnd, LinkEndId};
use crate::world::network::Network;

/// Who carries a fault out: [`Injection::backends`](crate::Injection::backends).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Backend {
    /// The stage in user space, which decides by the seed of the test.
    Wire,
    /// The kernel's token bucket: tc-tbf(8).
    Tbf,
    /// The kernel's network emulator: tc-netem(8).
    Netem,
    /// The carrier of the interfaces at a cable's ends.
    Carrier,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wire => "wire",
            Self::Tbf => "tbf",
            Self::Netem => "netem",
            Self::Carrier => "carrier",
        })
    }
}

/// What the kernel was found to lack.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    lacks: Vec<Backend>,
    /// What the counter of a port's qdisc was at when its fault began: a qdisc that
    /// is given other values goes on counting.
    counted: BTreeMap<LinkEndId, u64>,
}

fn engine_of(shape: Shape) -> Backend {
    match shape {
        Shape::Rate { .. } => Backend::Tbf,
        Shape::Delay { .. } => Backend::Netem,
    }
}

impl Network {
    /// Puts a condition into force in one direction of a link, as its node sees it.
    pub(super) fn impair(
        &mut self,
        end: LinkEnd,
        direction: Direction,
        condition: Condition,
        receipt: &Receipt,
    ) -> Result<Force> {
        let spec = self.topology.spec();
        let sender = match direction {
            Direction::Ingress => Some(end),
            Direction::Egress => spec.opposite(end),
        };
        let principal = spec.principal(end);
        let direction = if principal == end { direction } else { direction.reverse() };
        let wired = self.whole(end).iter().any(|end| self.faults.ports.contains_key(&end.port));
        if let (Some(sender), Some(shape), false) = (sender, Shape::of(&condition), wired) {
            if self.shape(sender.port, shape)? {
                return Ok(Force::Qdisc(sender.port, engine_of(shape)));
            }
        }
        let force = Force::Condition(principal.port, direction);
        self.port(principal)?.set_condition(direction, Some((condition, receipt.clone())));
        let refreshed = self.fabric.refresh(principal.port);
        let freed = match sender {
            Some(sender) => self.unshape(sender.port),
            None => Ok(()),
        };
        if let Err(error) = refreshed.and(freed) {
            self.take_over(&force);
            let _ = self.release(vec![force]); // the first error is the one to report
            return Err(error);
        }
        Ok(force)
    }

    /// The wire has come to a link: conditions that the kernel has served there are
    /// the wire's from now on.
    pub(super) fn take_from_kernel(&mut self, end: LinkEnd) -> Result<()> {
        for sender in self.whole(end) {
            let Some((id, _)) = self.qdisc_of(sender.port) else { continue };
            let Injected { fault, receipt, .. } = self.faults.get(id);
            let FaultEffect::Condition(condition) = *fault.effect() else { continue };
            let receipt = receipt.clone();
            let force = self.impair(sender, Direction::Ingress, condition, &receipt)?;
            self.faults.get(id).in_force.push(force);
        }
        Ok(())
    }

    /// Whether the kernel does it.
    fn shape(&mut self, port: LinkEndId, shape: Shape) -> Result<bool> {
        let engine = engine_of(shape);
        if self.faults.kernel.lacks.contains(&engine) {
            return Ok(false);
        }
        let before = self.qdisc_of(port);
        let count = self.fabric.shaped(port);
        if !self.fabric.shape(port, shape)? {
            self.faults.kernel.lacks.push(engine);
            return Ok(false);
        }
        if let Some((owner, force)) = before {
            let since = self.faults.kernel.counted.remove(&port).unwrap_or(0);
            self.faults.get(owner).receipt.add(count.saturating_sub(since));
            self.take_over(&force);
            if force == Force::Qdisc(port, engine) {
                self.faults.kernel.counted.insert(port, count);
            }
        }
        Ok(true)
    }

    /// Takes the qdisc of a port away, if a condition before put one there.
    fn unshape(&mut self, port: LinkEndId) -> Result<()> {
        let Some((owner, force)) = self.qdisc_of(port) else { return Ok(()) };
        self.count(owner, std::slice::from_ref(&force));
        self.take_over(&force);
        self.drop_qdisc(port)
    }

    pub(super) fn drop_qdisc(&mut self, port: LinkEndId) -> Result<()> {
        self.faults.kernel.counted.remove(&port);
        self.fabric.unshape(port)
    }

    /// The qdisc of a port, and whose it is.
    fn qdisc_of(&self, port: LinkEndId) -> Option<(FaultId, Force)> {
        self.faults.injected.iter().find_map(|(id, injected)| {
            let is_it = |force: &&Force| matches!(force, Force::Qdisc(at, _) if *at == port);
            injected.in_force.iter().find(is_it).map(|force| (*id, force.clone()))
        })
    }

    /// Writes down what the kernel's part of a fault has affected.
    pub(super) fn count(&mut self, id: FaultId, forces: &[Force]) {
        let receipt = self.faults.get(id).receipt.clone();
        receipt.add(self.kernel_count(forces));
    }

    pub(super) fn kernel_count(&mut self, forces: &[Force]) -> u64 {
        let ports = forces.iter().filter_map(|force| match force {
            Force::Qdisc(port, _) => Some(*port),
            _ => None,
        });
        let Self { fabric, faults, .. } = self;
        let since = |port| faults.kernel.counted.get(&port).copied().unwrap_or(0);
        ports.map(|port| fabric.shaped(port).saturating_sub(since(port))).sum()
    }

    /// How many packets a fault has affected up to now.
    pub(in crate::world) fn affected(&mut self, id: FaultId) -> u64 {
        self.fabric.settle_wire();
        self.counted(id)
    }

    /// The same, where the wire has settled already.
    pub(super) fn counted(&mut self, id: FaultId) -> u64 {
        let Injected { receipt, in_force, .. } = self.faults.get(id);
        let (counted, in_force) = (receipt.affected(), in_force.clone());
        counted + self.kernel_count(&in_force)
    }

    /// Who carries a fault out at present, each once.
    pub(in crate::world) fn backends(&mut self, id: FaultId) -> Vec<Backend> {
        let engine = |force: &Force| match force {
            Force::Rule(..) | Force::Condition(..) => Backend::Wire,
            Force::Qdisc(_, engine) => *engine,
            Force::Down(_) => Backend::Carrier,
        };
        let mut backends: Vec<Backend> = self.faults.get(id).in_force.iter().map(engine).collect();
        backends.sort_unstable();
        backends.dedup();
        backends
    }
}
