//! The two hidden devices that the wire has at the end of a link.

use crate::frame::Direction;

/// The index of the first hidden device: far above those of link ends.
pub(crate) const FIRST: u32 = 1 << 24;

/// The indices of a link end's device in the fabric and of its hidden veth pair.
///
/// Egress is redirected to `outer` and arrives on `inner`, where the wire takes it.
/// Ingress is redirected to `inner` and arrives on `outer`.
///
/// What the wire sends has a mark, the index of `outer` for egress and of `inner` for
/// ingress. The mark is of one link end and direction, so that a second wire on the way
/// takes the frame again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HiddenPair {
    pub(crate) link_end: u32,
    pub(crate) outer: u32,
    pub(crate) inner: u32,
}

impl HiddenPair {
    pub(crate) const fn of(link_end: u32) -> Self {
        let outer = FIRST + 2 * link_end;
        Self { link_end, outer, inner: outer + 1 }
    }

    /// The pair with this device, and the direction of frames that arrive on it.
    pub(super) const fn with_device(device: u32) -> Option<(Self, Direction)> {
        let Some(offset) = device.checked_sub(FIRST) else { return None };
        let direction = if offset % 2 == 0 { Direction::Ingress } else { Direction::Egress };
        Some((Self::of(offset / 2), direction))
    }

    /// The device that the wire sends frames of a direction on, if there is no fast path.
    pub(super) const fn sends_on(self, direction: Direction) -> u32 {
        match direction {
            Direction::Egress => self.inner,
            Direction::Ingress => self.link_end,
        }
    }

    /// The device that frames of a direction are redirected to.
    pub(super) const fn redirected_to(self, direction: Direction) -> u32 {
        match direction {
            Direction::Egress => self.outer,
            Direction::Ingress => self.inner,
        }
    }

    /// The mark of frames that the wire sends in a direction.
    pub(crate) const fn mark(self, direction: Direction) -> u32 {
        self.redirected_to(direction)
    }

    pub(crate) fn outer_name(self) -> String {
        format!("w{}a", self.link_end)
    }

    pub(crate) fn inner_name(self) -> String {
        format!("w{}b", self.link_end)
    }
}
