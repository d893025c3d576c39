//! Default routes of nodes.

use super::NodeId;

/// Where a node sends packets that no other route takes.
///
/// It is set with `node.set_default_route(..)`, or when the node is made with
/// `.default_route(..)`. `.default_via(&router)` chooses the router.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DefaultRoute {
    /// To the router that serves the node's first LAN that has one.
    #[default]
    Auto,
    /// There is none: programs get ENETUNREACH at once.
    None,
    /// Packets leave on the first link for a MAC address that no interface has:
    /// programs get no answer, and wait until they time out.
    Blackhole,
}

/// Where packets go that no other route takes: a [`DefaultRoute`], or a router by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum DefaultVia {
    /// To the router that serves the node's first LAN that has one; from a router, to
    /// that of its WAN.
    Auto,
    Router(NodeId),
    None,
    Blackhole,
}

impl From<DefaultRoute> for DefaultVia {
    fn from(route: DefaultRoute) -> Self {
        match route {
            DefaultRoute::Auto => Self::Auto,
            DefaultRoute::None => Self::None,
            DefaultRoute::Blackhole => Self::Blackhole,
        }
    }
}

impl Default for DefaultVia {
    fn default() -> Self {
        DefaultRoute::default().into()
    }
}
