//! The handle on the whole network.

use std::fmt;

use super::build::{LanBuilder, NodeBuilder, RouterBuilder};
use super::lan::Lan;
use super::link::Link;
use super::network::SharedNetwork;
use super::node::Node;
use super::router::Router;
use crate::error::Result;
use crate::node::stray::strays;
use crate::node::{Panicked, quiescence};
use crate::topology::spec::{NewLan, NodeId, Spec};

/// The network of a test: its own node, and all other nodes and LANs.
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
    pub(super) shared: SharedNetwork,
}

impl Net {
    /// Builds the first network of a test.
    pub(crate) fn build(spec: Spec) -> Result<Self> {
        Ok(Self { shared: SharedNetwork::build(spec)? })
    }

    /// The first network of a test, which another process of the test has built.
    pub(crate) fn attach(spec: Spec) -> Result<Self> {
        Ok(Self { shared: SharedNetwork::attach(spec)? })
    }

    fn node_of(&self, id: NodeId) -> Result<Node> {
        Node::of(self.shared.clone(), id)
    }

    /// The test's own node. The test function runs in its network.
    #[must_use]
    pub fn local(&self) -> Node {
        match self.node_of(NodeId::TEST) {
            Ok(node) => node,
            Err(error) => unreachable!("the test's own node cannot be removed: {error:?}"),
        }
    }

    /// The node, or router, of this name.
    ///
    /// # Errors
    /// `not-found`, with the names that there are.
    pub fn node(&self, name: &str) -> Result<Node> {
        let id = self.shared.look(|spec| spec.find_node(name))?;
        self.node_of(id)
    }

    /// Every node but the test's own, routers included, in the order of creation.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let ids: Vec<NodeId> = self.shared.look(|spec| spec.nodes().map(|(id, _)| id).collect());
        let others = ids.into_iter().filter(|id| *id != NodeId::TEST);
        others.filter_map(|id| self.node_of(id).ok()).collect()
    }

    /// The LAN of this name.
    ///
    /// # Errors
    /// `not-found`, with the names that there are.
    pub fn lan(&self, name: &str) -> Result<Lan> {
        let id = self.shared.look(|spec| spec.find_segment(name))?;
        Ok(Lan::new(self.shared.clone(), id, name.to_owned()))
    }

    /// The router of this name.
    ///
    /// # Errors
    /// `not-found`, with the names that there are.
    pub fn router(&self, name: &str) -> Result<Router> {
        let id = self.shared.look(|spec| spec.find_router(name))?;
        Ok(Router::new(self.node_of(id)?))
    }

    /// Starts a builder for a LAN; [`build`](LanBuilder::build) creates it.
    pub fn add_lan(&self, name: &str) -> LanBuilder {
        LanBuilder::new(self.shared.clone(), name)
    }

    /// Starts a builder for a node; [`build`](NodeBuilder::build) creates it.
    pub fn add_node(&self, name: &str) -> NodeBuilder {
        NodeBuilder::new(self.shared.clone(), name)
    }

    /// Starts a builder for a router; [`build`](RouterBuilder::build) creates it.
    pub fn add_router(&self, name: &str) -> RouterBuilder {
        RouterBuilder::new(self.shared.clone(), name)
    }

    /// Connects two nodes by a direct link, with a subnet of its own.
    ///
    /// # Errors
    /// `not-found` for a node that was removed; what the kernel refuses.
    pub fn connect(&self, a: &Node, b: &Node) -> Result<Link> {
        let slot = self.shared.edit(|spec| {
            let id = spec.connect(a.id(), b.id(), &NewLan::default())?;
            spec.slot_on(a.id(), id)
        })?;
        Link::of(self.shared.clone(), a.id(), slot)
    }

    /// The kernel settings that this machine refused.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.shared.lock().fabric.notes().to_vec()
    }

    pub(crate) fn note(&self, note: &str) {
        self.shared.lock().fabric.add_note(note.to_owned());
    }

    /// Waits until the threads and tasks of the nodes have ended or sleep, so that their
    /// panics are known. Prints a note about threads that do neither. `isolated`: this process
    /// is in a PID namespace of the test's own.
    pub(crate) fn await_quiescence(&self, isolated: bool) {
        quiescence::settle(&self.shared.panics, isolated);
    }

    /// Failures that the test function did not see. Prints a note about threads that have
    /// stayed in a node.
    pub(crate) fn unseen_failure(&self) -> Option<String> {
        let strays = strays();
        if !strays.is_empty() {
            eprintln!(
                "nstest: note: threads started inside `run` or `scope` have stayed in that node, \
                 also for work of other nodes: {}. Start them before, or in `spawn` or `spawn_async`",
                strays.join(", ")
            );
        }
        let panics = self.shared.panics.unjoined();
        let lines = panics.iter().map(|Panicked { node, message, .. }| {
            format!("a thread or task in node {node} panicked, and was not joined: {message}")
        });
        let network = self.shared.lock();
        let faults = network.faults.failures().iter().cloned();
        let lines: Vec<_> = lines.chain(faults).chain(network.fabric.wire_failure()).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("nodes", &self.nodes()).finish()
    }
}

#[cfg(test)]
impl Net {
    pub(crate) fn shared(&self) -> &SharedNetwork {
        &self.shared
    }
}
