//! Requests that wait: those to one socket take one system call, whatever their
//! number.

use super::Fabric;
use crate::error::Result;
use crate::netlink::Request;
use crate::topology::spec::NodeId;

/// Requests that go to one socket.
#[derive(Debug, Default)]
pub(super) struct Queue {
    to: Option<Owner>,
    requests: Vec<Request>,
}

/// Whose socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Fabric,
    Node(NodeId),
}

impl Fabric {
    /// Has a request carried out some time before [`flush`](Self::flush) returns.
    pub(super) fn queue(&mut self, to: Owner, request: Request) -> Result<()> {
        if self.queue.to != Some(to) {
            self.flush()?;
            self.queue.to = Some(to);
        }
        self.queue.requests.push(request);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        let Queue { to, requests } = std::mem::take(&mut self.queue);
        match to {
            None => Ok(()),
            Some(Owner::Fabric) => self.route.batch(&requests),
            // A node that is gone needs nothing any more.
            Some(Owner::Node(id)) => {
                self.members.get_mut(&id).map_or(Ok(()), |member| member.route.batch(&requests))
            }
        }
    }
}
