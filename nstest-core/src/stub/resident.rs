//! Threads that live in a node, on platforms without network namespaces.

use std::io;

use super::view::View;
use crate::error::{Error, ErrorCode, Result};
use crate::netns::Namespace;

#[derive(Debug)]
pub(super) enum Resident {}

impl Resident {
    pub(super) fn start(namespace: &Namespace, _: &View) -> Result<Self> {
        match *namespace {}
    }

    pub(super) fn perform<R: Send + 'static>(
        &self,
        _: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R> {
        match *self {}
    }
}

pub(super) fn no_thread(step: String, _: &io::Error) -> Error {
    Error::new(ErrorCode::Namespace, step)
}
