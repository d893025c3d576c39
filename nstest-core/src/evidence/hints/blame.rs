//! Which fault a packet was lost to.

use std::time::Duration;

use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, Story};
use crate::fault::{FaultEffect, FaultTarget};

impl Story {
    /// The fault that a packet was lost to: the one that dropped it, or one that separated its
    /// sender from its receiver.
    pub(super) fn blamed(&self, trace: &PacketTrace) -> Option<&KnownFault> {
        if let Some(fault) = trace.dropped_by() {
            return self.fault(fault);
        }
        let (hop, receiver) = (trace.last(), self.receiver_of(trace));
        // Others get what a node asks all.
        let is_missed = trace.headers.is_lookup()
            && receiver.is_some()
            && hop.to.iter().all(|end| self.node_of(*end) != receiver);
        if is_missed {
            if let Some(by) = hop.fates.iter().find(|fate| fate.effect == "dropped") {
                return self.fault(by.fault?);
            }
        }
        if !trace.is_lost() && !is_missed {
            return None;
        }
        let from = hop.from.map(|end| self.end_name(end))?;
        self.separating(&from, &self.node_name(receiver?), hop.time)
    }

    /// The node that should have received a packet on its last hop.
    fn receiver_of(&self, trace: &PacketTrace) -> Option<u32> {
        let headers = &trace.headers;
        // NAT and routers change the MAC address after the first hop.
        let next_hop = self.node_with_mac(headers.to).filter(|_| trace.hops.len() == 1);
        let target = headers.arp.map(|arp| arp.target).or(headers.neighbour);
        next_hop.or_else(|| self.owner(target.or(headers.destination)?))
    }

    /// A fault that separates these nodes at a time.
    pub(super) fn separating(&self, from: &str, to: &str, time: Duration) -> Option<&KnownFault> {
        let mut faults = self.faults.iter().filter(|fault| fault.was_in_force(time));
        faults.find(|fault| fault.separates(from, to))
    }

    /// Whether a packet was lost, and no fault explains it.
    pub(super) fn is_lost_without_fault(&self, trace: &PacketTrace) -> bool {
        trace.is_lost()
            && !trace.last().fates.iter().any(|fate| fate.effect == "dropped")
            && self.blamed(trace).is_none()
    }

    /// Whether a packet has the MAC address of another interface than the one that it came to,
    /// which does not take it.
    pub(super) fn is_misdirected(&self, trace: &PacketTrace) -> bool {
        let to = trace.headers.to;
        let mac = trace.receiver().and_then(|end| self.interface(end)?.mac);
        // Routers change the MAC addresses after the first hop.
        trace.hops.len() == 1 && to.is_unicast() && mac.is_some_and(|mac| mac != to)
    }

    /// Whether a packet reached the node that has its destination address.
    pub(super) fn is_delivered(&self, trace: &PacketTrace) -> bool {
        let Some(end) = trace.receiver() else { return false };
        let Some(node) = self.node_of(end).filter(|_| !self.is_misdirected(trace)) else {
            return false;
        };
        match trace.headers.destination {
            Some(address) if !address.is_multicast() => {
                let known = self.nodes.get(&node).is_some_and(|known| known.has(address));
                known || self.owner(address).is_none() || trace.hops.len() > 1
            }
            _ => true,
        }
    }
}

impl KnownFault {
    /// Whether it is a partition, or a link that is down.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self.effect(), Some(FaultEffect::Partition(_) | FaultEffect::Down))
    }

    fn separates(&self, from: &str, to: &str) -> bool {
        let Some(fault) = &self.fault else { return false };
        match (&fault.effect, &fault.target) {
            (FaultEffect::Partition(partition), _) => !partition.lets(from, to),
            (FaultEffect::Down, FaultTarget::Link { node, .. }) => node == from || node == to,
            _ => false,
        }
    }
}
