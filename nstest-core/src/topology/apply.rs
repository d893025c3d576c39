//! What an operation does to a state: a model of the kernel, used to undo changes and in
//! tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use litemap::LiteMap;

use super::changes::{Change, NodeRef};
use super::state::{LinkState, NetworkState, NodeState, Ruleset};

impl NetworkState {
    /// Changes the state as the operation changes the kernel's. `Topology::undo` uses it for
    /// changes that failed halfway.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::AddNode { at, hostname } => {
                let node = NodeState {
                    name: at.name.clone(),
                    hostname: hostname.clone(),
                    settings: Arc::default(),
                    links: LiteMap::new(),
                    routes: BTreeSet::new(),
                    rules: Ruleset::default(),
                };
                self.nodes.insert(at.id, Arc::new(node));
            }
            Change::DelNode { at } => {
                self.nodes.remove(&at.id);
            }
            Change::Wire { segment, wiring } => {
                self.segments.insert(*segment, Arc::clone(wiring));
            }
            Change::Unwire { segment, .. } => {
                self.segments.remove(segment);
            }
            Change::SetHosts { hosts } => self.hosts.clone_from(hosts),
            Change::SetNameServers { addrs } => self.name_servers.clone_from(addrs),
            Change::FlushConntrack { .. } | Change::Settle { .. } => {}
            Change::SetSysctls { at, settings } => self.with_node(at, |node| {
                let known = Arc::make_mut(&mut node.settings);
                for setting in settings {
                    match known.iter_mut().find(|s| s.key == setting.key) {
                        Some(old) => old.clone_from(setting),
                        None => known.push(setting.clone()),
                    }
                }
            }),
            Change::SetRules { at, rules } => {
                self.with_node(at, |node| node.rules.clone_from(rules));
            }
            Change::AddLink { at, slot, link } => {
                self.with_node(at, |node| {
                    node.links.insert(*slot, link.clone());
                });
            }
            Change::DelLink { at, slot, device, .. } => self.with_node(at, |node| {
                node.links.remove(slot);
                node.routes.retain(|route| route.device != *device);
            }),
            Change::SetMtu { at, slot, mtu, .. } => {
                self.with_link(at, *slot, |link| link.mtu = *mtu);
            }
            Change::SetIpv6 { at, slot, on, .. } => {
                self.with_link(at, *slot, |link| link.ipv6 = *on);
            }
            Change::SetOffloads { at, slot, on, .. } => {
                self.with_link(at, *slot, |link| link.offloads = *on);
            }
            Change::AddAddr { at, slot, addr, len, .. } => {
                self.with_link(at, *slot, |link| {
                    link.addrs.insert((*addr, *len));
                });
            }
            Change::DelAddr { at, slot, addr, len, .. } => {
                self.with_link(at, *slot, |link| {
                    link.addrs.remove(&(*addr, *len));
                });
            }
            Change::AddNeighbour { at, slot, addr, mac, .. } => {
                self.with_link(at, *slot, |link| {
                    link.neighbours.insert((*addr, *mac));
                });
            }
            Change::DelNeighbour { at, slot, addr, .. } => {
                self.with_link(at, *slot, |link| link.neighbours.retain(|(a, _)| a != addr));
            }
            Change::AddRoute { at, route } => self.with_node(at, |node| {
                node.routes.insert(route.clone());
            }),
            Change::DelRoute { at, route } => self.with_node(at, |node| {
                node.routes.remove(route);
            }),
        }
    }

    fn with_node(&mut self, at: &NodeRef, change: impl FnOnce(&mut NodeState)) {
        if let Some(node) = self.nodes.get_mut(&at.id) {
            change(Arc::make_mut(node));
        }
    }

    fn with_link(&mut self, at: &NodeRef, slot: u8, change: impl FnOnce(&mut LinkState)) {
        self.with_node(at, |node| {
            if let Some(link) = node.links.get_mut(&slot) {
                change(link);
            }
        });
    }
}
