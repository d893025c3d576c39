//! Requests that wait until others to the same socket can be sent with them, in one
//! system call.

use crate::netlink::Request;
use crate::topology::spec::NodeId;

/// Requests for one socket.
#[derive(Debug, Default)]
pub(super) struct RequestQueue {
    pub(super) to: Option<Owner>,
    pub(super) requests: Vec<Request>,
}

/// The owner of a netlink socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Fabric,
    Node(NodeId),
}
