//! Partitions: who hears whom no longer.

use super::Force;
use crate::error::Result;
use crate::fault::rule::{Others, Rule};
use crate::fault::{Partition, Receipt};
use crate::frame::Direction;
use crate::topology::spec::LinkEnd;
use crate::world::network::Network;

impl Network {
    /// At every interface of the nodes: nothing comes in that one of the others
    /// sent, by MAC address on one link, by IP address across routers; and nothing
    /// goes out to them, which a router on the way might translate.
    pub(super) fn keep_apart(
        &mut self,
        partition: &Partition,
        receipt: &Receipt,
        ends: &[LinkEnd],
        forces: &mut Vec<Force>,
    ) -> Result<()> {
        for end in ends {
            let spec = self.topology.spec();
            let Ok(node) = spec.node(end.node) else { continue };
            let name = node.name();
            let others = [
                (Direction::Ingress, spec.identities(partition.cut_off_from(name))),
                (Direction::Egress, spec.identities(partition.out_of_reach_of(name))),
            ];
            for (direction, identities) in others {
                if identities.macs.is_empty() {
                    continue;
                }
                let others = Others { macs: identities.macs, ips: identities.ips };
                let rule = Rule::apart(direction, others, receipt.clone());
                let rule = self.port(*end)?.add(rule);
                forces.push(Force::Rule(end.port, rule));
                self.fabric.refresh(end.port)?;
            }
        }
        Ok(())
    }
}
