//! Which nodes are asked for names.

use std::net::{IpAddr, Ipv4Addr};

use super::{NodeId, Spec};
#[cfg(feature = "dns")]
use crate::error::Result;
#[cfg(feature = "dns")]
use crate::topology::errors;

/// More are not asked: MAXNS, resolv.conf(5).
#[cfg(feature = "dns")]
const MOST: usize = 3;

impl Spec {
    /// Has every node ask this one, after those that are asked already.
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

    /// Those that can be asked at present: a node that is on no network cannot.
    pub(in crate::topology) fn name_server_addrs(&self) -> Vec<IpAddr> {
        self.name_servers.iter().filter_map(|id| self.name_server_addr(*id)).collect()
    }

    /// The test's own node reaches itself on no network, too.
    fn name_server_addr(&self, id: NodeId) -> Option<IpAddr> {
        let own = (id == NodeId::TEST).then_some(Ipv4Addr::LOCALHOST.into());
        self.address_of(id, None).ok().or(own)
    }
}
