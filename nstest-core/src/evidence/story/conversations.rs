//! The TCP connections of a test, reduced from its packets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Story;
use super::trace::PacketTrace;
use crate::frame::view::{Tcp, flag, is_not_after};

/// A TCP connection, or an attempt to open one.
#[derive(Debug)]
pub(crate) struct TcpConversation<'a> {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// From the client, and from the server.
    pub(crate) forth: TcpDirection<'a>,
    pub(crate) back: TcpDirection<'a>,
}

/// One direction of a TCP connection.
#[derive(Debug, Default)]
pub(crate) struct TcpDirection<'a> {
    pub(crate) packets: Vec<&'a PacketTrace>,
    /// Those that arrived.
    pub(crate) arrived: usize,
    /// Bytes of data that arrived, without those that were sent again.
    pub(crate) bytes: u64,
    /// So many had arrived of what was sent until then.
    progress: Vec<(Duration, u64)>,
    /// Segments with data that were sent again.
    pub(crate) sent_again: usize,
    /// The sequence number after the data that was sent.
    next: Option<u32>,
    /// The sequence number after the data that arrived.
    arrived_to: Option<u32>,
}

impl Story {
    /// The TCP connections, in the order of their first packets.
    pub(crate) fn tcp_conversations(&self) -> Vec<TcpConversation<'_>> {
        let mut conversations: Vec<TcpConversation<'_>> = Vec::new();
        let mut index: HashMap<(SocketAddr, SocketAddr), usize> = HashMap::new();
        for trace in &self.packets {
            let headers = &trace.headers;
            let (Some(tcp), Some(source), Some(destination)) =
                (headers.tcp(), headers.source, headers.destination)
            else {
                continue;
            };
            let from = SocketAddr::new(source, tcp.sport);
            let to = SocketAddr::new(destination, tcp.dport);
            let again = index.get(&(from, to)).filter(|at| conversations[**at].is_new_syn(tcp));
            if again.is_some() {
                index.remove(&(from, to));
            }
            if let Some(at) = index.get(&(from, to)) {
                conversations[*at].forth.add(trace, tcp);
            } else if let Some(at) = index.get(&(to, from)) {
                conversations[*at].back.add(trace, tcp);
            } else {
                // The server answers; without the SYN, the lower port is a guess.
                let answers =
                    tcp.has(flag::SYN | flag::ACK) || (!tcp.opens() && from.port() < to.port());
                let (client, server) = if answers { (to, from) } else { (from, to) };
                let (mut forth, mut back) = (TcpDirection::default(), TcpDirection::default());
                if answers { &mut back } else { &mut forth }.add(trace, tcp);
                index.insert((client, server), conversations.len());
                conversations.push(TcpConversation { client, server, forth, back });
            }
        }
        conversations
    }
}

impl TcpConversation<'_> {
    /// Whether a packet opens another connection with the same addresses and ports.
    fn is_new_syn(&self, tcp: &Tcp) -> bool {
        let first = self.forth.packets.first().and_then(|trace| trace.headers.tcp());
        tcp.opens() && first.is_some_and(|first| first.seq != tcp.seq)
    }

    /// Whether the client has received the SYN-ACK, and its packet filter let that pass: it has
    /// acknowledged it.
    pub(crate) fn is_established(&self) -> bool {
        self.has_syn_ack() && self.acknowledgements().next().is_some() || self.back.bytes > 0
    }

    /// When the server's node received the end of the handshake. The connection waits for
    /// `accept` from then on.
    pub(crate) fn queued_at(&self) -> Option<Duration> {
        self.acknowledgements().filter_map(|trace| trace.last().received).min()
    }

    fn acknowledgements(&self) -> impl Iterator<Item = &PacketTrace> {
        let acknowledges = |trace: &&PacketTrace| {
            trace.headers.tcp().is_some_and(|tcp| tcp.has(flag::ACK) && !tcp.has(flag::RST))
        };
        self.forth.packets.iter().copied().filter(acknowledges)
    }

    /// Whether a SYN-ACK has reached the client's node.
    pub(crate) fn has_syn_ack(&self) -> bool {
        let arrives = |trace: &&PacketTrace| {
            trace.receiver().is_some() && trace.headers.is_tcp(flag::SYN | flag::ACK)
        };
        self.back.packets.iter().any(arrives)
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = &PacketTrace> {
        self.forth.packets.iter().chain(&self.back.packets).copied()
    }

    /// When its last packet was sent.
    pub(crate) fn last_time(&self) -> Duration {
        self.packets().map(PacketTrace::time).max().unwrap_or_default()
    }

    /// When its first packet was sent.
    pub(crate) fn first_time(&self) -> Duration {
        self.packets().map(PacketTrace::time).min().unwrap_or_default()
    }

    /// The first reset that was received, with its direction.
    pub(crate) fn reset(&self) -> Option<&PacketTrace> {
        let resets = self.packets().filter(|trace| trace.headers.is_reset());
        resets.filter(|trace| trace.receiver().is_some()).min_by_key(|trace| trace.time())
    }
}

impl<'a> TcpDirection<'a> {
    /// Bytes of data that were sent until a time, and arrived.
    pub(crate) fn bytes_until(&self, time: Duration) -> u64 {
        let until = self.progress.iter().rev().find(|(sent, _)| *sent <= time);
        until.map_or(0, |(_, bytes)| *bytes)
    }

    fn add(&mut self, trace: &'a PacketTrace, tcp: &Tcp) {
        let end = tcp.seq.wrapping_add(u32::try_from(tcp.len).unwrap_or(0));
        if tcp.len > 0 {
            match self.next {
                Some(next) if is_not_after(end, next) => self.sent_again += 1,
                _ => self.next = Some(end),
            }
        }
        if trace.receiver().is_some() {
            self.arrived += 1;
            let from = *self.arrived_to.get_or_insert(tcp.seq);
            if tcp.len > 0 && !is_not_after(end, from) {
                let data = tcp.len.min(trace.last().data);
                self.bytes += u64::from(end.wrapping_sub(from)).min(data as u64);
                self.arrived_to = Some(end);
                self.progress.push((trace.time(), self.bytes));
            }
        }
        self.packets.push(trace);
    }
}
