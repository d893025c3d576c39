//! The fabric where there are no network namespaces: none is ever made.

use std::sync::{Arc, Mutex};

use crate::error::{Error, ErrorCode, Result};
use crate::fault::pipeline::earlier::EarlierFlows;
use crate::frame::Stage;
use crate::node::{NodeExecutor, Panics};
use crate::topology::changes::{Changes, NodeRef};
use crate::topology::spec::{ForeignNames, LinkEnd, LinkEndId, NodeId, Outdated, Spec, Translated};
use crate::topology::state::{NetworkState, NodeState};

pub(crate) fn has_ipv6() -> bool {
    true
}

pub(crate) fn why_no_ipv6() -> String {
    String::new()
}

pub(crate) fn remove_remains() -> Result<()> {
    Ok(())
}

#[derive(Debug)]
pub(crate) enum Fabric {}

#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) done: usize,
    pub(crate) error: Error,
}

impl Fabric {
    pub(crate) fn build(_: &Arc<Panics>, _: &Changes) -> Result<Self> {
        Err(Error::new(ErrorCode::Platform, "build a network").help(
            "nstest needs the network namespaces of Linux: run the tests there, outside of Miri",
        ))
    }

    pub(crate) fn attach_to_nodes(panics: &Arc<Panics>, changes: &Changes) -> Result<Self> {
        Self::build(panics, changes)
    }

    pub(crate) fn check_owned(&self) -> Result<()> {
        match *self {}
    }

    pub(crate) fn adopt(&mut self) -> Result<()> {
        match *self {}
    }

    pub(crate) fn executor(&self, _: NodeId) -> Option<&Arc<NodeExecutor>> {
        match *self {}
    }

    pub(crate) fn notes(&self) -> &[String] {
        match *self {}
    }

    pub(crate) fn add_note(&mut self, _: String) {
        match *self {}
    }

    pub(crate) fn carry_out(&mut self, _: &Changes) -> Result<(), Stopped> {
        match *self {}
    }

    pub(crate) fn taken_names(&mut self, _: &Changes) -> Result<ForeignNames> {
        match *self {}
    }

    pub(crate) fn restore(
        &mut self,
        _: &NodeRef,
        _: &NodeState,
        _: &NetworkState,
    ) -> Result<Vec<LinkEndId>> {
        match *self {}
    }

    pub(crate) fn earlier_flows(&self, _: LinkEnd, _: &Spec) -> EarlierFlows {
        match *self {}
    }

    pub(crate) fn links_are_used(&mut self) {
        match *self {}
    }

    pub(crate) fn translated(&mut self, _: &NodeRef) -> Result<Vec<Translated>> {
        match *self {}
    }

    pub(crate) fn update_neighbours(&mut self, _: &Changes, _: &Outdated) -> Result<(), Stopped> {
        match *self {}
    }

    pub(crate) fn take_back(&mut self, _: &Changes) {
        match *self {}
    }

    pub(crate) fn set_carrier(&mut self, _: &[(NodeId, u8, LinkEndId)], _: bool) -> Result<()> {
        match *self {}
    }

    pub(crate) fn splice(&mut self, _: LinkEndId, _: Arc<Mutex<dyn Stage>>) -> Result<()> {
        match *self {}
    }

    pub(crate) fn begin_wire(&mut self) -> Result<()> {
        match *self {}
    }

    pub(crate) fn refresh(&mut self, _: LinkEndId) -> Result<()> {
        match *self {}
    }

    pub(crate) fn end_wire(&mut self) {
        match *self {}
    }

    pub(crate) fn settle_wire(&self) {
        match *self {}
    }

    pub(crate) fn ask_again(&mut self, _: impl Iterator<Item = LinkEndId>) -> Result<()> {
        match *self {}
    }

    #[cfg(test)]
    pub(crate) fn visit<R>(&self, _: impl FnOnce() -> R) -> R {
        match *self {}
    }

    pub(crate) fn wire_failure(&self) -> Option<String> {
        match *self {}
    }
}
