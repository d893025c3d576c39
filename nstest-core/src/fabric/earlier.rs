//! What passed a link before the wire: the connections of its node, from the kernel's counters
//! and sockets.
//!
//! A packet filter can select a connection by its number, counted from the beginning of the
//! link. The wire may be spliced in later. Then the connections before are those that the
//! node has counted. If it has a socket for each of them, all are known. Otherwise some have
//! ended, and it is not known to which port they were.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::base::Fabric;
use crate::error::Result;
use crate::fault::packets::PacketProtocol;
use crate::fault::pipeline::earlier::{EarlierConnection, EarlierFlows};
use crate::node::transport::{TcpSocket, TcpState, TransportUse};
use crate::topology::gone;
use crate::topology::spec::{LinkEnd, NodeId, Spec};

/// The node that makes and accepts the connections of a link.
#[derive(Debug)]
struct LinkHost<'a> {
    name: &'a str,
    /// Its addresses.
    ips: BTreeSet<IpAddr>,
    /// Those that it has on other links.
    elsewhere: BTreeSet<IpAddr>,
    seen: TransportUse,
}

/// Another node.
#[derive(Debug)]
struct Peer {
    ips: BTreeSet<IpAddr>,
    seen: TransportUse,
}

impl Fabric {
    /// What has passed a link until now, without a wire.
    pub(crate) fn earlier_flows(&self, end: LinkEnd, spec: &Spec) -> EarlierFlows {
        if self.new_link_ends.contains(&end.id) {
            return EarlierFlows::default();
        }
        // It concerns only rules that select a connection by its number, and these are refused
        // with the reason.
        let unknown = |error| EarlierFlows::unknown(&format!("cannot {error}"));
        self.find_earlier_flows(end, spec).unwrap_or_else(unknown)
    }

    /// From now on, connections may pass the links that were made until now.
    pub(crate) fn links_are_used(&mut self) {
        self.new_link_ends.clear();
    }

    fn find_earlier_flows(&self, end: LinkEnd, spec: &Spec) -> Result<EarlierFlows> {
        let ends: Vec<LinkEnd> = std::iter::once(end).chain(spec.opposite(end)).collect();
        // All packets of a link with one host are the host's.
        let is_router = |end: &LinkEnd| self.members.get(&end.node).is_some_and(|at| at.forwards);
        let end = ends.iter().find(|end| !is_router(end)).copied().unwrap_or(end);
        let name = spec.node(end.node)?.name();
        let others = spec.links_of(end.node).into_iter().filter(|other| *other != end);
        let elsewhere = others.flat_map(|other| spec.ips_at(other)).collect();
        let ips = spec.identities([name]).ips;
        let host = LinkHost { name, ips, elsewhere, seen: self.transport_use(end.node)? };
        host.flows(|| self.peers(end.node, spec))
    }

    fn transport_use(&self, node: NodeId) -> Result<TransportUse> {
        let executor = self.executor(node).ok_or_else(|| gone("node"))?;
        executor.transport_use()
    }

    /// All nodes but this one.
    fn peers(&self, node: NodeId, spec: &Spec) -> Result<Vec<Peer>> {
        let others = spec.nodes().filter(|(id, _)| *id != node);
        let others = others.map(|(id, peer)| (id, spec.identities([peer.name()]).ips));
        others.map(|(id, ips)| Ok(Peer { ips, seen: self.transport_use(id)? })).collect()
    }
}

