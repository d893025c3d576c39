//! Waiting until everything in the test sleeps, on platforms without network namespaces.

use super::panics::Panics;

/// There are no nodes, so there are no threads in them.
pub(crate) fn settle(panics: &Panics, _isolated: bool) {
    debug_assert_eq!(panics.unfinished(), 0);
}
