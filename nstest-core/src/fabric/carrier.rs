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
            let request = if up { set.up() } else { set.down() }.request();
            let result = self.route.request(&request);
            result.map_err(|error| self.as_removed(*end, error))?;
        }
        for (node, slot, end) in ends {
            if let Some(member) = self.members.get_mut(node) {
                let index = member.index_at(*slot)?;
                let result = link::flush_carrier(&mut member.route, index);
                result.map_err(|error| self.as_removed(*end, error))?;
            }
        }
        if up { self.ask_again(ends.iter().map(|(.., end)| *end)) } else { Ok(()) }
    }

    /// Has nodes follow an edit that was carried out. They forget the MAC addresses of neighbours
    /// that have changed, and repeat their unanswered requests at once.
    pub(crate) fn update_neighbours(
        &mut self,
        changes: &Changes,
        outdated: &Outdated,
    ) -> Result<(), Stopped> {
        let ends = changes.list.iter().filter_map(|change| match change {
            Change::AddAddr { at, slot, .. } => {
                Some(self.members.get(&at.id)?.links.get(slot)?.end)
            }
            _ => None,
        });
        let reached = self.segments_of(ends);
        let updated = self.refresh_neighbours(&reached, outdated);
        updated.map_err(|error| Stopped { done: changes.list.len(), error })
    }

    /// Re-sends pending ARP and ND requests on the segments of these link ends, instead of
    /// waiting for the kernel's timer of 1 s.
    pub(crate) fn ask_again(&mut self, ends: impl Iterator<Item = LinkEndId>) -> Result<()> {
        let reached = self.segments_of(ends);
        self.refresh_neighbours(&reached, &Outdated::default())
    }

    fn segments_of(&self, ends: impl Iterator<Item = LinkEndId>) -> BTreeSet<SegmentId> {
        ends.filter_map(|end| self.forwarding.segment_of(end)).collect()
    }

    /// Re-sends what is pending on the segments that are `reached`, and removes the entries that
    /// are `outdated`. What nodes ask for at present stays: packets wait for it.
    ///
    /// All nodes share one table of the kernel, so that to list the entries of one node takes
    /// longer, the more nodes there are. Nodes that cannot have sent anything are left out.
    fn refresh_neighbours(
        &mut self,
        reached: &BTreeSet<SegmentId>,
        outdated: &Outdated,
    ) -> Result<()> {
        if reached.is_empty() && outdated.is_empty() {
            return Ok(());
        }
        self.may_be_asking.extend(self.used.take().into_iter().map(NodeId));
        for id in &self.may_be_asking {
            let Some(member) = self.members.get_mut(id) else { continue };
            let mut asking = BTreeSet::<u32>::new();
            let mut old = BTreeSet::<(u32, Option<IpAddr>)>::new();
            for (slot, NodeInterface { index, end, .. }) in &member.links {
                if outdated.moved.contains(&(*id, *slot)) {
                    old.insert((*index, None)); // all of them
                }
                let Some(segment) = self.forwarding.segment_of(*end) else { continue };
                if reached.contains(&segment) {
                    asking.insert(*index);
                }
                let there = outdated.addrs.iter().filter(|(at, _)| segment == *at);
                old.extend(there.map(|(_, ip)| (*index, Some(*ip))));
            }
            if asking.is_empty() && old.is_empty() {
                continue;
            }
            let mut requests = Vec::<Request>::new();
            for n in neigh::list(&mut member.route)? {
                let is_old = old.contains(&(n.index, None)) || old.contains(&(n.index, Some(n.ip)));
                if n.learnt && is_old {
                    requests.push(neigh::forget(n.index, n.ip));
                }
                if n.incomplete && asking.contains(&n.index) {
                    requests.extend(neigh::resolve_again(n.index, n.ip));
                }
            }
            member.route.batch(&requests)?;
        }
        Ok(())
    }
}
