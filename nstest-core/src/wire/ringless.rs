//! A packet socket that has no ring yet.
//!
//! The kernel fills the memory of a ring with zeroes, and then waits until every processor has
//! passed a point without RCU readers (`packet_set_ring`, net/packet/af_packet.c): 1 ms, and 8
//! to 20. The second wait takes 0.1 ms if any thread of the machine holds RTNL when it begins
//! (`synchronize_net`, net/core/dev.c). So a thread of the wire does it while the caller goes
//! on, and the caller may see to that.

use std::sync::Arc;

use crate::sys::packet::{Geometry, PacketSocket, Ring};

/// A packet socket that has no ring yet, and captures nothing.
#[derive(Debug)]
pub(crate) struct RinglessSocket {
    pub(super) socket: Arc<PacketSocket>,
    pub(super) geometry: Geometry,
}

impl RinglessSocket {
    /// Gives it its ring.
    pub(super) fn make_ring(&self) -> nix::Result<()> {
        self.geometry.request(&self.socket)
    }

    /// Has it capture into its ring.
    pub(super) fn bind(&self) -> nix::Result<()> {
        self.socket.bind()
    }

    /// Maps its ring. The frames that it has captured before are there.
    pub(super) fn map(self) -> nix::Result<(Arc<PacketSocket>, Ring)> {
        let ring = Ring::map(&self.socket, self.geometry)?;
        Ok((self.socket, ring))
    }
}
