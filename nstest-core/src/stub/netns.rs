//! Network namespaces, on platforms without them: the type has no value.

use crate::error::Result;

#[derive(Debug, Clone)]
pub(crate) enum Namespace {}

impl Namespace {
    pub(crate) fn name(&self) -> &str {
        match *self {}
    }

    pub(crate) fn enter<R>(&self, _: impl FnOnce() -> R) -> Result<R> {
        match *self {}
    }

    pub(crate) fn settle(&self) -> Result<()> {
        match *self {}
    }
}
