//! Datagrams that answer a request from another address or port than it was sent to.

use std::net::SocketAddr;
use std::time::Duration;

use super::Story;
use super::headers::PacketHeaders;

impl Story {
    /// Where the request was sent to that this datagram answers from another address or port of
    /// the same node. What was sent from where the last request went to is no such answer, nor
    /// what comes after a datagram to where this one comes from.
    pub(crate) fn asked_elsewhere(
        &self,
        reply: &PacketHeaders,
        time: Duration,
    ) -> Option<SocketAddr> {
        let (from, to) = reply.datagram()?;
        let server = self.owner(from.ip())?;
        let earlier = self.packets.iter().filter(|trace| trace.time() < time);
        let (mut asked, mut is_peer) = (None, false);
        for (sender, receiver) in earlier.filter_map(|trace| trace.headers.datagram()) {
            if sender == to && self.owner(receiver.ip()) == Some(server) {
                is_peer |= receiver == from;
                asked = Some(receiver);
            } else if receiver == to && Some(sender) == asked {
                asked = None;
            }
        }
        asked.filter(|_| !is_peer)
    }
}

impl PacketHeaders {
    /// From where to where a UDP datagram was sent.
    pub(crate) fn datagram(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.udp()?;
        let (source, destination) = self.ports()?;
        Some((
            SocketAddr::new(self.source?, source),
            SocketAddr::new(self.destination?, destination),
        ))
    }
}
