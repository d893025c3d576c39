//! The world of a test: the handles that a test holds on its nodes, LANs, links
//! and routers.
//!
//! Handles are names, not owners: the world lives until the test ends, so that
//! unwinding does not destroy the evidence. What a handle does is a change of
//! the topology (data, checked), of which the fabric carries out the difference.

mod build;
mod faults;
mod impair;
mod injection;
mod lan;
mod link;
mod node;
mod probe;
mod ready;
#[cfg(feature = "dns")]
mod resolver;
mod router;
mod run_config;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub use build::{LanBuilder, NodeBuilder, RouterBuilder};
pub use faults::Backend;
pub use impair::LinkDirection;
pub use injection::Injection;
pub use lan::Lan;
pub use link::Link;
pub use node::Node;
pub use probe::{Probe, ProbeOutcome};
#[cfg(feature = "tokio")]
pub use ready::eventually_async;
pub use ready::{PollOutcome, eventually};
#[cfg(feature = "dns")]
pub use resolver::Resolver;
pub use router::Router;

use crate::error::Result;
use crate::fabric::{Fabric, Stopped};
use crate::node::stray::strays;
use crate::node::{Panicked, Panics};
use crate::topology::spec::{self, NodeId};
use crate::topology::{Step, Topology};
use faults::{Clock, Faults};

/// The network of a test: its own node, and all that is wired to it or not.
///
/// As a parameter of a test, or from [`net()`](crate::net).
///
/// ```no_run
/// # fn test(net: nstest::Net) -> nstest::TestResult {
/// use nstest::Nat;
///
/// let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
/// let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
/// net.add_router("router").lan(&home).wan(&internet).nat(Nat::PORT_RESTRICTED).build()?;
/// let laptop = net.add_node("laptop").join(&home).build()?;
/// let server = net.add_node("server").join(&internet).build()?;
/// laptop.wait_reachable(server.ip())?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Net {
    shared: Arc<Mutex<Shared>>,
    panics: Arc<Panics>,
    #[cfg(feature = "dns")]
    resolvers: Arc<Mutex<Vec<Resolver>>>,
}

#[derive(Debug)]
struct Shared {
    topology: Topology,
    fabric: Fabric,
    faults: Faults,
    clock: Clock,
}

