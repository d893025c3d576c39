//! What the threads of a test that was killed at its timeout wait for.

use std::net::{IpAddr, SocketAddr};

use super::current::waits_for_several;
use crate::evidence::story::headers::PacketHeaders;
use crate::evidence::story::names::socket_address;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, OpenSocket, Story};
use crate::fault::FaultEffect;

/// The sockets that threads wait for.
#[derive(Debug, Default)]
struct WaitedFor {
    /// Both ends of connections.
    ends: Vec<SocketAddr>,
    /// The port that tells each from others: that of the client of a connection, which address
    /// translation keeps, and that of a socket that is not connected.
    ports: Vec<u16>,
    /// Whether there are sockets that are not connected. To where they sent is not known.
    has_open: bool,
}

impl Story {
    /// The part of the story that has to do with what its threads wait for, if that is known:
    /// the rest does not keep the test from ending. `same_server`: with all connections to the
    /// same port.
    pub(super) fn waited_for(&self, same_server: bool) -> Option<Self> {
        let mut waited = WaitedFor::default();
        for thread in &self.threads {
            thread.waits_for.iter().for_each(|what| waited.add(what));
        }
        if same_server {
            waited.ports.extend(waited.ends.iter().map(SocketAddr::port));
        }
        let translates = self.nodes.values().any(|node| !node.rules.is_empty());
        if !self.is_timeout()
            || waited.ports.is_empty()
            || translates
            || self.threads.iter().any(waits_for_several)
        {
            return None;
        }
        let is_waited = |trace: &&PacketTrace| waited.has(self, &trace.headers);
        let is_used = |socket: &&OpenSocket| {
            [socket.local, socket.remote].into_iter().flatten().any(|end| {
                waited.ports.contains(&end.port())
                    || waited.ends.iter().any(|own| own.port() == end.port())
            })
        };
        let faults = self.faults.iter().filter(|fault| self.can_separate(fault, &waited));
        Some(Self {
            packets: self.packets.iter().filter(is_waited).cloned().collect(),
            sockets: self.sockets.iter().filter(is_used).cloned().collect(),
            faults: faults.cloned().collect(),
            ..self.clone()
        })
    }

    /// Whether a partition can be between these sockets: one of their nodes or a router is on
    /// each side.
    fn can_separate(&self, fault: &KnownFault, waited: &WaitedFor) -> bool {
        let Some(FaultEffect::Partition(partition)) =
            fault.fault.as_ref().map(|fault| &fault.effect)
        else {
            return true;
        };
        let concerns = |node: &str| {
            let mut known = self.nodes.values().filter(|known| known.name == node);
            let has = |known: &crate::evidence::story::KnownNode| {
                waited.ends.iter().any(|end| known.has(end.ip()))
            };
            known.any(|known| waited.has_open || known.interfaces.len() > 1 || has(known))
        };
        let nodes = partition.nodes();
        let nodes: Vec<&str> = nodes.into_iter().filter(|node| concerns(node)).collect();
        nodes.iter().any(|from| nodes.iter().any(|to| !partition.lets(from, to)))
    }
}

impl WaitedFor {
    /// `tcp 10.0.2.1:40000 -> 10.0.2.2:7000 (established)`, `udp 0.0.0.0:40000`.
    fn add(&mut self, what: &str) {
        let is_socket = ["tcp ", "udp "].iter().any(|protocol| what.starts_with(protocol));
        let mut ends = what.split(' ').filter_map(socket_address).filter(|end| end.port() > 0);
        let (Some(local), remote) = (ends.next(), ends.next()) else { return };
        if !is_socket || what.contains("(listening)") {
            return;
        }
        match remote {
            Some(remote) => {
                self.ports.push(local.port().max(remote.port()));
                self.ends.extend([local, remote]);
            }
            None => {
                self.ports.push(local.port());
                self.has_open = true;
            }
        }
    }

    fn has(&self, story: &Story, headers: &PacketHeaders) -> bool {
        let about = headers.quoted.as_deref().unwrap_or(headers);
        if let Some((source, destination)) = about.ports() {
            return self.ports.contains(&source) || self.ports.contains(&destination);
        }
        let is_end = |ip: IpAddr| self.ends.iter().any(|end| end.ip() == ip);
        let is_gateway = |ip: IpAddr| {
            let via = format!(" via {ip} ");
            story.nodes.values().flat_map(|node| &node.routes).any(|route| route.contains(&via))
        };
        let target = headers.arp.map(|arp| arp.target).or(headers.neighbour);
        let ends = [about.source, about.destination];
        self.has_open
            || match target {
                Some(target) => is_end(target) || is_gateway(target),
                None => ends.into_iter().flatten().any(is_end),
            }
    }
}
