//! Logs changes of the network, for the record of the test.

use std::time::SystemTime;

use nix::errno::Errno;

use crate::evidence::timeline::TimelineEvent;
use crate::recorder;
use crate::snapshot::nodes;
use crate::topology::changes::{Change, NodeRef};

/// Logs changes that were carried out, or that were tried, since a time.
pub(super) fn record(began: SystemTime, changes: &[Change]) {
    recorder::record_since(began, || changes.iter().filter_map(event).collect());
}

/// Logs a node that no change has added.
pub(super) fn adopted(at: &NodeRef) {
    recorder::record(|| vec![added(at)]);
}

/// Logs why packets are missing in the record.
pub(super) fn not_recorded(errno: Errno) {
    let text = format!("the packets were not recorded: {errno}");
    recorder::record(|| vec![TimelineEvent::Note { text }]);
}

/// The event for a change that was carried out, if readers need it.
fn event(change: &Change) -> Option<TimelineEvent> {
    Some(match change {
        Change::AddNode { at, .. } => added(at),
        Change::DelNode { at } => TimelineEvent::NodeRemoved { node: at.id.0.into() },
        Change::AddLink { at, link, .. } => TimelineEvent::InterfaceAdded {
            node: at.id.0.into(),
            name: link.name.clone(),
            link_end: link.end.ifindex(),
            mac: link.mac.to_string(),
        },
        Change::DelLink { end, .. } => TimelineEvent::InterfaceRemoved { link_end: end.ifindex() },
        Change::AddAddr { at, device, addr, len, .. } => TimelineEvent::AddressAdded {
            node: at.id.0.into(),
            interface: device.clone(),
            address: format!("{addr}/{len}"),
        },
        Change::DelAddr { at, device, addr, len, .. } => TimelineEvent::AddressRemoved {
            node: at.id.0.into(),
            interface: device.clone(),
            address: format!("{addr}/{len}"),
        },
        Change::AddRoute { at, route } => {
            TimelineEvent::RouteAdded { node: at.id.0.into(), route: route.to_string() }
        }
        Change::DelRoute { at, route } => {
            TimelineEvent::RouteRemoved { node: at.id.0.into(), route: route.to_string() }
        }
        Change::SetRules { at, rules } => TimelineEvent::RouterRules {
            node: at.id.0.into(),
            wan: rules.wan.clone(),
            rules: rules.described.clone(),
        },
        Change::Wire { segment, wiring } => TimelineEvent::Network {
            network: segment.0.into(),
            title: wiring.title.clone(),
            link_ends: wiring.ends.keys().map(|end| end.ifindex()).collect(),
        },
        Change::Unwire { segment, .. } => {
            TimelineEvent::NetworkRemoved { network: segment.0.into() }
        }
        _ => return None,
    })
}

fn added(at: &NodeRef) -> TimelineEvent {
    let (node, name, netns) = (at.id.0.into(), at.name.clone(), nodes::netns(at.id));
    TimelineEvent::NodeAdded { node, name, netns }
}
