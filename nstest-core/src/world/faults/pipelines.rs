//! The ends of links at which frames pass the wire, each with its pipeline.

use std::sync::{Arc, Mutex, MutexGuard};

use litemap::LiteMap;

use super::targets::target_of;
use super::traffic::Traffic;
use crate::error::{Error, ErrorCode, Result};
use crate::fabric::Fabric;
use crate::fault::packets::Packets;
use crate::fault::pipeline::{Pipeline, RuleId, RuleProgress};
use crate::fault::rule::Rule;
use crate::sync::lock;
use crate::topology::spec::{LinkEnd, LinkEndId, Spec};

/// A [`Pipeline`] decides about each frame at its link end. It stays until the link is removed.
#[derive(Debug)]
pub(super) struct Pipelines {
    seed: u64,
    traffic: Option<Arc<Traffic>>,
    by_end: LiteMap<LinkEndId, Arc<Mutex<Pipeline>>>,
}

impl Pipelines {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, traffic: None, by_end: LiteMap::new() }
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The seed of every random decision. To be set before the first fault.
    pub(super) fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// Has every pipeline made from now on note its packets here.
    pub(super) fn observe_traffic(&mut self) {
        self.traffic.get_or_insert_default();
    }

    pub(super) fn traffic(&self) -> Option<&Arc<Traffic>> {
        self.traffic.as_ref()
    }

    /// Whether frames pass the wire at this end.
    pub(super) fn is_at(&self, end: LinkEnd) -> bool {
        self.by_end.contains_key(&end.id)
    }

    /// Splices the wire in at this end, if it is not there yet.
    pub(super) fn splice(&mut self, end: LinkEnd, spec: &Spec, fabric: &mut Fabric) -> Result<()> {
        if self.is_at(end) { Ok(()) } else { self.splice_with(end, spec, fabric, |_| ()) }
    }

    /// Changes the pipeline at this end. If there is none, splices the wire in with a
    /// pipeline that has the change from its first frame on.
    pub(super) fn splice_with(
        &mut self,
        end: LinkEnd,
        spec: &Spec,
        fabric: &mut Fabric,
        change: impl FnOnce(&mut Pipeline),
    ) -> Result<()> {
        if self.is_at(end) {
            return self.change(end.id, fabric, change);
        }
        fabric.begin_wire()?; // it goes on while the rest is prepared
        let mut pipeline = Pipeline::new(self.seed, &target_of(spec, end)?.to_string());
        if let Some(traffic) = &self.traffic {
            let (traffic, end) = (Arc::clone(traffic), end.id);
            pipeline.set_traffic(Box::new(move |direction, view, sent| {
                traffic.note(end, direction, view, sent);
            }));
        }
        pipeline.set_earlier(fabric.earlier_flows(end, spec));
        change(&mut pipeline);
        let pipeline = Arc::new(Mutex::new(pipeline));
        fabric.splice(end.id, Arc::clone(&pipeline) as _)?;
        self.by_end.insert(end.id, pipeline);
        Ok(())
    }

    /// The pipeline at this end, if there is one. After a change that concerns how
    /// frames are to come, call [`Fabric::refresh`].
    pub(super) fn at(&self, end: LinkEndId) -> Option<MutexGuard<'_, Pipeline>> {
        self.by_end.get(&end).map(|pipeline| lock(pipeline))
    }

    /// Changes the pipeline at this end, if there is one.
    pub(super) fn change(
        &self,
        end: LinkEndId,
        fabric: &mut Fabric,
        change: impl FnOnce(&mut Pipeline),
    ) -> Result<()> {
        let Some(mut pipeline) = self.at(end) else { return Ok(()) };
        change(&mut pipeline);
        drop(pipeline);
        fabric.refresh(end)
    }

    /// Adds a rule at an end that has a pipeline.
    ///
    /// # Errors
    /// `fault`, if its connection cannot be found by its number.
    pub(super) fn add_rule(
        &self,
        end: LinkEndId,
        rule: Rule,
        progress: RuleProgress,
        fabric: &mut Fabric,
    ) -> Result<RuleId> {
        self.check_connection(end, &rule.packets, rule.receipt.fault())?;
        let id = lock(&self.by_end[&end]).add(rule, progress);
        if let Err(error) = fabric.refresh(end) {
            let _ = self.remove_rule(end, id, fabric); // the first error is the one to report
            return Err(error);
        }
        Ok(id)
    }

    /// Checks that the connection of a packet filter can be found by its number, if it has one.
    ///
    /// # Errors
    /// `fault`, if it cannot.
    pub(super) fn check_connection(
        &self,
        end: LinkEndId,
        packets: &Packets,
        fault: &str,
    ) -> Result<()> {
        let Some(why) = self.at(end).and_then(|it| it.connection_problem(packets)) else {
            return Ok(());
        };
        Err(Error::new(ErrorCode::Fault, format!("find the connection of the fault `{fault}`"))
            .source(why)
            .help(
                "inject it before these connections are made; or select the packets by their \
                 addresses and ports",
            ))
    }

    pub(super) fn remove_rule(
        &self,
        end: LinkEndId,
        rule: RuleId,
        fabric: &mut Fabric,
    ) -> Result<()> {
        self.change(end, fabric, |pipeline| {
            pipeline.remove(rule);
        })
    }

    /// Forgets those of links that were removed.
    pub(super) fn retain(&mut self, stays: impl Fn(LinkEndId) -> bool) {
        self.by_end.retain(|end, _| stays(*end));
    }
}
