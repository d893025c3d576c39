//! The connections that are older than the pipeline of their link.

use std::net::{IpAddr, SocketAddr};

use super::flows::Flows;
use crate::fault::packets::{PacketProtocol, Packets};
use crate::frame::flow::Flow;
use crate::frame::view::protocol;

/// What passed a link before its pipeline saw the packets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EarlierFlows {
    /// The TCP connections.
    pub(crate) connections: Vec<EarlierConnection>,
    /// Protocols of which others may have passed, with the reason.
    pub(crate) unknown: Vec<(PacketProtocol, String)>,
}

/// A TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EarlierConnection {
    pub(crate) ends: [SocketAddr; 2],
    /// The port of the server; `None` if it is not known which end that is.
    pub(crate) server: Option<u16>,
}

impl EarlierFlows {
    /// Nothing is known of them.
    pub(crate) fn unknown(why: &str) -> Self {
        let all = [PacketProtocol::Tcp, PacketProtocol::Udp, PacketProtocol::Icmp];
        Self {
            connections: Vec::new(),
            unknown: all.map(|protocol| (protocol, why.to_owned())).into(),
        }
    }

    /// Why the connection of a packet filter cannot be found by its number, if it has one.
    pub(super) fn problem(&self, packets: &Packets) -> Option<String> {
        let number = packets.connection?;
        let has = |protocol| packets.protocol.is_none_or(|ours| ours == protocol);
        let mut unknown = self.unknown.iter().filter(|(protocol, _)| has(*protocol));
        if let Some((_, why)) = unknown.next() {
            return Some(why.clone());
        }
        if !has(PacketProtocol::Tcp) {
            return None;
        }
        let is_ours = |port| packets.port.is_none_or(|ours| ours == port);
        for EarlierConnection { ends, server } in &self.connections {
            let Some(server) = server else {
                if ends.iter().any(|end| is_ours(end.port())) {
                    let [a, b] = ends;
                    return Some(format!(
                        "of the earlier connection between {a} and {b} it is not known which end is the server"
                    ));
                }
                continue;
            };
            let count = self.to_port(*server);
            if is_ours(*server) && count > 1 && number as usize <= count {
                return Some(format!(
                    "{count} earlier connections to port {server} were made in an order that is not known"
                ));
            }
        }
        None
    }

    fn to_port(&self, port: u16) -> usize {
        self.connections.iter().filter(|connection| connection.server == Some(port)).count()
    }

    /// Numbers the connections. Those that are one of several have no number, and rules that
    /// ask for it are refused.
    pub(super) fn enter(&self, flows: &mut Flows) {
        for EarlierConnection { ends, server } in &self.connections {
            let [a, b]: [(IpAddr, u16); 2] = ends.map(|end| (end.ip(), end.port()));
            let flow = Flow { protocol: protocol::TCP, low: a.min(b), high: a.max(b) };
            let is_alone = server.is_some_and(|port| self.to_port(port) == 1);
            flows.enter(flow, *server, is_alone);
        }
    }
}
