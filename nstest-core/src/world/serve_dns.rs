//! Starting a DNS resolver in a node.

use std::sync::Arc;

use super::node::Node;
use super::resolver::Resolver;
use crate::dns::DnsServer;
use crate::error::Result;

impl Node {
    /// Starts a resolver in the node, on port 53, UDP and TCP. All nodes use it from now
    /// on, because its first address is in /etc/resolv.conf, which is one file for the whole
    /// test. Names of nodes are in /etc/hosts, which is read first. The resolver must be
    /// reachable: a node on another network needs a route to it.
    ///
    /// The system resolver asks at most three, in the order in which they were started
    /// (resolv.conf(5)). In inline mode the file is the machine's, and nstest does not change
    /// it.
    ///
    /// # Errors
    /// `in-use`, if something listens there; `no-address`, if the node is on no
    /// network, unless it is the test's own; `too-many`, if three others have a resolver.
    pub fn serve_dns(&self) -> Result<Resolver> {
        // Checked before the server starts: after a stop its port is not free at once.
        self.net().look(|spec| spec.clone().add_name_server(self.id()))?;
        let script = Arc::default();
        let server = DnsServer::start(self.executor(), &script)?;
        self.net().edit(|spec| spec.add_name_server(self.id()))?;
        let resolver = Resolver::new(self.name().into(), script, server);
        self.net().resolvers().push(resolver.clone());
        Ok(resolver)
    }
}
