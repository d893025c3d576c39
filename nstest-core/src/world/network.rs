//! What all handles of a test's network share.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use super::faults::{FaultId, Faults, Scheduled, Scheduler};
#[cfg(feature = "dns")]
use super::resolver::Resolver;
use crate::error::Result;
use crate::fabric::{Fabric, Stopped};
use crate::node::Panics;
use crate::sync::lock;
use crate::topology::changes::NodeRef;
use crate::topology::spec::{ForeignNames, NodeId, Spec};
use crate::topology::{Topology, Transition};

/// A test's network, behind one lock. Cheap to clone: every handle has one.
#[derive(Debug, Clone)]
pub(crate) struct SharedNetwork {
    network: Arc<Mutex<Network>>,
    pub(super) panics: Arc<Panics>,
    #[cfg(feature = "dns")]
    resolvers: Arc<Mutex<Vec<Resolver>>>,
}

/// What the test asked for, what there is in the kernel, and what goes wrong.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) topology: Topology,
    pub(super) fabric: Fabric,
    pub(super) faults: Faults,
}

impl SharedNetwork {
    /// Builds the first network of a test.
    pub(super) fn build(spec: Spec) -> Result<Self> {
        let Transition { changes, next } = Topology::first(spec)?;
        let panics = Arc::new(Panics::default());
        let mut fabric = Fabric::build(&panics, &changes)?;
        if next.spec().joins_namespace() {
            fabric.adopt()?; // it has no changes, and code runs in it all the same
        }
        Ok(Self::of(next, fabric, panics))
    }

    /// The first network of a test, which another process has built.
    pub(super) fn attach(spec: Spec) -> Result<Self> {
        let Transition { changes, next } = Topology::first(spec)?;
        let panics = Arc::new(Panics::default());
        let mut fabric = Fabric::attach_to_nodes(&panics, &changes)?;
        if next.spec().joins_namespace() {
            fabric.adopt()?;
        }
        Ok(Self::of(next, fabric, panics))
    }

    fn of(topology: Topology, fabric: Fabric, panics: Arc<Panics>) -> Self {
        let network = Arc::new_cyclic(|network| {
            let faults = Faults::new(Scheduler::new(Weak::clone(network)));
            Mutex::new(Network { topology, fabric, faults })
        });
        Self {
            network,
            panics,
            #[cfg(feature = "dns")]
            resolvers: Arc::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Network> {
        lock(&self.network)
    }

    /// Whether both are the network of one test.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.network, &other.network)
    }

    /// Changes the network, completely or not at all.
    pub(super) fn edit<T>(&self, edit: impl Fn(&mut Spec) -> Result<T>) -> Result<T> {
        let Network { topology, fabric, faults } = &mut *self.lock();
        fabric.check_owned()?;
        fabric.links_are_used();
        let mut foreign = ForeignNames::new();
        let (Transition { changes, next }, value) = loop {
            let (transition, value) = topology.edit(&foreign, &edit)?;
            let taken = fabric.taken_names(&transition.changes)?;
            if taken.is_empty() {
                break (transition, value);
            }
            for (node, names) in taken {
                foreign.entry(node).or_default().extend(names);
            }
        };
        let carried_out = fabric.carry_out(&changes);
        let settled = carried_out
            .and_then(|()| fabric.update_neighbours(&changes, &topology.outdated(&next)));
        if let Err(Stopped { done, error }) = settled {
            let undo = topology.undo(&changes, (done + 1).min(changes.list.len()));
            fabric.take_back(&undo);
            return Err(error);
        }
        *topology = next;
        let followed = faults.follow(topology.spec(), fabric);
        fabric.links_are_used();
        followed.map(|()| value)
    }

    /// Puts a node back to what the topology says.
    pub(super) fn restore(&self, id: NodeId) -> Result<()> {
        let Network { topology, fabric, faults } = &mut *self.lock();
        fabric.check_owned()?;
        topology.spec().check_ours()?;
        let state = topology.state();
        let node = state.nodes.get(&id).ok_or_else(|| topology.spec().node_gone(id))?;
        let made = fabric.restore(&NodeRef::new(id, node), node, state)?;
        let renewed = faults.renew(&made, topology.spec(), fabric);
        fabric.links_are_used();
        renewed
    }

    /// Looks something up in what the test asked for.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Spec) -> T) -> T {
        look(self.lock().topology.spec())
    }

    /// The resolvers that the test has started.
    #[cfg(feature = "dns")]
    pub(super) fn resolvers(&self) -> MutexGuard<'_, Vec<Resolver>> {
        lock(&self.resolvers)
    }
}

/// For the thread that lets faults come and go.
impl Scheduled for Network {
    fn is_on_at(&self, id: FaultId, at: Instant) -> bool {
        self.faults.is_on_at(id, at)
    }

    fn next_change(&self, id: FaultId, after: Option<Instant>) -> Option<Instant> {
        self.faults.next_change(id, after)
    }

    fn start(&mut self, id: FaultId, at: Instant) {
        self.faults.start(id, at, self.topology.spec(), &mut self.fabric);
    }

    fn switch(&mut self, id: FaultId, at: Instant) {
        self.faults.switch(id, at, self.topology.spec(), &mut self.fabric);
    }
}

#[cfg(test)]
use {crate::frame::Stage, crate::topology::spec::LinkEndId};

/// For the tests of the wire: a stage of their own at a link end.
#[cfg(test)]
impl SharedNetwork {
    pub(crate) fn splice(&self, end: LinkEndId, stage: Arc<Mutex<dyn Stage>>) -> Result<()> {
        self.lock().fabric.splice(end, stage)
    }

    pub(crate) fn refresh(&self, end: LinkEndId) -> Result<()> {
        self.lock().fabric.refresh(end)
    }

    /// Frames that a device of the fabric has received.
    pub(crate) fn received(&self, device: &str) -> u64 {
        let read = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let text = self.lock().fabric.visit(read);
        let line = text.lines().find_map(|line| line.trim().strip_prefix(device)).unwrap();
        line.trim_start_matches(':').split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
