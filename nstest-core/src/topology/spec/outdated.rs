//! What neighbours know of a network, and an edit makes untrue.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{InterfaceSpec, NodeId, SegmentId, Spec};

/// What nodes may have in their neighbour tables that is not true any more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outdated {
    /// Addresses that an interface on a segment had.
    pub(crate) addrs: BTreeSet<(SegmentId, IpAddr)>,
    /// Interfaces that have moved to another segment, with all of their neighbours.
    pub(crate) moved: BTreeSet<(NodeId, u8)>,
}

impl Outdated {
    pub(crate) fn is_empty(&self) -> bool {
        self.addrs.is_empty() && self.moved.is_empty()
    }
}

impl Spec {
    pub(in crate::topology) fn outdated(&self, next: &Self) -> Outdated {
        let mut outdated = Outdated::default();
        for id in self.nodes.differences(&next.nodes) {
            let Some(before) = self.nodes.get(&id) else { continue };
            for (slot, interface) in &before.interfaces {
                let now = next.nodes.get(&id).and_then(|node| node.interfaces.get(slot));
                let same = |now: &&InterfaceSpec| {
                    (now.segment, now.mac) == (interface.segment, interface.mac)
                };
                if now.is_some_and(|now| now.end == interface.end && !same(&now)) {
                    outdated.moved.insert((id, *slot));
                }
                let kept = now.filter(same);
                let lost = interface
                    .ips()
                    .filter(|addr| kept.is_none_or(|now| now.ips().all(|other| other != *addr)));
                outdated.addrs.extend(lost.map(|addr| (interface.segment, addr)));
            }
        }
        outdated
    }
}
