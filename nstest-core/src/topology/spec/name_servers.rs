//! The nodes that resolve names for all nodes.

use std::net::{IpAddr, Ipv4Addr};

use super::{NodeId, Spec};
#[cfg(feature = "dns")]
use crate::error::Result;
#[cfg(feature = "dns")]
use crate::topology::errors;

/// Resolvers query at most this many servers: MAXNS, resolv.conf(5).
#[cfg(feature = "dns")]
const MOST: usize = 3;

impl Spec {
    /// Lets every node query this one, after those that it queries already.
    #[cfg(feature = "dns")]
    pub(crate) fn add_name_server(&mut self, id: NodeId) -> Result<()> {
        if self.name_server_addr(id).is_none() {
            self.address_of(id, None)?;
        }
        if self.name_servers.len() >= MOST {
            return Err(errors::too_many_resolvers(MOST));
        }
        self.name_servers.push(id);
        Ok(())
    }

    /// Those that have an address at present: a node on no network has none.
    pub(in crate::topology) fn name_server_addrs(&self) -> Vec<IpAddr> {
        self.name_servers.iter().filter_map(|id| self.name_server_addr(*id)).collect()
    }

    /// Without a network, the test's own node can still query itself.
    fn name_server_addr(&self, id: NodeId) -> Option<IpAddr> {
        let own = (id == NodeId::TEST).then_some(Ipv4Addr::LOCALHOST.into());
        self.address_of(id, None).ok().or(own)
    }
}
