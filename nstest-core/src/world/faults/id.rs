//! The number of a fault.

/// A fault of a network, numbered in the order in which faults were injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::world) struct FaultId(pub(super) u64);

impl FaultId {
    pub(super) const FIRST: Self = Self(0);

    /// As the wire and the test's log have it.
    pub(super) fn number(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX - 1)
    }
}
