//! Carrying plans out: from operations to the kernel.
//!
//! The fabric is a hidden network namespace where all cables end. Nodes see
//! their own ends only, so whatever is done to a cable later is done here, and
//! no node notices our devices, filters or rules.
//!
//! - this file: what is there, and plans as a whole;
//! - [`ahead`]: nodes made by several threads;
//! - [`carrier`]: cables pulled and plugged in again;
//! - [`perform`]: one operation after the other;
//! - [`queue`]: requests that wait for others to the same socket;
//! - [`hosts`]: what names resolve to;
//! - [`member`]: what is held of each node;
//! - [`wiring`]: which port's frames go where;
//! - [`taps`]: the wire spliced into ports;
//! - [`shape`]: qdiscs for what comes to a node;
//! - [`rules`]: nftables for routers.

mod ahead;
mod carrier;
mod hosts;
mod member;
mod perform;
mod queue;
mod rules;
mod shape;
mod taps;
mod wiring;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, ErrorCode, Result};
use crate::layout::NODE;
use crate::netlink::{NetlinkFamily, Socket};
use crate::netns::Namespace;
use crate::node::{NodeExecutor, Panics};
use crate::sysctl;
pub(crate) use crate::sysctl::has_ipv6;
use crate::topology::changes::{Changes, NodeRef};
use crate::topology::spec::NodeId;
use ahead::Ahead;
use member::Member;
use queue::Queue;
use taps::Taps;
use wiring::Joints;

/// What is there in the kernel.
#[derive(Debug)]
pub(crate) struct Fabric {
    namespace: Namespace,
    route: Socket,
    members: BTreeMap<NodeId, Member>,
    joints: Joints,
    taps: Taps,
    queue: Queue,
    /// What could not be set in nodes that were just made, for the operation that says so.
    written: BTreeMap<NodeId, Vec<sysctl::Unwritten>>,
    panics: Arc<Panics>,
    /// Settings that the machine did not let us write, each once.
    notes: Vec<String>,
}

/// A plan that came to a stop.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// How many of its operations were carried out, the last perhaps in part.
    pub(crate) done: usize,
    pub(crate) error: Error,
}

impl Fabric {
    /// Makes the fabric, and carries out the first plan.
    pub(crate) fn build(panics: &Arc<Panics>, changes: &Changes) -> Result<Self> {
        let ahead = Ahead::of(changes, panics);
        ahead.with_helpers(ahead.helpers(), || {
            let mut fabric = Self::new(Arc::clone(panics))?;
            fabric.carry_out_with(changes, &ahead).map_err(|stopped| stopped.error)?;
            Ok(fabric)
        })
    }

    fn new(panics: Arc<Panics>) -> Result<Self> {
        let (namespace, (route, unwritten)) = Namespace::create("the fabric", || {
            // It says nothing. It forwards nothing either, having no address and no route.
            let unwritten = sysctl::write_all([("ipv6/conf/all/disable_ipv6", "1")]);
            Ok((Socket::open(NetlinkFamily::Route, "the fabric")?, unwritten))
        })?;
        let mut fabric = Self {
            namespace,
            route,
            members: BTreeMap::new(),
            joints: Joints::default(),
            taps: Taps::default(),
            queue: Queue::default(),
            written: BTreeMap::new(),
            panics,
            notes: Vec::new(),
        };
        fabric.note(&unwritten);
        Ok(fabric)
    }

    /// Takes the namespace that the test is in as its node, and changes nothing in it.
    pub(crate) fn adopt(&mut self) -> Result<()> {
        let at = NodeRef { id: NodeId::TEST, name: NODE.to_owned() };
        let (member, _) = Member::of_test(&at, NODE, &[], &self.panics)?;
        self.members.insert(at.id, member);
        Ok(())
    }

    /// The inside of a node.
    pub(crate) fn executor(&self, id: NodeId) -> Option<&Arc<NodeExecutor>> {
        Some(&self.members.get(&id)?.executor)
    }

    /// What could not be set on this machine, and was left as it is.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Carries out a plan.
    pub(crate) fn carry_out(&mut self, changes: &Changes) -> Result<(), Stopped> {
        let ahead = Ahead::of(changes, &self.panics);
        self.carry_out_with(changes, &ahead)
    }

    fn carry_out_with(&mut self, changes: &Changes, ahead: &Ahead<'_>) -> Result<(), Stopped> {
        let mut list = changes.list.iter().enumerate();
        let result = list.try_for_each(|(index, change)| {
            self.perform(change, ahead).map_err(|error| (index, error))
        });
        let result = result.and_then(|()| {
            self.flush()
                .and_then(|()| self.await_addresses())
                .map_err(|error| (changes.list.len(), error))
        });
        self.written.clear();
        result.map_err(|(done, error)| {
            self.queue = Queue::default();
            Stopped { done, error }
        })
    }

    /// Takes back what was done of a plan. What is gone already is as it should
    /// be, so refusals are no errors here: the first error is the one to report.
    pub(crate) fn take_back(&mut self, changes: &Changes) {
        let ahead = Ahead::of(changes, &self.panics);
        for change in &changes.list {
            if self.perform(change, &ahead).and_then(|()| self.flush()).is_err() {
                self.queue = Queue::default();
            }
        }
        let _ = self.await_addresses();
    }

    #[cfg(test)]
    pub(crate) fn visit<R>(&self, body: impl FnOnce() -> R) -> R {
        self.namespace.enter(body).unwrap()
    }

    pub(crate) fn member(&mut self, at: &NodeRef) -> Result<&mut Member> {
        self.members.get_mut(&at.id).ok_or_else(|| {
            Error::new(ErrorCode::Namespace, format!("reach node {at}, which has been removed"))
        })
    }

    fn note(&mut self, unwritten: &[sysctl::Unwritten]) {
        for sysctl::Unwritten { key, value, cause } in unwritten {
            let note = format!("could not set net/{key} to {value}: {cause}");
            self.add_note(note);
        }
    }

    /// Each is told once.
    pub(crate) fn add_note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            eprintln!("nstest: note: {note}");
            self.notes.push(note);
        }
    }
}
