//! Links that are down and up, and what that leaves pending.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::base::{Fabric, Stopped};
use super::member::NodeInterface;
use crate::error::Result;
use crate::netlink::{Request, link, neigh};
use crate::topology::changes::{Change, Changes};
use crate::topology::spec::{LinkEndId, NodeId, Outdated, SegmentId};

impl Fabric {
    /// Sets the devices of link ends down or up. The interfaces in the nodes lose or get
    /// their carrier, and the kernel is made to act on that at once.
    pub(crate) fn set_carrier(&mut self, ends: &[(NodeId, u8, LinkEndId)], up: bool) -> Result<()> {
        self.check_owned()?;
        for (.., end) in ends {
            if up {
                self.splices.down.remove(end);
            } else {
                self.splices.down.insert(*end);
            }
        }
        self.update_fast_paths();
        for (.., end) in ends {
            let set = link::set(end.ifindex());
            self.route.request(&if up { set.up() } else { set.down() }.request())?;
        }
        for (node, slot, _) in ends {
            if let Some(member) = self.members.get_mut(node) {
                let index = member.index_at(*slot)?;
                link::flush_carrier(&mut member.route, index)?;
            }
        }
        if up { self.ask_again(ends.iter().map(|(.., end)| *end)) } else { Ok(()) }
    }

    /// Has nodes forget the MAC addresses of neighbours that have changed. What they ask for at
    /// present stays: packets wait for it.
    pub(crate) fn forget_neighbours(&mut self, outdated: &Outdated) -> Result<()> {
        if outdated.is_empty() {
            return Ok(());
        }
        let forwarding = &self.forwarding;
        self.may_be_asking.extend(self.used.take().into_iter().map(NodeId));
        for id in &self.may_be_asking {
            let Some(member) = self.members.get_mut(id) else { continue };
            let mut old: BTreeSet<(u32, Option<IpAddr>)> = BTreeSet::new();
            for (slot, NodeInterface { index, end, .. }) in &member.links {
                if outdated.moved.contains(&(*id, *slot)) {
                    old.insert((*index, None)); // all of them
                }
                let segment = forwarding.segment_of(*end);
                let there = outdated.addrs.iter().filter(|(at, _)| segment == Some(*at));
                old.extend(there.map(|(_, ip)| (*index, Some(*ip))));
            }
            if old.is_empty() {
                continue;
            }
            let known = neigh::list(&mut member.route)?.into_iter();
            let known = known
                .filter(|n| n.learnt)
                .filter(|n| old.contains(&(n.index, None)) || old.contains(&(n.index, Some(n.ip))));
            let requests: Vec<Request> = known.map(|n| neigh::forget(n.index, n.ip)).collect();
            member.route.batch(&requests)?;
        }
        Ok(())
    }

    /// [`ask_again`](Self::ask_again) for the addresses that changes have added.
    pub(crate) fn ask_again_after(&mut self, changes: &Changes) -> Result<(), Stopped> {
        let ends = changes.list.iter().filter_map(|change| match change {
            Change::AddAddr { at, slot, .. } => {
                Some(self.members.get(&at.id)?.links.get(slot)?.end)
            }
            _ => None,
        });
        let ends: Vec<LinkEndId> = ends.collect();
        let asked = self.ask_again(ends.into_iter());
        asked.map_err(|error| Stopped { done: changes.list.len(), error })
    }

    /// Re-sends pending ARP and ND requests on the segments of these link ends, instead of
    /// waiting for the kernel's timer of 1 s.
    ///
    /// All nodes share one table of the kernel, so that to list the entries of one node takes
    /// longer, the more nodes there are. Nodes that cannot have sent anything are left out.
    pub(crate) fn ask_again(&mut self, ends: impl Iterator<Item = LinkEndId>) -> Result<()> {
        let forwarding = &self.forwarding;
        let reached: BTreeSet<SegmentId> =
            ends.filter_map(|end| forwarding.segment_of(end)).collect();
        if reached.is_empty() {
            return Ok(());
        }
        let is_reached =
            |end| forwarding.segment_of(end).is_some_and(|segment| reached.contains(&segment));
        self.may_be_asking.extend(self.used.take().into_iter().map(NodeId));
        for id in &self.may_be_asking {
            let Some(member) = self.members.get_mut(id) else { continue };
            let reached = member.links.values().filter(|interface| is_reached(interface.end));
            let devices: Vec<u32> = reached.map(|interface| interface.index).collect();
            if devices.is_empty() {
                continue;
            }
            let asked = neigh::list(&mut member.route)?;
            let asked = asked.iter().filter(|n| n.incomplete && devices.contains(&n.index));
            let requests: Vec<Request> =
                asked.flat_map(|n| neigh::resolve_again(n.index, n.ip)).collect();
            member.route.batch(&requests)?;
        }
        Ok(())
    }
}