impl Net {
    /// Builds the first world of a test.
    pub(crate) fn build(spec: spec::Spec) -> Result<Self> {
        let Step { plan, next } = Topology::first(spec)?;
        let panics = Arc::new(Panics::default());
        let mut fabric = Fabric::build(&panics, &plan)?;
        if next.spec().joins_namespace() {
            fabric.adopt()?; // its plan is empty, and code runs in it all the same
        }
        let shared = Arc::new_cyclic(|world| {
            let (faults, clock) = (Faults::new(), Clock::new(Weak::clone(world)));
            Mutex::new(Shared { topology: next, fabric, faults, clock })
        });
        Ok(Self {
            shared,
            panics,
            #[cfg(feature = "dns")]
            resolvers: Arc::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world, whole or not at all.
    fn edit<T>(&self, edit: impl FnOnce(&mut spec::Spec) -> Result<T>) -> Result<T> {
        let shared = &mut *self.lock();
        let (Step { plan, next }, value) = shared.topology.step(edit)?;
        let parting = shared.parting(&plan);
        let carried_out = shared.fabric.carry_out(&plan);
        let settled = carried_out.and_then(|()| shared.fabric.ask_again_after(&plan));
        if let Err(Stopped { done, error }) = settled {
            let undo = shared.topology.undo(&plan, (done + 1).min(plan.ops.len()));
            shared.fabric.take_back(&undo);
            return Err(error);
        }
        shared.topology = next;
        shared.follow(parting)?;
        Ok(value)
    }

    /// Looks something up in what the test asked for.
    fn look<T>(&self, look: impl FnOnce(&spec::Spec) -> T) -> T {
        look(self.lock().topology.spec())
    }

    fn handle(&self, id: NodeId) -> Result<Node> {
        let shared = self.lock();
        let name = shared.topology.spec().node(id)?.name().to_owned();
        match shared.fabric.place(id) {
            Some(place) => Ok(Node::new(self.clone(), id, name, Arc::clone(place))),
            None => Err(crate::topology::gone("node")),
        }
    }

    /// The test's own node, in whose network the test function runs.
    #[must_use]
    pub fn local(&self) -> Node {
        match self.handle(NodeId::TEST) {
            Ok(node) => node,
            Err(error) => unreachable!("the test's own node cannot be removed: {error:?}"),
        }
    }

    /// The node, or router, of this name.
    ///
    /// # Errors
    /// `not-found`, with the names that there are.
    pub fn node(&self, name: &str) -> Result<Node> {
        let id = self.look(|spec| spec.find_node(name))?;
        self.handle(id)
    }

    /// Every node but the test's own, routers included, in the order of creation.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let ids: Vec<NodeId> = self.look(|spec| spec.nodes().map(|(id, _)| id).collect());
        let others = ids.into_iter().filter(|id| *id != NodeId::TEST);
        others.filter_map(|id| self.handle(id).ok()).collect()
    }

    /// The LAN of this name.
    ///
    /// # Errors
    /// `not-found`, with the names that there are.
    pub fn lan(&self, name: &str) -> Result<Lan> {
        let id = self.look(|spec| spec.find_segment(name))?;
        Ok(Lan::new(self.clone(), id, name.to_owned()))
    }

    /// The router of this name.
    ///
    /// # Errors
    /// `not-found`, with the names that there are.
    pub fn router(&self, name: &str) -> Result<Router> {
        let id = self.look(|spec| spec.find_router(name))?;
        Ok(Router::new(self.handle(id)?))
    }

    /// Begins a LAN; [`build`](LanBuilder::build) makes it.
    pub fn add_lan(&self, name: &str) -> LanBuilder {
        LanBuilder::new(self.clone(), name)
    }

    /// Begins a node; [`build`](NodeBuilder::build) makes it.
    pub fn add_node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(self.clone(), name)
    }

    /// Begins a router; [`build`](RouterBuilder::build) makes it.
    pub fn add_router(&self, name: &str) -> RouterBuilder {
        RouterBuilder::new(self.clone(), name)
    }

    /// Connects two nodes by a cable of their own, with a subnet of its own.
    ///
    /// # Errors
    /// `not-found` for a node that was removed; what the kernel refuses.
    pub fn connect(&self, a: &Node, b: &Node) -> Result<Link> {
        let slot = self.edit(|spec| {
            let id = spec.connect(a.id(), b.id(), &spec::NewLan::default())?;
            spec.slot_on(a.id(), id)
        })?;
        Link::of_node(a, slot)
    }

    /// What the machine did not let the world be given: settings of the kernel
    /// that stayed as they are.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.lock().fabric.notes().to_vec()
    }

    pub(crate) fn note(&self, note: &str) {
        self.lock().fabric.add_note(note.to_owned());
    }

    /// What failed where the test function did not see it; and a word about
    /// threads that are not where one would think.
    pub(crate) fn unseen_failure(&self) -> Option<String> {
        let strays = strays();
        if !strays.is_empty() {
            eprintln!(
                "nstest: note: threads started inside `run` or `scope` have stayed in that node, and serve \
                 everybody from there: {}. Start them before, or in `spawn` or `spawn_async`",
                strays.join(", ")
            );
        }
        let panics = self.panics.unheard();
        let lines = panics.iter().map(|Panicked { node, message, .. }| {
            format!("a thread or task in node {node} panicked, and nobody joined it: {message}")
        });
        let lines: Vec<_> = lines.chain(self.lock().fault_failures()).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// What a resolver was to fail with, and nobody met.
    #[cfg(not(feature = "dns"))]
    fn unasked(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("nodes", &self.nodes()).finish()
    }
}
