//! Every packet of a test, as points at which exploration can inject a fault.

use std::sync::{Arc, Mutex};

use super::mechanisms::Mechanisms;
use crate::error::Result;
use crate::fabric::Fabric;
use crate::frame::Direction;
use crate::sync::lock;
use crate::topology::spec::{LinkEnd, Spec};

/// The points in the order in which they came, each with its packet in words.
type Seen = Arc<Mutex<Vec<(String, String)>>>;

/// Notes the packets of every link.
#[derive(Debug, Default)]
pub(super) struct Census {
    seen: Seen,
    links: Vec<LinkEnd>,
}

impl Census {
    /// Observes the links that are not observed yet. Each packet is noted once: on a LAN
    /// where it leaves its node, between two nodes at the principal end.
    pub(super) fn observe_new(
        &mut self,
        mechanisms: &mut Mechanisms,
        spec: &Spec,
        fabric: &mut Fabric,
    ) -> Result<()> {
        let all = spec.nodes().flat_map(|(id, _)| spec.links_of(id));
        let new: Vec<LinkEnd> =
            all.filter(|end| spec.principal(*end) == *end && !self.links.contains(end)).collect();
        for end in new {
            let both_directions = spec.opposite(end).is_some();
            let seen = Arc::clone(&self.seen);
            mechanisms.pipelines.splice(end, spec, fabric)?;
            mechanisms.pipelines.change(end.id, fabric, |pipeline| {
                pipeline.set_census(Some(Box::new(move |direction, packet, point| {
                    if both_directions || direction == Direction::Egress {
                        lock(&seen).push((point.to_string(), packet.to_string()));
                    }
                })));
            })?;
            self.links.push(end);
        }
        Ok(())
    }

    /// Forgets links that have been made again, so that they are observed again.
    pub(super) fn forget(&mut self, ends: &[LinkEnd]) {
        self.links.retain(|end| !ends.contains(end));
    }

    /// What has been noted.
    pub(super) fn seen(&self) -> Vec<(String, String)> {
        lock(&self.seen).clone()
    }
}
