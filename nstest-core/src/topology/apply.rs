//! What operations make of a state: the kernel, as a model.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::plan::{At, Op};
use super::state::Ruleset;
use super::state::{LinkState, NodeState, State};

impl State {
    /// What an operation makes of the world, as the kernel would have it.
    ///
    /// It is how a plan that failed halfway is undone: see `Topology::undo`.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::AddNode { at, hostname } => {
                let node = NodeState {
                    name: at.name.clone(),
                    hostname: hostname.clone(),
                    settings: Arc::default(),
                    links: BTreeMap::new(),
                    routes: BTreeSet::new(),
                    rules: Ruleset::default(),
                };
                self.nodes.insert(at.id, node);
            }
            Op::DelNode { at } => {
                self.nodes.remove(&at.id);
            }
            Op::Wire { segment, wiring } => {
                self.segments.insert(*segment, wiring.clone());
            }
            Op::Unwire { segment, .. } => {
                self.segments.remove(segment);
            }
            Op::SetHosts { entries } => self.hosts.clone_from(entries),
            Op::SetNameServers { addrs } => self.name_servers.clone_from(addrs),
            Op::FlushConntrack { .. } | Op::Settle { .. } => {}
            Op::SetSysctls { at, settings } => self.with_node(at, |node| {
                let known = Arc::make_mut(&mut node.settings);
                for setting in settings {
                    match known.iter_mut().find(|s| s.key == setting.key) {
                        Some(old) => old.clone_from(setting),
                        None => known.push(setting.clone()),
                    }
                }
            }),
            Op::SetRules { at, rules } => self.with_node(at, |node| node.rules.clone_from(rules)),
            Op::AddLink { at, slot, link } => {
                self.with_node(at, |node| {
                    node.links.insert(*slot, link.clone());
                });
            }
            Op::DelLink { at, slot, device, .. } => self.with_node(at, |node| {
                node.links.remove(slot);
                node.routes.retain(|route| route.device != *device);
            }),
            Op::SetMtu { at, slot, mtu, .. } => self.with_link(at, *slot, |link| link.mtu = *mtu),
            Op::SetIpv6 { at, slot, on, .. } => self.with_link(at, *slot, |link| link.ipv6 = *on),
            Op::AddAddr { at, slot, addr, len, .. } => {
                self.with_link(at, *slot, |link| {
                    link.addrs.insert((*addr, *len));
                });
            }
            Op::DelAddr { at, slot, addr, len, .. } => {
                self.with_link(at, *slot, |link| {
                    link.addrs.remove(&(*addr, *len));
                });
            }
            Op::AddNeighbour { at, slot, addr, mac, .. } => {
                self.with_link(at, *slot, |link| {
                    link.neighbours.insert((*addr, *mac));
                });
            }
            Op::DelNeighbour { at, slot, addr, .. } => {
                self.with_link(at, *slot, |link| link.neighbours.retain(|(a, _)| a != addr));
            }
            Op::AddRoute { at, route } => self.with_node(at, |node| {
                node.routes.insert(route.clone());
            }),
            Op::DelRoute { at, route } => self.with_node(at, |node| {
                node.routes.remove(route);
            }),
        }
    }

    fn with_node(&mut self, at: &At, change: impl FnOnce(&mut NodeState)) {
        if let Some(node) = self.nodes.get_mut(&at.id) {
            change(node);
        }
    }

    fn with_link(&mut self, at: &At, slot: u8, change: impl FnOnce(&mut LinkState)) {
        self.with_node(at, |node| {
            if let Some(link) = node.links.get_mut(&slot) {
                change(link);
            }
        });
    }
}
