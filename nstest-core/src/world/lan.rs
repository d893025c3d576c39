//! The handle on a LAN.

use std::fmt;

use super::network::SharedNetwork;
use crate::addr::Subnet;
use crate::error::Result;
use crate::topology::spec::SegmentId;

/// A network on which all nodes reach each other directly.
#[derive(Clone)]
pub struct Lan {
    net: SharedNetwork,
    id: SegmentId,
    name: String,
}

impl fmt::Debug for Lan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lan({})", self.name)
    }
}

impl Lan {
    pub(super) fn new(net: SharedNetwork, id: SegmentId, name: String) -> Self {
        Self { net, id, name }
    }

    pub(crate) fn id(&self) -> SegmentId {
        self.id
    }

    pub(super) fn net(&self) -> &SharedNetwork {
        &self.net
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its subnets, IPv4 first.
    #[must_use]
    pub fn subnets(&self) -> Vec<Subnet> {
        self.net
            .look(|spec| spec.segment(self.id).map(|segment| segment.subnets().collect()))
            .unwrap_or_default()
    }

    /// Sets the MTU of every interface on it, in bytes.
    ///
    /// # Errors
    /// `config`, for less than the minimum of IPv4 (68, RFC 791) or IPv6 (1280, RFC 8200), or
    /// more than 65535.
    pub fn set_mtu(&self, mtu: u32) -> Result<()> {
        self.net.edit(|spec| spec.set_mtu(self.id, mtu))
    }

    /// Removes the LAN. No node may be on it.
    ///
    /// # Errors
    /// `in-use`, with the nodes that are on it.
    pub fn remove(self) -> Result<()> {
        self.net.edit(|spec| spec.remove_segment(self.id))
    }
}
