//! How frames are forwarded between link ends, and the requests that set it up.
//!
//! A *cable* joins two link ends: a filter of each redirects to the other. A *hub* has, at
//! each link end, a filter for the MAC address of every other one and a last filter that
//! floods. A *bridge* is the kernel's. Small segments are hubs, because the deletion of a
//! bridge waits for `rcu_barrier` under RTNL (br_dev_delete), which stalls the set-up of
//! every other test on the machine.

use litemap::LiteMap;

use crate::addr::MacAddr;
use crate::netlink::link::{self, NewLink};
use crate::netlink::u32_filter::{self, Match, U32Filter};
use crate::netlink::{Mode, Request, qdisc};
use crate::topology::shared_map::SharedMap;
use crate::topology::spec::{LinkEndId, SegmentId};
use crate::topology::state::{Medium, Wiring};

/// The number of the filter that floods. It is the last one.
const FLOOD: u16 = 0xfff;

/// How link ends are joined at present.
#[derive(Debug, Default)]
pub(super) struct ForwardingTable {
    segments: LiteMap<SegmentId, Segment>,
    /// The filters of each link end, by number. A link end without an entry has no qdisc
    /// for filters yet.
    filters: LiteMap<LinkEndId, LiteMap<u16, Forward>>,
}

#[derive(Debug)]
struct Segment {
    ends: SharedMap<LinkEndId, MacAddr>,
    bridge: Option<LinkEndId>,
}

/// One filter: which frames are sent on which devices.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Forward {
    matches: Match,
    to: Vec<u32>,
}

impl ForwardingTable {
    /// Joins the link ends of a wiring, and no others.
    pub(super) fn join(&mut self, id: SegmentId, wiring: &Wiring) -> Vec<Request> {
        let mut requests = Vec::new();
        let before = self.segments.remove(&id);
        let was_bridge = before.as_ref().and_then(|segment| segment.bridge);
        let known = before.map(|segment| segment.ends).unwrap_or_default();
        let left: Vec<LinkEndId> = known
            .differences(&wiring.ends)
            .into_iter()
            .filter(|end| !wiring.ends.contains_key(end))
            .collect();
        match wiring.medium {
            Medium::Cable | Medium::Hub => {
                if let Some(bridge) = was_bridge {
                    requests.push(link::delete(bridge.ifindex()));
                }
                for end in &left {
                    self.set_filters(*end, LiteMap::new(), &mut requests);
                }
                for end in wiring.ends.keys() {
                    self.set_filters(*end, forwards(*end, wiring), &mut requests);
                }
            }
            Medium::Bridge(bridge) => {
                if was_bridge.is_none() {
                    requests.extend(new_bridge(bridge));
                }
                for end in &left {
                    let free = link::set(end.ifindex()).controller(None);
                    requests.push(free.request().unless_gone());
                }
                // Only new link ends: a bridge may have hundreds.
                let ends = if was_bridge.is_some() { &known } else { &SharedMap::default() };
                let mut new = ends.differences(&wiring.ends);
                new.retain(|end| !ends.contains_key(end));
                for end in new {
                    self.set_filters(end, LiteMap::new(), &mut requests);
                    requests.push(
                        link::set(end.ifindex()).controller(Some(bridge.ifindex())).request(),
                    );
                }
            }
        }
        let bridge = match wiring.medium {
            Medium::Bridge(bridge) => Some(bridge),
            Medium::Cable | Medium::Hub => None,
        };
        self.segments.insert(id, Segment { ends: wiring.ends.clone(), bridge });
        requests
    }

    /// Separates the link ends of a segment.
    pub(super) fn separate(&mut self, id: SegmentId) -> Vec<Request> {
        let mut requests = Vec::new();
        if let Some(segment) = self.segments.remove(&id) {
            for end in segment.ends.keys() {
                self.set_filters(*end, LiteMap::new(), &mut requests);
            }
            requests.extend(segment.bridge.map(|bridge| link::delete(bridge.ifindex())));
        }
        requests
    }

    /// Lets a link end have filters: the request, if it needs one.
    pub(super) fn prepare(&mut self, end: LinkEndId) -> Option<Request> {
        let new = !self.filters.contains_key(&end);
        self.filters.entry(end).or_default();
        new.then(|| qdisc::clsact(end.ifindex()))
    }

    /// The frames of each link end's node that its filters send on one device only, and the
    /// index of that device.
    pub(super) fn fast_paths(&self) -> impl Iterator<Item = (LinkEndId, Match, u32)> {
        self.filters.iter().flat_map(|(end, filters)| {
            let one = |forward: &Forward| match *forward.to {
                [to] => Some((*end, forward.matches, to)),
                _ => None,
            };
            filters.values().filter_map(one)
        })
    }

    /// How many ports the bridge of a segment has; 0 without one.
    pub(super) fn ports_of_bridge(&self, id: SegmentId) -> usize {
        let segment = self.segments.get(&id).filter(|segment| segment.bridge.is_some());
        segment.map_or(0, |segment| segment.ends.len())
    }

    /// The segment of a link end.
    pub(super) fn segment_of(&self, end: LinkEndId) -> Option<SegmentId> {
        let mut segments = self.segments.iter();
        segments.find(|(_, segment)| segment.ends.contains_key(&end)).map(|(id, _)| *id)
    }

    /// Forgets a link end that is deleted, and its filters with it.
    pub(super) fn forget(&mut self, end: LinkEndId) {
        self.filters.remove(&end);
        for (_, segment) in self.segments.iter_mut() {
            segment.ends.remove(&end);
        }
    }

    /// Gives a link end these filters, in place of those that it has.
    fn set_filters(
        &mut self,
        end: LinkEndId,
        wanted: LiteMap<u16, Forward>,
        requests: &mut Vec<Request>,
    ) {
        if wanted.is_empty() && !self.filters.contains_key(&end) {
            return;
        }
        let device = end.ifindex();
        let present = self.filters.entry(end).or_insert_with(|| {
            requests.push(qdisc::clsact(device));
            LiteMap::new()
        });
        for number in present.keys().filter(|number| !wanted.contains_key(number)) {
            requests.push(u32_filter::delete(device, *number));
        }
        for (number, Forward { matches, to }) in &wanted {
            let mode = match present.get(number) {
                Some(before) if before.matches == *matches && before.to == *to => continue,
                // The match of a filter cannot be changed: see `netlink::u32_filter`.
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

/// A bridge with a MAC address and an MTU of its own. Without them, the kernel looks at all
/// ports for the lowest ones, each time that it adds a port (`br_stp_recalculate_bridge_id`,
/// `br_mtu_auto_adjust`). The MTU of a bridge does not limit what it forwards.
fn new_bridge(bridge: LinkEndId) -> [Request; 2] {
    let name = format!("br{}", bridge.0);
    let index = bridge.ifindex();
    let end = NewLink {
        index: Some(index),
        mac: Some(MacAddr::of_bridge(bridge.0)),
        ..NewLink::named(&name)
    };
    [link::bridge(&end), link::set(index).mtu(link::MAX_MTU).request()]
}

/// The filters of one link end of a cable or hub.
fn forwards(end: LinkEndId, wiring: &Wiring) -> LiteMap<u16, Forward> {
    let others: Vec<_> = wiring.ends.iter().filter(|(other, _)| **other != end).collect();
    let all: Vec<u32> = others.iter().map(|(other, _)| other.ifindex()).collect();
    let mut forwards = LiteMap::new();
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
