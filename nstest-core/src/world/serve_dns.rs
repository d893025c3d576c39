//! Starting a DNS resolver in a node.

use std::sync::Arc;

use super::node::Node;
use super::resolver::Resolver;
use crate::dns::DnsServer;
use crate::error::Result;

impl Node {
    /// Starts a resolver in the node, on port 53, UDP and TCP. All nodes ask it
    /// from now on: /etc/resolv.conf, which is one for the whole test, says its
    /// first address. Names of nodes, which are in /etc/hosts, come first. It must
    /// be reachable: a node on another network needs a route to it.
    ///
    /// Several are asked in the order in which they were started, three at most
    /// (resolv.conf(5)). In inline mode the file is the machine's, and is left
    /// alone.
    ///
    /// # Errors
    /// `in-use`, if something listens there; `no-address`, if the node is on no
    /// network, unless it is the test's own.
    pub fn serve_dns(&self) -> Result<Resolver> {
        // Asked before anything is started: the port of a server that is not wanted
        // after all would be free again only some time after that.
        self.net().look(|spec| spec.clone().add_name_server(self.id()))?;
        let script = Arc::default();
        let server = DnsServer::start(self.executor(), &script)?;
        self.net().edit(|spec| spec.add_name_server(self.id()))?;
        let resolver = Resolver::new(self.name().into(), script, server);
        self.net().resolvers().push(resolver.clone());
        Ok(resolver)
    }
}
