//! Which port's frames go where, and the requests that make it so.
//!
//! A cable is two ports, each redirected to the other. A hub is, on each port,
//! a filter for the MAC address of every other one and a last filter that floods;
//! a bridge is the kernel's own. Hubs are preferred while they are small: a
//! bridge's end waits for `rcu_barrier` under RTNL (br_dev_delete), which stalls
//! the set-up of every other test on the machine.

use std::collections::{BTreeMap, BTreeSet};

use crate::netlink::link::{self, NewLink};
use crate::netlink::u32_filter::{self, Match, U32Filter};
use crate::netlink::{Mode, Request, qdisc};
use crate::topology::spec::{LinkEndId, SegmentId};
use crate::topology::state::{Medium, Wiring};

/// The number of the filter that floods, and so the last one.
const FLOOD: u16 = 0xfff;

/// How ports are joined at present.
#[derive(Debug, Default)]
pub(super) struct Joints {
    segments: BTreeMap<SegmentId, Segment>,
    /// By port, the filters that it has, by number. A port without an entry has
    /// no qdisc for filters yet.
    filters: BTreeMap<LinkEndId, BTreeMap<u16, Forward>>,
}

#[derive(Debug)]
struct Segment {
    ports: Vec<LinkEndId>,
    bridge: Option<LinkEndId>,
}

/// One filter: which frames, and out of which ports.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Forward {
    matches: Match,
    to: Vec<u32>,
}

impl Joints {
    /// Joins the ports of a wiring, and no others.
    pub(super) fn join(&mut self, id: SegmentId, wiring: &Wiring) -> Vec<Request> {
        let mut requests = Vec::new();
        let before = self.segments.remove(&id);
        let was_bridge = before.as_ref().and_then(|segment| segment.bridge);
        let ports: Vec<LinkEndId> = wiring.ports.keys().copied().collect();
        let known = before.map(|segment| segment.ports).unwrap_or_default();
        let left: Vec<LinkEndId> =
            known.iter().filter(|port| !wiring.ports.contains_key(port)).copied().collect();
        match wiring.medium {
            Medium::Cable | Medium::Hub => {
                if let Some(bridge) = was_bridge {
                    requests.push(link::delete(bridge.ifindex()));
                }
                for port in &left {
                    self.filter(*port, BTreeMap::new(), &mut requests);
                }
                for port in &ports {
                    self.filter(*port, forwards(*port, wiring), &mut requests);
                }
            }
            Medium::Bridge(bridge) => {
                if was_bridge.is_none() {
                    let name = format!("br{}", bridge.0);
                    let end = NewLink { index: Some(bridge.ifindex()), ..NewLink::named(&name) };
                    requests.push(link::bridge(&end));
                }
                for port in &left {
                    requests.push(link::set(port.ifindex()).controller(None).request());
                }
                // Hundreds of ports are not told again for each that comes.
                for port in
                    ports.iter().filter(|port| was_bridge.is_none() || !known.contains(port))
                {
                    self.filter(*port, BTreeMap::new(), &mut requests);
                    requests.push(
                        link::set(port.ifindex()).controller(Some(bridge.ifindex())).request(),
                    );
                }
            }
        }
        let bridge = match wiring.medium {
            Medium::Bridge(bridge) => Some(bridge),
            Medium::Cable | Medium::Hub => None,
        };
        self.segments.insert(id, Segment { ports, bridge });
        requests
    }

    /// Joins them no longer.
    pub(super) fn part(&mut self, id: SegmentId) -> Vec<Request> {
        let mut requests = Vec::new();
        if let Some(segment) = self.segments.remove(&id) {
            for port in segment.ports {
                self.filter(port, BTreeMap::new(), &mut requests);
            }
            requests.extend(segment.bridge.map(|bridge| link::delete(bridge.ifindex())));
        }
        requests
    }

    /// Has a port take filters of others: the request, if it does not yet.
    pub(super) fn prepare(&mut self, port: LinkEndId) -> Option<Request> {
        let new = !self.filters.contains_key(&port);
        self.filters.entry(port).or_default();
        new.then(|| qdisc::clsact(port.ifindex()))
    }

    /// By port, the frames of its node that its filters send out of one port only, and
    /// of which.
    pub(super) fn ways(&self) -> impl Iterator<Item = (LinkEndId, Match, u32)> {
        self.filters.iter().flat_map(|(port, filters)| {
            let one = |forward: &Forward| match *forward.to {
                [to] => Some((*port, forward.matches, to)),
                _ => None,
            };
            filters.values().filter_map(one)
        })
    }

    /// Every port on the segments of these.
    pub(super) fn reached_from(
        &self,
        ports: impl Iterator<Item = LinkEndId>,
    ) -> BTreeSet<LinkEndId> {
        let segments = ports.filter_map(|port| {
            self.segments.values().find(|segment| segment.ports.contains(&port))
        });
        segments.flat_map(|segment| segment.ports.iter().copied()).collect()
    }

    /// A port that is deleted takes its filters along.
    pub(super) fn forget(&mut self, port: LinkEndId) {
        self.filters.remove(&port);
        for segment in self.segments.values_mut() {
            segment.ports.retain(|other| *other != port);
        }
    }

    /// Gives a port these filters, in place of those that it has.
    fn filter(
        &mut self,
        port: LinkEndId,
        wanted: BTreeMap<u16, Forward>,
        requests: &mut Vec<Request>,
    ) {
        if wanted.is_empty() && !self.filters.contains_key(&port) {
            return;
        }
        let device = port.ifindex();
        let present = self.filters.entry(port).or_insert_with(|| {
            requests.push(qdisc::clsact(device));
            BTreeMap::new()
        });
        for number in present.keys().filter(|number| !wanted.contains_key(number)) {
            requests.push(u32_filter::delete(device, *number));
        }
        for (number, Forward { matches, to }) in &wanted {
            let mode = match present.get(number) {
                Some(before) if before.matches == *matches && before.to == *to => continue,
                // The match of a filter stays: see `filter`.
                Some(before) if before.matches != *matches => {
                    requests.push(u32_filter::delete(device, *number));
                    Mode::Create
                }
                Some(_) => Mode::Replace,
                None => Mode::Create,
            };
            requests.push(u32_filter::add(
                &U32Filter { device, number: *number, matches: *matches, to },
                mode,
            ));
        }
        *present = wanted;
    }
}

/// The filters of one port of a cable or hub.
fn forwards(port: LinkEndId, wiring: &Wiring) -> BTreeMap<u16, Forward> {
    let others: Vec<_> = wiring.ports.iter().filter(|(other, _)| **other != port).collect();
    let all: Vec<u32> = others.iter().map(|(other, _)| other.ifindex()).collect();
    let mut forwards = BTreeMap::new();
    if all.len() > 1 {
        for (number, (other, mac)) in (1..).zip(&others) {
            let forward = Forward { matches: Match::Destination(**mac), to: vec![other.ifindex()] };
            forwards.insert(number, forward);
        }
    }
    if !all.is_empty() {
        forwards.insert(FLOOD, Forward { matches: Match::All, to: all });
    }
    forwards
}
