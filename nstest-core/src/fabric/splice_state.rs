//! Where the wire is spliced in, and the filters that lead frames to it and back.

use std::collections::BTreeSet;

use litemap::LiteMap;

use crate::frame::{Direction, Discovery};
use crate::netlink::bpf_filter::{BpfFilter, ClsactHook, FilterAction, MAX_ADDRESSES, MarkMatch};
use crate::topology::spec::LinkEndId;
use crate::wire::{HiddenPair, Wire};

/// The wire, and the link ends that have no fast path.
#[derive(Debug, Default)]
pub(super) struct SpliceState {
    /// `None` until a fault needs it: a test without faults does not pay for it.
    pub(super) wire: Option<Wire>,
    /// The neighbour discovery that comes to the wire, by link end.
    pub(super) discovery: LiteMap<LinkEndId, Discovery>,
    /// Whether the stage of a link end needs segments, as it was when frames were adapted to it.
    pub(super) segments: LiteMap<LinkEndId, bool>,
    /// The link ends that are down: nothing that their nodes have sent is forwarded.
    pub(super) down: BTreeSet<LinkEndId>,
}

/// The filters of the hidden devices. What the wire has sent is received on the link end's
/// device, as if it came from the node. What the wire takes is dropped.
pub(super) fn filters_from_wire(pair: HiddenPair) -> [BpfFilter; 3] {
    let HiddenPair { link_end, outer, inner } = pair;
    let mark = pair.mark(Direction::Egress);
    let filter = |device, number, matches, action| {
        let hook = ClsactHook::Ingress;
        BpfFilter { device, hook, number, matches, discovery_of: None, action }
    };
    [
        filter(outer, 1, MarkMatch::With(mark), FilterAction::ReceiveOn(link_end)),
        filter(outer, 2, MarkMatch::Without(mark), FilterAction::Drop),
        filter(inner, 1, MarkMatch::Without(mark), FilterAction::Drop),
    ]
}

/// The filters of the link end's device. What the wire has not sent is redirected to the
/// hidden devices, but of neighbour discovery this part only.
pub(super) fn filters_to_wire(pair: HiddenPair, discovery: &Discovery) -> [BpfFilter; 2] {
    let HiddenPair { link_end, outer, inner } = pair;
    let filter = |hook, direction, to| BpfFilter {
        device: link_end,
        hook,
        number: 1,
        matches: MarkMatch::Without(pair.mark(direction)),
        discovery_of: match discovery {
            Discovery::Of(hosts) if hosts.len() <= MAX_ADDRESSES => {
                Some(hosts.iter().copied().collect())
            }
            _ => None,
        },
        action: FilterAction::SendOn(to),
    };
    [
        filter(ClsactHook::Ingress, Direction::Egress, outer),
        filter(ClsactHook::Egress, Direction::Ingress, inner),
    ]
}
