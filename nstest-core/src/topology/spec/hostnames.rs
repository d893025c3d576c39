//! Finds the node that has a hostname, without a look at all of them.

use super::{NodeId, NodeSpec, Spec};
use crate::topology::names::NodeName;
use crate::topology::shared_map::{Key, SharedMap};

/// How many buckets there are. A map with one entry for each hostname would be copied whole at
/// each change; buckets are copied by the chunk.
const BUCKETS: u32 = 1024;

/// Nodes by the bucket of their hostname.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hostnames(SharedMap<Bucket, Vec<NodeId>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bucket(u32);

impl Key for Bucket {
    fn number(self) -> u32 {
        self.0
    }
}

impl Bucket {
    /// By FNV-1a, with the parameters for 32 bits.
    fn of(name: &NodeName) -> Self {
        let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Self(name.hostname().bytes().fold(0x811c_9dc5, mix) % BUCKETS)
    }
}

impl Hostnames {
    pub(super) fn insert(&mut self, name: &NodeName, id: NodeId) {
        let bucket = Bucket::of(name);
        match self.0.get_mut(&bucket) {
            Some(nodes) => nodes.push(id),
            None => self.0.insert(bucket, vec![id]),
        }
    }

    pub(super) fn remove(&mut self, name: &NodeName, id: NodeId) {
        let bucket = Bucket::of(name);
        let Some(nodes) = self.0.get_mut(&bucket) else { return };
        nodes.retain(|node| *node != id);
        if nodes.is_empty() {
            self.0.remove(&bucket);
        }
    }
}

impl Spec {
    /// The node with a name that a resolver would not tell from this one.
    pub(super) fn colliding(&self, name: &NodeName) -> Option<&NodeSpec> {
        let nodes = self.hostnames.0.get(&Bucket::of(name)).into_iter().flatten();
        let mut nodes = nodes.filter_map(|id| self.nodes.get(id));
        nodes.find(|node| node.name.collides_with(name)).map(|node| &**node)
    }
}
