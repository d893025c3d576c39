//! The view of a node where there are no namespaces.

use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View {}

impl View {
    pub(super) fn take(&self) -> Result<()> {
        match *self {}
    }
}
