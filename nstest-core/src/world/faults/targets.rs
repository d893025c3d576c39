//! From what a fault names to ends of links. Pure functions of a `Spec`.
//!
//! A link between two nodes has two ends, and so two names. Rules and conditions are
//! put at one of them, its *principal* end (`Spec::principal`), where egress and
//! ingress may be the reverse of what the fault says.

use crate::error::Result;
use crate::fault::{Fault, FaultEffect, FaultTarget};
use crate::frame::Direction;
use crate::topology::gone;
use crate::topology::spec::{LinkEnd, Spec};

/// One direction of a link, as its principal end sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DirectedLink {
    pub(super) end: LinkEnd,
    pub(super) direction: Direction,
}

impl DirectedLink {
    /// The direction of a link that one of its ends calls `direction`.
    pub(super) fn of(spec: &Spec, end: LinkEnd, direction: Direction) -> Self {
        let principal = spec.principal(end);
        let direction = if principal == end { direction } else { direction.reverse() };
        Self { end: principal, direction }
    }

    /// The same direction, as another end of the link sees it.
    pub(super) fn seen_from(self, end: LinkEnd) -> Direction {
        if self.end == end { self.direction } else { self.direction.reverse() }
    }
}

/// How faults call the link of this end.
///
/// # Errors
/// `not-found`, if the link has been removed.
pub(in crate::world) fn target_of(spec: &Spec, end: LinkEnd) -> Result<FaultTarget> {
    let (node, interface) = spec.link_names(end).ok_or_else(|| gone("link"))?;
    Ok(FaultTarget::Link { node: node.to_owned(), interface: interface.map(str::to_owned) })
}

/// What becomes of a node that a partition names and that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MissingNode {
    /// It is an error.
    Refuse,
    /// The partition separates the others.
    Skip,
}

/// The ends of links that a fault is about. `handle` is the link end of the handle that
/// the fault comes from. The link of any other fault is looked up by name.
///
/// # Errors
/// `not-found`, if the link or a node does not exist.
pub(super) fn resolve(
    spec: &Spec,
    fault: &Fault,
    handle: Option<LinkEnd>,
    missing: MissingNode,
) -> Result<Vec<LinkEnd>> {
    if let Some(LinkEnd { node, slot, .. }) = handle {
        let (_, id) = spec.interface(node, slot).ok_or_else(|| gone("link"))?;
        return Ok(vec![LinkEnd { node, slot, id }]);
    }
    match (fault.target(), fault.effect()) {
        (FaultTarget::Link { node, interface }, _) => {
            Ok(vec![spec.find_link(node, interface.as_deref())?])
        }
        (FaultTarget::Net, FaultEffect::Partition(partition)) => {
            let mut ends = Vec::new();
            for name in partition.nodes() {
                match spec.find_node(name) {
                    Ok(id) => ends.extend(spec.links_of(id)),
                    Err(error) if missing == MissingNode::Refuse => return Err(error),
                    // It was removed, and another may come with its name.
                    Err(_) => {}
                }
            }
            Ok(ends)
        }
        (FaultTarget::Net, _) => Ok(Vec::new()), // refused by `Fault::check`
    }
}

/// All ends of a link: one on a LAN, two between two nodes.
pub(super) fn all_ends(spec: &Spec, end: LinkEnd) -> Vec<LinkEnd> {
    std::iter::once(end).chain(spec.opposite(end)).collect()
}

/// The directions that a fault is about.
pub(super) fn directions(fault: &Fault) -> &[Direction] {
    match &fault.direction {
        Some(one) => std::slice::from_ref(one),
        None => &Direction::BOTH,
    }
}