impl LinkHost<'_> {
    fn flows(&self, peers: impl FnOnce() -> Result<Vec<Peer>>) -> Result<EarlierFlows> {
        let Self { name, seen, .. } = self;
        if seen.forwarded {
            let why = format!(
                "router {name} has forwarded packets of connections, which it does not count"
            );
            return Ok(EarlierFlows::unknown(&why));
        }
        let mut flows = EarlierFlows::default();
        let uses = [
            (seen.udp, PacketProtocol::Udp, "a datagram"),
            (seen.icmp, PacketProtocol::Icmp, "an ICMP message"),
        ];
        for (_, protocol, what) in uses.into_iter().filter(|(is_used, ..)| *is_used) {
            let why = format!("node {name} has sent or received {what} before");
            flows.unknown.push((protocol, why));
        }
        if seen.opened + seen.accepted + seen.resets == 0 {
            return Ok(flows);
        }
        let mut own = OwnConnections::of(self);
        let mut peers_known = Vec::new();
        let is_mixed = seen.opened > 0 && seen.accepted > 0;
        if is_mixed || own.count < seen.opened + seen.accepted {
            peers_known = peers()?;
            own.add_closed(self, &peers_known);
        }
        if let Some(why) = own.unknown(self) {
            flows.unknown.push((PacketProtocol::Tcp, why));
            return Ok(flows);
        }
        let here = own.connections.into_values().filter(|connection| {
            !self.is_within(connection) && !self.elsewhere.contains(&connection.local.ip())
        });
        flows.connections = here.map(|ends| self.connection(ends, &peers_known)).collect();
        Ok(flows)
    }

    /// Whether both ends are this node.
    fn is_within(&self, Ends { local, remote }: &Ends) -> bool {
        local.ip() == remote.ip() || remote.ip().is_loopback() || self.ips.contains(&remote.ip())
    }

    /// Which end is the server: the one that accepted it, or that listens.
    fn connection(&self, Ends { local, remote }: Ends, peers: &[Peer]) -> EarlierConnection {
        let peer = peers.iter().find(|peer| peer.ips.contains(&remote.ip()));
        let is_local = role(&self.seen).or_else(|| {
            let here = listens(&self.seen, local);
            let there = peer.is_some_and(|peer| listens(&peer.seen, remote));
            if here != there {
                return Some(here);
            }
            peer.and_then(|peer| role(&peer.seen)).map(|is_server| !is_server)
        });
        let server = is_local.map(|is_local| if is_local { local.port() } else { remote.port() });
        EarlierConnection { ends: [local, remote], server }
    }
}

/// Whether a node is the server of all its connections, or of none.
fn role(seen: &TransportUse) -> Option<bool> {
    match (seen.opened, seen.accepted) {
        (0, 0) => None,
        (0, _) => Some(true),
        (_, 0) => Some(false),
        _ => None,
    }
}

fn listens(seen: &TransportUse, at: SocketAddr) -> bool {
    seen.sockets.iter().any(|socket| {
        let TcpSocket { local, state, .. } = socket;
        *state == TcpState::Listening
            && local.port() == at.port()
            && (local.ip().is_unspecified() || local.ip() == at.ip())
    })
}

/// The ends of a connection, seen from a node.
#[derive(Debug, Clone, Copy)]
struct Ends {
    local: SocketAddr,
    remote: SocketAddr,
}

/// The connections of a node that have a socket.
#[derive(Debug, Default)]
struct OwnConnections {
    /// By both ends, the lower first.
    connections: BTreeMap<[SocketAddr; 2], Ends>,
    /// How many the node has counted of these: one within the node counts at each end.
    count: u64,
    /// Whether the handshake of one is not complete.
    is_opening: bool,
}

impl OwnConnections {
    fn of(host: &LinkHost<'_>) -> Self {
        let mut own = Self::default();
        for socket in &host.seen.sockets {
            match socket.state {
                TcpState::Listening => {}
                TcpState::Opening => own.is_opening = true,
                TcpState::Open | TcpState::Closed => {
                    own.add(host, Ends { local: socket.local, remote: socket.remote });
                }
            }
        }
        own
    }

    /// Adds the connections that other nodes have closed, and of which this one has no socket.
    fn add_closed(&mut self, host: &LinkHost<'_>, peers: &[Peer]) {
        for socket in peers.iter().flat_map(|peer| &peer.seen.sockets) {
            let is_ours = host.ips.contains(&socket.remote.ip());
            if socket.state == TcpState::Closed && is_ours {
                self.add(host, Ends { local: socket.remote, remote: socket.local });
            }
        }
    }

    /// Why the node may have had others.
    fn unknown(&self, LinkHost { name, seen, .. }: &LinkHost<'_>) -> Option<String> {
        let all = seen.opened + seen.accepted;
        if self.is_opening {
            return Some(format!("node {name} is making a connection"));
        }
        if self.count != all {
            let gone = all.saturating_sub(self.count);
            return Some(format!(
                "connections of node {name} were closed or refused before ({gone} of {all}), and \
                 it is not known to which ports they were"
            ));
        }
        (seen.resets > 0).then(|| {
            format!("node {name} has refused or reset connections, and it is not known to which ports they were")
        })
    }

    fn add(&mut self, host: &LinkHost<'_>, ends: Ends) {
        let Ends { local, remote } = ends;
        if self.connections.insert([local.min(remote), local.max(remote)], ends).is_none() {
            self.count += if host.is_within(&ends) { 2 } else { 1 };
        }
    }
}
