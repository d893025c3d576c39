//! A whole list of changes: carries it out, or undoes it.

use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

use super::base::{Fabric, Stopped};
use super::logging;
use super::node_factory::NodeFactory;
use super::request_queue::RequestQueue;
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::refusal;
use crate::node::{Panics, reserve_open_files};
use crate::topology::changes::{Change, Changes};
use crate::topology::spec::LinkEndId;

impl Fabric {
    /// Creates the fabric, and carries out the first changes.
    pub(crate) fn build(panics: &Arc<Panics>, changes: &Changes) -> Result<Self> {
        let factory = NodeFactory::of(changes, panics);
        factory.with_helpers(factory.helpers(), || {
            let mut fabric = Self::new(Arc::clone(panics))?;
            fabric.carry_out_with(changes, &factory).map_err(|stopped| stopped.error)?;
            Ok(fabric)
        })
    }

    /// Carries out changes in their order, up to the first error.
    pub(crate) fn carry_out(&mut self, changes: &Changes) -> Result<(), Stopped> {
        self.check_owned().map_err(|error| Stopped { done: 0, error })?;
        self.carry_out_restoring(changes)
            .map_err(|Stopped { done, error }| Stopped { done, error: after_a_program(error) })
    }

    /// [`carry_out`](Self::carry_out) while a node is restored, so that its errors do not
    /// advise that.
    pub(super) fn carry_out_restoring(&mut self, changes: &Changes) -> Result<(), Stopped> {
        let factory = NodeFactory::of(changes, &self.panics);
        self.carry_out_with(changes, &factory)
    }

    fn carry_out_with(
        &mut self,
        changes: &Changes,
        factory: &NodeFactory<'_>,
    ) -> Result<(), Stopped> {
        let began = SystemTime::now();
        let new = changes.list.iter().filter(|change| matches!(change, Change::AddNode { .. }));
        reserve_open_files(self.members.len() + new.count());
        let mut list = changes.list.iter().enumerate();
        let result = list.try_for_each(|(index, change)| {
            self.perform(change, factory).map_err(|error| (index, error))
        });
        let result = result.and_then(|()| {
            self.flush()
                .and_then(|()| self.await_addresses())
                .map_err(|error| (changes.list.len(), error))
        });
        self.written.clear();
        self.note_unwritten();
        logging::record(began, &changes.list);
        result.map_err(|(done, error)| {
            self.requests = RequestQueue::default();
            Stopped { done, error }
        })
    }

    /// Undoes changes that were stopped, by the changes that lead back. It ignores refusals:
    /// what does not exist is as it must be, and the first error is the one to report.
    pub(crate) fn take_back(&mut self, changes: &Changes) {
        let factory = NodeFactory::of(changes, &self.panics);
        for change in &changes.list {
            if self.perform(change, &factory).and_then(|()| self.flush()).is_err() {
                self.requests = RequestQueue::default();
            }
        }
        let _ = self.await_addresses();
    }

    /// The error of a change of a link, with the interface that a program has removed, if that
    /// is why.
    pub(super) fn as_removed(&self, end: LinkEndId, error: Error) -> Error {
        let mut members = self.members.values();
        let removed = members.find_map(|member| {
            let known = member.links.values().find(|known| known.end == end)?;
            Some((member.executor.name(), &known.name))
        });
        match removed {
            Some((node, name)) if refusal(&error) == Some(Errno::ENODEV) => Error::new(
                ErrorCode::Netlink,
                format!("change the link of `{name}` of node `{node}`"),
            )
            .source("a program of the test has removed this interface")
            .help("put the node back with `node.restore()` first"),
            _ => error,
        }
    }
}

/// The remedy where the kernel refuses what fits the topology: a node is not as it was left.
fn after_a_program(error: Error) -> Error {
    // EACCES: IPv6 is switched off. EHOSTUNREACH: a gateway is on no subnet (IPv6).
    // EINVAL: the MTU is less than IPv6 needs, or a gateway is an address of the node.
    let lacks = [
        Errno::ENODEV,
        Errno::ENETDOWN,
        Errno::ENETUNREACH,
        Errno::EHOSTUNREACH,
        Errno::EACCES,
        Errno::EINVAL,
    ];
    if !refusal(&error).is_some_and(|errno| lacks.contains(&errno)) {
        return error;
    }
    error.help(
        "if a program of the test has removed an interface, address or route, switched an \
         interface or IPv6 off, or lowered an MTU, put the node back with `node.restore()` first",
    )
}
