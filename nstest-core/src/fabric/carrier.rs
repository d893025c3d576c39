//! Cables that are pulled, and plugged in again.

use super::{Fabric, Stopped};
use crate::error::Result;
use crate::netlink::{Request, link, neigh};
use crate::topology::changes::{Change, Changes};
use crate::topology::spec::{LinkEndId, NodeId, interface_index};

impl Fabric {
    /// Pulls or plugs the ports at which these interfaces' cables end: the
    /// interfaces follow, and the kernel is made to notice at once.
    pub(crate) fn set_carrier(&mut self, ends: &[(NodeId, u8, LinkEndId)], up: bool) -> Result<()> {
        for (.., port) in ends {
            if up {
                self.taps.pulled.remove(port);
            } else {
                self.taps.pulled.insert(*port);
            }
        }
        self.steer();
        for (.., port) in ends {
            let set = link::set(port.ifindex());
            self.route.request(&if up { set.up() } else { set.down() }.request())?;
        }
        for (node, slot, _) in ends {
            if let Some(member) = self.members.get_mut(node) {
                link::flush_carrier(&mut member.route, interface_index(*slot))?;
            }
        }
        if up { self.ask_again(ends.iter().map(|(.., port)| *port)) } else { Ok(()) }
    }

    /// After a change of a world that was in use: the same for addresses that are
    /// new where they are.
    pub(crate) fn ask_again_after(&mut self, changes: &Changes) -> Result<(), Stopped> {
        let ends = changes.list.iter().filter_map(|change| match change {
            Change::AddAddr { at, slot, .. } => self.members.get(&at.id)?.links.get(slot).copied(),
            _ => None,
        });
        let ports: Vec<LinkEndId> = ends.collect();
        let asked = self.ask_again(ports.into_iter());
        asked.map_err(|error| Stopped { done: changes.list.len(), error })
    }

    /// Everybody who can reach these ports again, or be reached from there, and
    /// asked in vain meanwhile who has an address, asks at once and not after a
    /// second.
    pub(crate) fn ask_again(&mut self, ends: impl Iterator<Item = LinkEndId>) -> Result<()> {
        let ports = self.joints.reached_from(ends);
        for member in self.members.values_mut() {
            let slots = member.links.iter().filter(|(_, port)| ports.contains(port));
            let devices: Vec<u32> = slots.map(|(slot, _)| interface_index(*slot)).collect();
            if devices.is_empty() {
                continue;
            }
            let asked = neigh::list(&mut member.route)?;
            let asked = asked.iter().filter(|n| n.incomplete && devices.contains(&n.index));
            let requests: Vec<Request> =
                asked.flat_map(|n| neigh::ask_again(n.index, n.ip)).collect();
            member.route.batch(&requests)?;
        }
        Ok(())
    }
}
