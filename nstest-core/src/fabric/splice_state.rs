//! Where the wire is spliced in, and the filters that lead frames to it and back.

use std::collections::BTreeSet;

use crate::frame::Direction;
use crate::netlink::bpf_filter::{BpfFilter, ClsactHook, FilterAction, MarkMatch};
use crate::topology::spec::LinkEndId;
use crate::wire::{HiddenPair, Wire};

/// The wire, and the link ends that have no fast path.
#[derive(Debug, Default)]
pub(super) struct SpliceState {
    /// `None` until a fault needs it: a test without faults does not pay for it.
    pub(super) wire: Option<Wire>,
    /// The link ends that are down: nothing that their nodes have sent is forwarded.
    pub(super) down: BTreeSet<LinkEndId>,
    /// The link ends that have a qdisc.
    pub(super) shaped: BTreeSet<LinkEndId>,
}

/// The filters of the hidden devices. What the wire has sent is received on the link end's
/// device, as if it came from the node. What the wire takes is dropped.
pub(super) fn filters_from_wire(pair: HiddenPair) -> [BpfFilter; 3] {
    let HiddenPair { link_end, outer, inner } = pair;
    let mark = pair.mark(Direction::Egress);
    let hook = ClsactHook::Ingress;
    [
        BpfFilter {
            device: outer,
            hook,
            matches: MarkMatch::With(mark),
            action: FilterAction::ReceiveOn(link_end),
        },
        BpfFilter {
            device: outer,
            hook,
            matches: MarkMatch::Without(mark),
            action: FilterAction::Drop,
        },
        BpfFilter {
            device: inner,
            hook,
            matches: MarkMatch::Without(mark),
            action: FilterAction::Drop,
        },
    ]
}

/// The filters of the link end's device. What the wire has not sent is redirected to the
/// hidden devices.
pub(super) fn filters_to_wire(pair: HiddenPair) -> [BpfFilter; 2] {
    let HiddenPair { link_end, outer, inner } = pair;
    let matches = |direction| MarkMatch::Without(pair.mark(direction));
    [
        BpfFilter {
            device: link_end,
            hook: ClsactHook::Ingress,
            matches: matches(Direction::Egress),
            action: FilterAction::SendOn(outer),
        },
        BpfFilter {
            device: link_end,
            hook: ClsactHook::Egress,
            matches: matches(Direction::Ingress),
            action: FilterAction::SendOn(inner),
        },
    ]
}
